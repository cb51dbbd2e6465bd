// `crosscope explore`, or `crosscope` without a subcommand, opens a store in the terminal.

import ArgumentParser
import Diffing
import Experiments
import Explorer
import Foundation
import Inference
import Kernels
import Reports
import Storage
import TUI

struct Explore: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Browse latents, steer with them, tag them, in the terminal.",
    discussion: "Without STORE the demo store data/demo/demo.crosscope is opened.")

  @Argument(help: "A .crosscope file.", completion: .stores)
  var store: String?

  @OptionGroup var files: ModelFileOptions

  @OptionGroup var computing: ComputeOptions

  @OptionGroup var engine: EngineOptions

  @Flag(help: "Draw with ASCII characters only.")
  var ascii = false

  @Flag(help: "Do not change the store: no tags, notes or experiments are saved.")
  var readOnly = false

  @OptionGroup var beginning: BeginningOptions

  @Option(
    help: ArgumentHelp(
      "The configuration to use; see `crosscope config`.", valueName: "file"), completion: .file(extensions: ["json"]))
  var config: String?

  @Option(help: "Colours: \(Palette.all.map { "\($0.name) (\($0.about))" }.joined(separator: ", ")).")
  var theme: String?

  @Flag(help: "Draw for a screen reader: ASCII, words and numbers only, with the cursor on the selected line.")
  var screenReader = false

  func validate() throws {
    // A mistyped subcommand arrives here as the name of a store.
    if let store, !store.contains("/"), !store.hasSuffix(".crosscope"), !FileManager.default.fileExists(atPath: store) {
      throw ValidationError("\(quoted(store)) is neither a subcommand nor a store")
    }
    try engine.exclude(files, computing)
  }

  func run() async throws {
    let settings = try settings()
    let (opened, place) = try Store.opened(
      path: try store ?? Self.demoStore(), access: readOnly ? .readOnly : .readWrite, reading: beginning.beginning)
    let program = ExplorerProgram(
      store: opened, settings: settings, configurationPath: config ?? Configuration.usualPath(),
      beginning: place, laboratory: { try engine.laboratory(on: $0, files, computing) })
    let ending = try await program.run()
    opened.close()
    if ending != 0 { throw ExitCode(128 + ending) }
  }

  /// The settings of the configuration file, replaced by those of the command line.
  private func settings() throws -> Settings {
    let path = config ?? Configuration.usualPath()
    var settings = Settings()
    if config != nil || FileManager.default.fileExists(atPath: path) {
      settings = try Settings(Configuration(path: path), source: path)
    }
    if let theme {
      do { settings.palette = try Settings.palette(theme, source: "--theme") } catch {
        throw ValidationError(error.description)
      }
    }
    settings.asciiOnly = settings.asciiOnly || ascii
    settings.isSpoken = settings.isSpoken || screenReader
    if computing.memory.memory == nil, let memory = settings.memory { MemoryBudget.limit(bytes: memory.bytes) }
    return settings
  }

  /// The demo store, which is below the current folder or beside the program.
  static func demoStore() throws(NoDemoStore) -> String {
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
    throw NoDemoStore()
  }
}

/// The error if there is no demo store either.
struct NoDemoStore: Error, Equatable, CustomStringConvertible {
  var description: String {
    "there is no data/demo/demo.crosscope here or beside the program: name a store, as in `crosscope explore FILE.crosscope`"
  }
}
