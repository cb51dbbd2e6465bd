// The list of saved experiments: filtering by text, marking two to compare, deleting, exporting, running again.
// Owns: the ids of the list and the experiments near the window. Refuses: to search; the store does. One experiment, or
// two side by side, is ExperimentScreen.swift; drawing is in ExperimentsScreen+Draw.swift.

import Experiments
import Reports
import Storage
import TUI

/// View state of the list.
struct ExperimentsState: Sendable, Equatable {
  /// Newest first; nil until the first answer.
  var ids: [Int64]?
  var runs: [Int64: SavedRun] = [:]
  /// Above the saved ones in the list.
  var unsaved = UnsavedRuns()
  var list = ListState()
  /// In the order in which they were marked.
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

  /// The experiments that deleting is about: the marked ones, else the selected one.
  var targets: [Int64] { marked.isEmpty ? selectedID.map { [$0] } ?? [] : marked }

  mutating func search() -> Effect {
    generation += 1
    return .loadExperiments(matching: filter.text.trimmed, generation: generation)
  }

  /// Takes the ids of a list. What was read before is read again: an id may have been given anew.
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

  /// Reads the list again where it has been read, since experiments came or went.
  static func changed(_ state: inout ExplorerState) -> [Effect] {
    state.experiments.ids == nil ? [] : [state.experiments.search()]
  }

  /// Opens one, or two to compare. Those that are not saved are in memory.
  static func open(_ ids: [Int64], _ state: inout ExplorerState) -> [Effect] {
    guard ids.contains(where: { $0 < 0 }) else { return [.openExperiments(ids)] }
    let runs = ids.compactMap { state.experiments.run($0) }
    guard runs.count == ids.count else {
      state.tell("reading the experiments: press the key again")
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
    if let reason = LatentCheck.blocksRuns(state) {
      state.tell(reason)
      return []
    }
    let before = state.steer
    state.steer.set(to: request)
    // Something else under the name of the same experiment would be worse than nothing.
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

extension ScreenDefinition {
  static let experiments = ScreenDefinition(
    title: { _ in "Experiments" },
    bindings: [
      Binding(["enter", "l", "right"], .open, "open", "open the experiment", unavailable: noExperiment),
      Binding(["/"], .filter, "filter", "filter by a text of prompt, answers or kind, or \"latent 12\""),
      Binding(["space"], .mark, "mark", "mark, to compare two or delete several", unavailable: noExperiment),
      Binding(
        ["c"], .compare, "compare", "the two marked ones side by side",
        unavailable: { $0.experiments.marked.count == 2 ? nil : "mark two with Space, then c compares them" }),
      Binding(["r"], .runAgain, "run again", "put it on the steer screen and run it", unavailable: noExperiment),
      Binding(["e"], .export, "export", "write it to a file, as Markdown or JSON", unavailable: noExperiment),
      Binding(
        ["S"], .saveAgain, nil, "save again what the store did not take",
        unavailable: {
          Unavailable.readOnly($0) ?? ($0.experiments.unsaved.isEmpty ? "every experiment here is saved" : nil)
        }),
      Binding(
        ["d", "del"], .deleteExperiment, "delete", "delete the marked ones, or this one; u brings them back",
        unavailable: { Unavailable.readOnly($0) ?? noExperiment($0) }),
      Binding(
        ["M"], .unmarkAll, nil, "unmark all", unavailable: { $0.experiments.marked.isEmpty ? "nothing is marked" : nil }
      ),
      Binding(
        ["x"], .clearFilter, nil, "clear the filter",
        unavailable: { $0.experiments.filter.isEmpty ? "no filter is set" : nil }),
    ] + GeneralBindings.moving,
    perform: performOnExperiments,
    type: typeExperimentFilter,
    mouse: { mouse, state in
      let (list, count) = (state.experiments.list, state.experiments.count)
      guard let row = list.row(after: mouse, in: ExperimentsLayout(state).rows, count: count) else { return [] }
      return row == list.selected ? state.perform(.open) : ExperimentsState.select(row, &state)
    },
    appear: { state in
      if state.experiments.ids == nil { return [state.experiments.search()] }
      return ExperimentsState.select(state.experiments.list.selected, &state)
    },
    draw: drawExperiments, copy: copyExperiments,
    cursor: RowCursor(selected: { $0.experiments.list.selected }, select: ExperimentsState.select))

  @Sendable private static func noExperiment(_ state: ExplorerState) -> String? {
    state.experiments.selectedID == nil ? "no experiment is selected" : nil
  }

  @Sendable private static func performOnExperiments(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    let (list, count) = (state.experiments.list, state.experiments.count)
    if let row = list.row(after: action, count: count, height: ExperimentsLayout(state).rowsVisible) {
      return ExperimentsState.select(row, &state)
    }
    switch action {
    case .filter: state.experiments.isTypingFilter = true
    case .clearFilter:
      state.experiments.filter.text = ""
      return [state.experiments.search()]
    case .unmarkAll: state.experiments.marked = []
    case .deleteExperiment:
      let ids = state.experiments.targets.filter { $0 >= 0 }
      guard !ids.isEmpty else {
        state.tell("it is in memory only, and goes with the program")
        return []
      }
      state.experiments.marked = []
      return [.deleteExperiments(ids)]
    case .saveAgain: return state.experiments.unsaved.saveAgain()
    case .compare: return ExperimentsState.open(state.experiments.marked, &state)
    default: return performOnSelected(action, &state)
    }
    return []
  }

  private static func performOnSelected(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    guard let id = state.experiments.selectedID else { return [] }
    switch action {
    case .open: return ExperimentsState.open([id], &state)
    case .mark:
      if let index = state.experiments.marked.firstIndex(of: id) {
        state.experiments.marked.remove(at: index)
      } else {
        state.experiments.marked.append(id)
      }
      return ExperimentsState.select(state.experiments.list.selected + 1, &state)
    case .runAgain: return state.experiments.run(id).map { ExperimentsState.runAgain($0, &state) } ?? []
    case .export: state.openExport(state.experiments.unsaved.run(id).map { .unsaved($0) } ?? .experiment(id))
    default: break
    }
    return []
  }

  /// Text of the filter; every change is searched for at once.
  @Sendable private static func typeExperimentFilter(_ input: Input, _ state: inout ExplorerState) -> [Effect]? {
    guard state.experiments.isTypingFilter else { return nil }
    let before = state.experiments.filter.text
    switch input {
    case .paste(let text): state.experiments.filter.insert(String(text.map { $0.isNewline ? " " : $0 }))
    case .key("esc"):
      state.experiments.isTypingFilter = false
      state.experiments.filter.text = ""
    case .key("enter"):
      state.experiments.isTypingFilter = false
      state.experiments.filter.commit()
    case .key(let key): guard state.experiments.filter.handle(key) else { return nil }
    case .mouse: return nil
    }
    guard state.experiments.filter.text != before else { return [] }
    state.experiments.list = ListState()
    return [state.experiments.search()]
  }
}
