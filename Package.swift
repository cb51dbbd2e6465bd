// swift-tools-version: 6.1
import PackageDescription

// Rooms from the ground up: a target imports only what stands above it in this file.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .unsafeFlags(["-warnings-as-errors"]),
]
// Kernels are useless unoptimised, also in a debug build: tests run real models.
let kernelFlags: [CSetting] = [.unsafeFlags(["-O3", "-Wall", "-Wextra", "-Werror", "-fno-math-errno"])]

// Their naive loops take most of these tests' time; optimised, a tenth of it.
let naiveLoops: [SwiftSetting] = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]

let package = Package(
  name: "crosscope",
  products: [.executable(name: "crosscope", targets: ["crosscope"])],
  dependencies: [
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    // HTTP of `crosscope serve` and its client; hummingbird without its readers of settings.
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
    .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    // For tests only: the server that plays an explaining model.
    .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
  ],
  targets: [
    .target(name: "CMapping", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
    .target(
      name: "CTerminal", dependencies: ["CMapping"],
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),
    .target(
      name: "CKernels", cSettings: kernelFlags, linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "CSQLite",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.linkedLibrary("sqlite3")]),
    // Its C file embeds a file of texts, which C23 has and other C compilers as an extension.
    .target(
      name: "CCorpus", exclude: ["texts.jsonl"],
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror", "-Wno-c23-extensions"])]),
    .target(name: "Kernels", dependencies: ["CKernels", "COpenBLAS"], swiftSettings: strict),
    .target(name: "Inference", dependencies: ["CMapping", "CZlib", "Kernels"], swiftSettings: strict),
    .target(name: "Diffing", dependencies: ["Inference"], swiftSettings: strict),
    .target(
      name: "Storage", dependencies: ["CSQLite", .product(name: "GRDB", package: "GRDB.swift")], swiftSettings: strict),
    .target(
      name: "Serving",
      dependencies: [
        .product(name: "HummingbirdCore", package: "hummingbird"), .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
        .product(name: "HTTPTypes", package: "swift-http-types"), .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(name: "TUI", dependencies: ["CTerminal"], swiftSettings: strict),
    .target(
      name: "Experiments", dependencies: ["Kernels", "Inference", "Diffing", "Storage"], swiftSettings: strict),
    .target(name: "Reports", dependencies: ["Experiments", "TUI"], swiftSettings: strict),
    .target(name: "Pipeline", dependencies: ["CCorpus", "Reports"], swiftSettings: strict),
    .target(name: "Remote", dependencies: ["Serving", "Reports"], swiftSettings: strict),
    .target(name: "Explorer", dependencies: ["Reports"], swiftSettings: strict),
    .executableTarget(
      name: "crosscope",
      dependencies: [
        "Pipeline", "Remote", "Explorer",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["Inference", "Storage"], path: "Tests/TestSupport", swiftSettings: strict),
    // It sees what is internal to the explorer, and so is built for tests alone.
    .target(
      name: "ExplorerTestSupport", dependencies: ["Explorer", "TestSupport"], path: "Tests/ExplorerTestSupport",
      swiftSettings: strict),
    .testTarget(name: "KernelsTests", dependencies: ["Kernels"], swiftSettings: naiveLoops),
    .testTarget(
      name: "InferenceTests", dependencies: ["Inference", "TestSupport"], resources: [.copy("Fixtures")],
      swiftSettings: strict),
    .testTarget(
      name: "DiffingTests", dependencies: ["Diffing", "TestSupport"], resources: [.copy("Fixtures")],
      swiftSettings: strict),
    .testTarget(name: "StorageTests", dependencies: ["Storage"], swiftSettings: strict),
    .testTarget(name: "ServingTests", dependencies: ["Serving", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "TUITests", dependencies: ["TUI"], swiftSettings: strict),
    .testTarget(name: "ExperimentsTests", dependencies: ["Experiments", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "ReportsTests", dependencies: ["Reports"], swiftSettings: strict),
    .testTarget(
      name: "PipelineTests", dependencies: ["Pipeline", "TestSupport"], exclude: ["Goldens", "Fixtures"],
      swiftSettings: strict),
    .testTarget(
      name: "ExplorerTests", dependencies: ["Explorer", "ExplorerTestSupport", "TestSupport"], exclude: ["Goldens"],
      swiftSettings: strict),
    .testTarget(
      name: "CrosscopeTests",
      dependencies: [
        "crosscope", "ExplorerTestSupport", "TestSupport", "FlyingFox",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      exclude: ["Goldens"],
      swiftSettings: strict),
  ]
)
