// The loop takes events, updates the view state, draws the canvas and starts effects. It runs on the main actor, where it only
// draws, once for all events that have arrived; effects run elsewhere. When another store has taken the place of the open one,
// the loop opens it and drops what it has read of the former.

import Diffing
import Dispatch
import Experiments
import Foundation
import Kernels
import Reports
import Storage
import TUI

/// Drives the explorer on a terminal until it ends.
@MainActor
final class ExplorerLoop {
  private(set) var state: ExplorerState
  private let terminal: Terminal
  private var runner: EffectRunner
  /// The store that is open now.
  var store: Store { runner.store }
  /// Opens the store again, and with it everything that works on it.
  private let reopen: @Sendable () throws -> (StoreSummary, EffectRunner)
  /// The number of stores that were opened so far.
  private var epoch = 0
  private var isReopening = false
  /// Notices changes that other programs make to the store within a second.
  private var watching: Task<Void, Never>?
  private let environment = ProcessInfo.processInfo.environment
  private let configurationPath: String
  /// The rejected text of an edited configuration, with which the next edit begins.
  private var rejectedConfiguration: String?
  private let events: AsyncStream<Arrival>
  private let continuation: AsyncStream<Arrival>.Continuation
  private var isDrawScheduled = false
  /// Running tasks that can be cancelled, or that the next one of their kind replaces.
  private var tasks: [TaskKind: Task<Void, Never>] = [:]
  /// The last change of the store; changes run in the order in which they were asked for.
  private var lastChange: Task<Void, Never>?

  /// A kind of work of which one runs at a time.
  private enum TaskKind: Hashable {
    case job(ExplorerJob.Kind)
    /// The search for the list; a new search cancels the former one, so that typing never waits.
    case list
    /// The wait for the cursor to rest.
    case rest

    init?(_ effect: Effect) {
      switch effect {
      case .start(let job, _): self = .job(job.kind)
      case .loadList: self = .list
      case .rest: self = .rest
      default: return nil
      }
    }
  }

  /// Something that the loop receives.
  private enum Arrival: Sendable {
    /// An event from the terminal, or about this program whatever store is open.
    case event(ExplorerEvent)
    /// An effect's answer about the store that was open in this epoch.
    case answer(ExplorerEvent, epoch: Int)
    /// The result of a change by the user, which was asked for in this epoch on a store of this dictionary. It is
    /// reported whichever store is open by then.
    case outcome(ExplorerEvent, epoch: Int, dictionary: String?)
    case storeReplaced(epoch: Int)
    case reopened(StoreSummary, EffectRunner)
    case notReopened(String)
  }

  /// - Parameters:
  ///   - reopen: opens the store again when another one has taken its place.
  ///   - prepare: changes the view state before anything is loaded.
  init(
    store: StoreSummary, runner: EffectRunner, terminal: Terminal, configurationPath: String,
    reopen: @escaping @Sendable () throws -> (StoreSummary, EffectRunner), prepare: (inout ExplorerState) -> Void
  ) {
    self.terminal = terminal
    self.runner = runner
    self.configurationPath = configurationPath
    self.reopen = reopen
    state = ExplorerState(store: store, size: terminal.size)
    prepare(&state)
    (events, continuation) = AsyncStream.makeStream(of: Arrival.self, bufferingPolicy: .unbounded)
  }

  /// Runs until the user quits or a signal ends it.
  /// - Returns: 0, or the number of the signal.
  func run() async -> Int32 {
    let forwarding = Task { [terminal, continuation] in
      for await event in terminal.events { continuation.yield(.event(.terminal(event))) }
    }
    watch()
    begin(state.start())
    draw()
    for await arrival in events {
      take(arrival)
      if state.ending != nil { break }
      scheduleDraw()
    }
    forwarding.cancel()
    cancelTasks()
    await lastChange?.value
    return state.ending ?? 0
  }

  private func take(_ arrival: Arrival) {
    switch arrival {
    case .event(let event): begin(state.update(event))
    case .answer(let event, let epoch):
      if epoch == self.epoch { begin(state.update(event)) }
    case .outcome(.postponed(let effect), let epoch, let dictionary) where epoch != self.epoch:
      begin(state.takeUp(effect, of: dictionary))
    case .outcome(let event, _, _): begin(state.update(event))
    case .storeReplaced(let epoch):
      if epoch == self.epoch { reopenStore() }
    case .reopened(let summary, let runner):
      isReopening = false
      cancelTasks()
      epoch += 1
      self.runner = runner
      watch()
      begin(state.storeReplaced(by: summary))
    case .notReopened(let reason):
      // The next look at the store tries again.
      isReopening = false
      begin(state.update(.failed(reason)))
    }
  }

  private func watch() {
    let changes = runner.store.changes(every: .milliseconds(250))
    watching = Task { [continuation, epoch] in
      for await change in changes {
        switch change {
        case .edited: continuation.yield(.answer(.storeChanged, epoch: epoch))
        case .replaced: continuation.yield(.storeReplaced(epoch: epoch))
        }
      }
    }
  }

  private func reopenStore() {
    guard !isReopening else { return }
    isReopening = true
    Task.detached { [reopen, continuation] in
      do {
        let (summary, runner) = try reopen()
        continuation.yield(.reopened(summary, runner))
      } catch {
        continuation.yield(.notReopened(String(describing: error)))
      }
    }
  }

  /// Cancels all tasks except changes of the store, which are always finished.
  private func cancelTasks() {
    watching?.cancel()
    for task in tasks.values { task.cancel() }
  }

  private func begin(_ effects: [Effect]) {
    for effect in effects {
      guard !performHere(effect) else { continue }
      let (keepsUsersWork, dictionary) = (effect.keepsUsersWork, state.store.dictionary)
      let emit: @Sendable (ExplorerEvent) -> Void = { [continuation, epoch] event in
        continuation.yield(
          keepsUsersWork
            ? .outcome(event, epoch: epoch, dictionary: dictionary) : .answer(event, epoch: epoch))
      }
      let former = effect.changesStore ? lastChange : nil
      let task = Task.detached { [runner] in
        await former?.value
        await runner.run(effect, emit: emit)
      }
      if effect.changesStore { lastChange = task }
      if let kind = TaskKind(effect) {
        tasks[kind]?.cancel()
        tasks[kind] = task
      }
    }
  }

  /// Performs effects that concern the terminal or this loop.
  /// - Returns: whether the effect is finished with that.
  private func performHere(_ effect: Effect) -> Bool {
    switch effect {
    case .cancel(let kind): tasks[.job(kind)]?.cancel()
    case .redraw: terminal.redraw()
    case .copy(let copied):
      terminal.copy(copied.text, through: ClipboardSequence.multiplexer(environment))
      return false
    case .edit(let request):
      report {
        let text = try ExternalEditor.edit(request.text, run: terminal.run)
        return .edited(EditRequest(subject: request.subject, text: text))
      }
    case .editConfiguration:
      report {
        let settings = try EditedConfiguration.edit(path: configurationPath, &rejectedConfiguration, run: terminal.run)
        if let settings { terminal.use(settings.palette) }
        return .configured(settings)
      }
    default: return false
    }
    return true
  }

  private func report(_ work: () throws -> ExplorerEvent) {
    do { continuation.yield(.event(try work())) } catch {
      continuation.yield(.event(.failed(String(describing: error))))
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
  /// Whether the effect is about the user's work, which must not get lost.
  fileprivate var keepsUsersWork: Bool {
    switch self {
    case .export, .copy: true
    default: changesStore
    }
  }

  /// Whether it writes to the store.
  var changesStore: Bool {
    switch self {
    case .setTag, .setNote, .undo, .redo, .save, .deleteExperiments: true
    // Filters are in a file of their own, which must not get lost either.
    case .editFilters: true
    default: false
    }
  }
}
