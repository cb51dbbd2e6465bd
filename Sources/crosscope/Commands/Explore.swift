// `crosscope explore`, and what `crosscope` alone does: open a store in the terminal.

import ArgumentParser
import Foundation
import Serving
import Storage
import TUI

struct Explore: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Browse latents, steer with them, tag them, in the terminal.",
    discussion: "Without STORE the demo store data/demo/demo.crosscope is opened.")

  @Argument(help: "A .crosscope file.", completion: .file(extensions: ["crosscope"]))
  var store: String?

  @OptionGroup var files: ModelFileOptions

  @OptionGroup var computing: ComputeOptions

  @Option(
    help: ArgumentHelp(
      "Steer with the models of a `crosscope serve` there; its token is in CROSSCOPE_TOKEN.",
      valueName: "http://host:port|unix:path"))
  var engine: String?

  @Flag(help: "Draw with ASCII characters only.")
  var ascii = false

  @Flag(help: "Do not change the store: no tags, notes or experiments are saved.")
  var readOnly = false

  func validate() throws {
    // A mistyped subcommand arrives here as the name of a store.
    if let store, !store.contains("/"), !store.hasSuffix(".crosscope"), !FileManager.default.fileExists(atPath: store) {
      throw ValidationError("\(store.debugDescription) is neither a subcommand nor a store")
    }
    let own = files.model ?? files.adapter ?? files.baseModel ?? computing.precision?.rawValue
    if engine != nil, own != nil {
      throw ValidationError("--engine has models and precision of its own; leave --model and the like out")
    }
  }

  func run() async throws {
    let opened = try Store(path: try store ?? Self.demoStore(), access: readOnly ? .readOnly : .readWrite)
    let pair = try opened.modelPair()
    let summary = StoreSummary(
      name: URL(filePath: opened.path).lastPathComponent, base: pair.base, chat: pair.chat, layer: pair.layer,
      nLatents: try opened.latentCount(), isWritable: opened.isWritable, metrics: try opened.metricNames())
    let runner = EffectRunner(store: opened, steering: try steering(of: opened, pair))
    let ending = try await Self.explore(summary, runner, asciiOnly: ascii)
    opened.close()
    if ending != 0 { throw ExitCode(128 + ending) }
  }

  /// The models of the store here, or those of a service.
  private func steering(of store: Store, _ pair: ModelPair) throws -> SteeringService {
    if let engine {
      let client = ServiceClient(address: try ServiceAddress(engine), token: try AccessToken.ofEnvironment())
      return .remote(client, pair: pair)
    }
    return .live(ModelOwner(store: store, files: files.locations, precision: computing.precision ?? .fast))
  }

  @MainActor
  private static func explore(_ summary: StoreSummary, _ runner: EffectRunner, asciiOnly: Bool) async throws -> Int32 {
    let terminal = try Terminal(termName: ProcessInfo.processInfo.environment["TERM"] ?? "")
    defer { terminal.close() }
    let smallest = ExplorerState.smallest
    guard terminal.size.columns >= smallest.columns, terminal.size.rows >= smallest.rows else {
      throw ExploreError.terminalTooSmall(terminal.size)
    }
    let loop = ExplorerLoop(store: summary, runner: runner, terminal: terminal, asciiOnly: asciiOnly)
    let ending = await loop.run()
    withExtendedLifetime(loop) {}
    return ending
  }

  /// The demo store, below the current folder or beside the program.
  static func demoStore() throws(ExploreError) -> String {
    let path = "data/demo/demo.crosscope"
    var folders = [URL(filePath: FileManager.default.currentDirectoryPath)]
    if let program = Bundle.main.executableURL?.resolvingSymlinksInPath() {
      var folder = program.deletingLastPathComponent()
      for _ in 0..<5 {
        folders.append(folder)
        folder = folder.deletingLastPathComponent()
      }
    }
    for folder in folders {
      let file = folder.appending(path: path).path
      if FileManager.default.fileExists(atPath: file) { return file }
    }
    throw .noDemoStore
  }
}

/// Why the explorer does not start, beyond what the store and the terminal say themselves.
enum ExploreError: Error, Equatable, CustomStringConvertible {
  case noDemoStore
  case terminalTooSmall(Size)

  var description: String {
    switch self {
    case .noDemoStore:
      "no data/demo/demo.crosscope here or beside the program: name a store, as in `crosscope explore FILE.crosscope`"
    case .terminalTooSmall(let size):
      "the terminal is \(size.columns)×\(size.rows), the explorer needs 40×10: enlarge it and start again"
    }
  }
}
