// The loop: events in, view state on, canvas out, effects started.
// Owns: the view state and the running tasks, on the main actor. Refuses: work; effects run elsewhere, drawing is the
// only thing done here, once for all events that have arrived.

import Dispatch
import Foundation
import TUI

/// Drives the explorer on a terminal until it ends.
@MainActor
final class ExplorerLoop {
  private(set) var state: ExplorerState
  private let terminal: Terminal
  private let runner: EffectRunner
  /// What another program changes in the store is read again within a second.
  private let storeChanges: AsyncStream<Int>
  private let environment = ProcessInfo.processInfo.environment
  private let configurationPath: String
  private let events: AsyncStream<ExplorerEvent>
  private let continuation: AsyncStream<ExplorerEvent>.Continuation
  private var isDrawScheduled = false
  /// The run under way, to be cancelled.
  private var runTask: Task<Void, Never>?
  /// The trace under way, to be cancelled.
  private var traceTask: Task<Void, Never>?
  /// The check under way, to be cancelled.
  private var checkTask: Task<Void, Never>?
  /// The preview under way; the next one ends it.
  private var previewTask: Task<Void, Never>?
  /// The list that is searched for; the next one ends it, so that what is typed never waits for what was typed before.
  private var listTask: Task<Void, Never>?
  /// The wait for the cursor to rest; the next one ends it.
  private var restTask: Task<Void, Never>?
  /// Changes of the store happen in the order in which they were asked for.
  private var lastChange: Task<Void, Never>?

  /// - Parameter prepare: changes the view state before anything is loaded.
  init(
    store: StoreSummary, runner: EffectRunner, terminal: Terminal, configurationPath: String,
    prepare: (inout ExplorerState) -> Void
  ) {
    self.terminal = terminal
    self.runner = runner
    self.configurationPath = configurationPath
    storeChanges = runner.store.changes(every: .milliseconds(500))
    state = ExplorerState(store: store, size: terminal.size)
    prepare(&state)
    (events, continuation) = AsyncStream.makeStream(of: ExplorerEvent.self, bufferingPolicy: .unbounded)
  }

  /// Runs until the user quits or a signal ends it.
  /// - Returns: 0, or the number of the signal.
  func run() async -> Int32 {
    let forwarding = Task { [terminal, continuation] in
      for await event in terminal.events { continuation.yield(.terminal(event)) }
    }
    let watching = Task { [storeChanges, continuation] in
      for await _ in storeChanges { continuation.yield(.storeChanged) }
    }
    begin(state.start())
    draw()
    for await event in events {
      begin(state.update(event))
      if state.ending != nil { break }
      scheduleDraw()
    }
    forwarding.cancel()
    watching.cancel()
    runTask?.cancel()
    traceTask?.cancel()
    checkTask?.cancel()
    previewTask?.cancel()
    listTask?.cancel()
    restTask?.cancel()
    await lastChange?.value
    return state.ending ?? 0
  }

  private func begin(_ effects: [Effect]) {
    for effect in effects {
      guard !performHere(effect) else { continue }
      let emit: @Sendable (ExplorerEvent) -> Void = { [continuation] in continuation.yield($0) }
      let former = effect.changesStore ? lastChange : nil
      let task = Task.detached { [runner] in
        await former?.value
        await runner.run(effect, emit: emit)
      }
      if effect.changesStore { lastChange = task }
      switch effect {
      case .run, .sweep, .sweepSet: runTask = task
      case .trace: traceTask = task
      case .check: checkTask = task
      case .preview:
        previewTask?.cancel()
        previewTask = task
      case .loadList:
        listTask?.cancel()
        listTask = task
      case .rest:
        restTask?.cancel()
        restTask = task
      default: break
      }
    }
  }

  /// Performs what belongs to the terminal or to this loop.
  /// - Returns: whether that was all.
  private func performHere(_ effect: Effect) -> Bool {
    switch effect {
    case .cancelRun: runTask?.cancel()
    case .cancelTrace: traceTask?.cancel()
    case .cancelCheck: checkTask?.cancel()
    case .redraw: terminal.redraw()
    case .copy(let copied):
      terminal.copy(copied.text, through: ClipboardSequence.multiplexer(environment))
      return false
    case .edit(let request):
      report {
        let text = try ExternalEditor.edit(request.text, run: terminal.run)
        return .edited(EditRequest(subject: request.subject, text: text))
      }
    case .editConfiguration: report { .configured(try editConfiguration()) }
    default: return false
    }
    return true
  }

  private func report(_ work: () throws -> ExplorerEvent) {
    do { continuation.yield(try work()) } catch { continuation.yield(.failed(String(describing: error))) }
  }

  /// A file that is not there yet begins with all defaults.
  private func editConfiguration() throws -> Settings {
    let path = configurationPath
    if !FileManager.default.fileExists(atPath: path) {
      let folder = URL(filePath: path).deletingLastPathComponent().path
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      _ = try writeNew(Configuration.usual.text, to: path)
    }
    try ExternalEditor.edit(file: path, run: terminal.run)
    let settings = try Settings(Configuration(path: path), source: path)
    terminal.use(settings.palette)
    return settings
  }

  private func scheduleDraw() {
    guard !isDrawScheduled else { return }
    isDrawScheduled = true
    DispatchQueue.main.async { [weak self] in
      MainActor.assumeIsolated {
        self?.isDrawScheduled = false
        self?.draw()
      }
    }
  }

  private func draw() {
    guard state.ending == nil else { return }
    let (canvas, cursor) = state.draw()
    terminal.draw(canvas, cursor: cursor)
  }
}

extension Effect {
  /// Whether it writes to the store.
  fileprivate var changesStore: Bool {
    switch self {
    case .setTag, .setNote, .undo, .redo, .save, .saveCheck, .saveSet, .saveAgain, .deleteExperiments: true
    // A file of its own, with the same need.
    case .editFilters: true
    default: false
    }
  }
}
