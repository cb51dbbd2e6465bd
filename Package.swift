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

let package = Package(
  name: "crosscope",
  products: [.executable(name: "crosscope", targets: ["crosscope"])],
  dependencies: [
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    // For tests only: the server that plays an explaining model.
    .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
  ],
  targets: [
    .target(
      name: "CTerminal",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),
    .target(
      name: "CKernels", cSettings: kernelFlags, linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    .target(
      name: "CSQLite",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.linkedLibrary("sqlite3")]),
    .target(name: "Kernels", dependencies: ["CKernels", "COpenBLAS"], swiftSettings: strict),
    .target(name: "Inference", dependencies: ["Kernels"], swiftSettings: strict),
    .target(name: "Diffing", dependencies: ["Inference"], swiftSettings: strict),
    .target(
      name: "Storage", dependencies: ["CSQLite", .product(name: "GRDB", package: "GRDB.swift")], swiftSettings: strict),
    .target(name: "TUI", dependencies: ["CTerminal"], swiftSettings: strict),
    .executableTarget(
      name: "crosscope",
      dependencies: [
        "Kernels", "Inference", "Diffing", "Storage", "TUI",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["Inference"], path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(name: "KernelsTests", dependencies: ["Kernels"], swiftSettings: strict),
    .testTarget(
      name: "InferenceTests", dependencies: ["Inference", "TestSupport"], resources: [.copy("Fixtures")],
      swiftSettings: strict),
    .testTarget(
      name: "DiffingTests", dependencies: ["Diffing", "TestSupport"], resources: [.copy("Fixtures")],
      swiftSettings: strict),
    .testTarget(name: "StorageTests", dependencies: ["Storage"], swiftSettings: strict),
    .testTarget(name: "TUITests", dependencies: ["TUI"], swiftSettings: strict),
    .testTarget(
      name: "CrosscopeTests",
      dependencies: ["crosscope", "TestSupport", "FlyingFox", .product(name: "GRDB", package: "GRDB.swift")],
      exclude: ["Goldens"],
      swiftSettings: strict),
  ]
)
