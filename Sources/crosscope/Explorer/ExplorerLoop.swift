// The loop: events in, view state on, canvas out, effects started.
// Owns: the view state and the running tasks, on the main actor. Refuses: work; effects run elsewhere, drawing is the
// only thing done here, once for all events that have arrived.

import Dispatch
import TUI

/// Drives the explorer on a terminal until it ends.
@MainActor
final class ExplorerLoop {
  private(set) var state: ExplorerState
  private let terminal: Terminal
  private let runner: EffectRunner
  private let events: AsyncStream<ExplorerEvent>
  private let continuation: AsyncStream<ExplorerEvent>.Continuation
  private var isDrawScheduled = false
  /// The run under way, to be cancelled.
  private var runTask: Task<Void, Never>?
  /// The trace under way, to be cancelled.
  private var traceTask: Task<Void, Never>?
  /// The preview under way; the next one ends it.
  private var previewTask: Task<Void, Never>?
  /// Changes of the store happen in the order in which they were asked for.
  private var lastChange: Task<Void, Never>?

  init(store: StoreSummary, runner: EffectRunner, terminal: Terminal, asciiOnly: Bool) {
    self.terminal = terminal
    self.runner = runner
    state = ExplorerState(store: store, size: terminal.size, asciiOnly: asciiOnly)
    (events, continuation) = AsyncStream.makeStream(of: ExplorerEvent.self, bufferingPolicy: .unbounded)
  }

  /// Runs until the user quits or a signal ends it.
  /// - Returns: 0, or the number of the signal.
  func run() async -> Int32 {
    let forwarding = Task { [terminal, continuation] in
      for await event in terminal.events { continuation.yield(.terminal(event)) }
    }
    begin(state.start())
    draw()
    for await event in events {
      begin(state.update(event))
      if state.ending != nil { break }
      scheduleDraw()
    }
    forwarding.cancel()
    runTask?.cancel()
    traceTask?.cancel()
    previewTask?.cancel()
    await lastChange?.value
    return state.ending ?? 0
  }

  private func begin(_ effects: [Effect]) {
    for effect in effects {
      if effect == .cancelRun {
        runTask?.cancel()
        continue
      }
      if effect == .cancelTrace {
        traceTask?.cancel()
        continue
      }
      let emit: @Sendable (ExplorerEvent) -> Void = { [continuation] in continuation.yield($0) }
      let former = effect.changesStore ? lastChange : nil
      let task = Task.detached { [runner] in
        await former?.value
        await runner.run(effect, emit: emit)
      }
      if effect.changesStore { lastChange = task }
      switch effect {
      case .run, .sweep: runTask = task
      case .trace: traceTask = task
      case .preview:
        previewTask?.cancel()
        previewTask = task
      default: break
      }
    }
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
    case .setTag, .setNote, .undo, .redo, .save, .deleteExperiments: true
    // A file of its own, with the same need.
    case .editFilters: true
    default: false
    }
  }
}
