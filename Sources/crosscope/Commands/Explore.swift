// `crosscope explore`, and what `crosscope` alone does: open a store in the terminal.

import ArgumentParser
import Diffing
import Experiments
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

  @Flag(help: "For a screen reader: ASCII, words and numbers only, the cursor on the selected line.")
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
    let opened = try Store(path: try store ?? Self.demoStore(), access: readOnly ? .readOnly : .readWrite)
    let (summary, runner) = (try Self.summary(of: opened), try runner(on: opened))
    let reopen: @Sendable () throws -> (StoreSummary, EffectRunner) = { [self] in
      let again = try Store(path: opened.path, access: readOnly ? .readOnly : .readWrite, session: opened.session)
      return (try Self.summary(of: again), try self.runner(on: again))
    }
    let view = try beginning.view(of: opened)
    let savedState = SavedState.usualPath()
    // Whoever has seen neither the tour nor this store sees the tour, unless they say what they want to see.
    let showsTour = view == nil && !beginning.isGiven && !SavedState(path: savedState).hasSeenTour
    let (ending, seen, last) = try await Self.explore(
      summary, runner, settings, configurationPath: config ?? Configuration.usualPath(), reopen: reopen
    ) { state in
      state.apply(settings)
      if let view { state.restore(view) }
      if showsTour { state.tour = Tour() }
    }
    SavedState.save(seen, of: opened.path, seenTour: showsTour, path: savedState)
    last.close()
    opened.close()
    if ending != 0 { throw ExitCode(128 + ending) }
  }

  private static func summary(of store: Store) throws -> StoreSummary {
    let pair = try store.modelPair()
    return StoreSummary(
      name: URL(filePath: store.path).lastPathComponent, base: pair.base, chat: pair.chat, layer: pair.layer,
      nLatents: try store.latentCount(), dictionary: pair.crosscoder?.sha256, isWritable: store.isWritable,
      metrics: try store.metricNames(), coherenceLimit: try store.knownCoherenceLimit())
  }

  /// With the models of the store here, or those of a service.
  private func runner(on store: Store) throws -> EffectRunner {
    EffectRunner(
      store: store, laboratory: try engine.laboratory(on: store, files, computing), filters: .ofUser())
  }

  /// What the file says, and over it what the command line says.
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

  /// - Returns: 0 or the signal that ended it, how the store was last seen, and the store that was open last.
  @MainActor
  private static func explore(
    _ summary: StoreSummary, _ runner: EffectRunner, _ settings: Settings, configurationPath: String,
    reopen: @escaping @Sendable () throws -> (StoreSummary, EffectRunner),
    prepare: @Sendable (inout ExplorerState) -> Void
  ) async throws -> (Int32, SavedView, Store) {
    let termName = ProcessInfo.processInfo.environment["TERM"] ?? ""
    let terminal = try Terminal(
      termName: termName, palette: settings.palette,
      usesMouse: settings.usesMouse)
    defer { terminal.close() }
    let smallest = ExplorerState.smallest
    guard terminal.size.columns >= smallest.columns, terminal.size.rows >= smallest.rows else {
      throw ExploreError.terminalTooSmall(terminal.size)
    }
    let loop = ExplorerLoop(
      store: summary, runner: runner, terminal: terminal, configurationPath: configurationPath, reopen: reopen
    ) { state in
      prepare(&state)
      if let entry = terminal.standIn {
        state.tell(
          "no terminfo entry for TERM=\(termName): drawn as \(entry); ncurses-term or your terminal's package has one")
      }
    }
    let ending = await loop.run()
    return (ending, SavedView(loop.state), loop.store)
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
