// The view state of the list of experiments: the ids of the list, and the experiments near the window. The store
// searches.

import Diffing
import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

/// View state of the list.
struct ExperimentsState: Sendable, Equatable {
  /// The ids, the newest first; nil until the first answer.
  var ids: [Int64]?
  var runs: [Int64: SavedRun] = [:]
  /// The unsaved runs, which stand above the saved ones.
  var unsaved = UnsavedRuns()
  var list = ListState()
  /// The marked experiments in the order in which they were marked.
  var marked: [Int64] = []
  var filter = LineEditor(limit: 200)
  var isTypingFilter = false
  /// Counts searches; an answer to an older one is dropped.
  var generation = 0

  var count: Int { ids?.count ?? 0 }

  var selectedID: Int64? {
    guard let ids, ids.indices.contains(list.selected) else { return nil }
    return ids[list.selected]
  }

  func run(_ id: Int64) -> SavedRun? { id < 0 ? unsaved.run(id) : runs[id] }

  /// The experiments to delete: the marked ones, or else the selected one.
  var targets: [Int64] { marked.isEmpty ? selectedID.map { [$0] } ?? [] : marked }

  mutating func search() -> Effect {
    generation += 1
    return .loadExperiments(matching: filter.text.trimmed, generation: generation)
  }

  /// Takes the ids of a list. Experiments are read again, since an id may have been given to another one.
  static func listArrived(_ ids: [Int64], _ generation: Int, _ state: inout ExplorerState) -> [Effect] {
    guard generation == state.experiments.generation else { return [] }
    let (index, id) = (state.experiments.list.selected, state.experiments.selectedID)
    let ids = state.experiments.unsaved.ids(matching: state.experiments.filter.text.trimmed) + ids
    state.experiments.ids = ids
    state.experiments.runs = [:]
    let known = Set(ids)
    if state.experiments.filter.isEmpty { state.experiments.marked.removeAll { !known.contains($0) } }
    return select(index == 0 ? 0 : id.flatMap { ids.firstIndex(of: $0) } ?? index, &state)
  }

  static func select(_ index: Int, _ state: inout ExplorerState) -> [Effect] {
    let height = ExperimentsLayout(state).rowsVisible
    state.experiments.list.select(index, count: state.experiments.count, height: height)
    guard let ids = state.experiments.ids else { return [] }
    let visible = state.experiments.list.visible(count: ids.count, height: height)
    let runs = state.experiments.runs
    guard visible.contains(where: { ids[$0] >= 0 && runs[ids[$0]] == nil }) else { return [] }
    let near = max(0, visible.lowerBound - height)..<min(ids.count, visible.upperBound + height)
    if runs.count > 1000 {
      let kept = Set(ids[near])
      state.experiments.runs = runs.filter { kept.contains($0.key) }
    }
    return [.loadExperimentRows(ids[near].filter { $0 >= 0 && state.experiments.runs[$0] == nil })]
  }

  /// Reads the list again, if it was read before, since experiments were added or deleted.
  static func changed(_ state: inout ExplorerState) -> [Effect] {
    state.experiments.ids == nil ? [] : [state.experiments.search()]
  }

  /// Opens one, or two to compare. Unsaved ones are in memory.
  static func open(_ ids: [Int64], _ state: inout ExplorerState) -> [Effect] {
    guard ids.contains(where: { $0 < 0 }) else { return [.openExperiments(ids)] }
    let runs = ids.compactMap { state.experiments.run($0) }
    guard runs.count == ids.count else {
      state.tell("the experiments are being read: press the key again")
      return [.loadExperimentRows(ids.filter { $0 >= 0 })]
    }
    return ExperimentState.open(runs, &state)
  }

  /// Puts an experiment on the steer screen and runs it.
  static func runAgain(_ run: SavedRun, _ state: inout ExplorerState) -> [Effect] {
    if let check = run.check {
      state.tell("a causal check is made again on the page of latent \(check.latent), with K")
      return []
    }
    if run.set != nil {
      state.tell("a set of prompts is swept over on the steer screen, with M; crosscope rerun makes this one again")
      return []
    }
    guard let request = run.request else {
      state.tell(
        "experiment \(run.name) says less than a run needs, or more than this screen can: try crosscope rerun",
        .error)
      return []
    }
    guard !state.steer.isBusy else {
      state.tell("a run is going on: let it end, or cancel it on the steer screen")
      return []
    }
    if let reason = CausalCheckRun.blocksRuns(state) {
      state.tell(reason)
      return []
    }
    let before = state.steer
    state.steer.set(to: request)
    // Running something else under the same name would be worse than running nothing.
    guard state.steer.request == request else {
      state.steer = before
      state.tell(
        "the steer screen cannot be set to this: use crosscope steer", .error)
      return []
    }
    state.steer.focus = .answers
    return state.show(.steer) + SteerState.start(&state)
  }
}
