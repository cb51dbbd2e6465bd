// The list of saved experiments: filtering by text, marking two to compare, deleting, exporting, running again. One
// experiment, or two side by side, is ExperimentScreen.swift; drawing is in ExperimentsScreen+Draw.swift.

import Diffing
import Kernels
import Reports
import Storage
import TUI

enum ExperimentsScreen {
  static let definition = ScreenDefinition(
    title: { _ in "Experiments" },
    bindings: [
      Binding(["enter", "l", "right"], .open, "open", "open the experiment", unavailable: noExperiment),
      Binding(["/"], .filter, "filter", "filter by a text of prompt, answers or kind, or \"latent 12\""),
      Binding(["space"], .mark, "mark", "mark, to compare two or delete several", unavailable: noExperiment),
      Binding(
        ["c"], .compare, "compare", "show the two marked ones side by side",
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
    perform: perform,
    type: typeFilter,
    typing: { $0.experiments.isTypingFilter ? TypingKeys(bar: TypingKeys.filterLine) : nil },
    mouse: { mouse, state in
      let (list, count) = (state.experiments.list, state.experiments.count)
      guard let row = list.row(after: mouse, in: ExperimentsLayout(state).rows, count: count) else { return [] }
      return row == list.selected ? state.perform(.open) : ExperimentsState.select(row, &state)
    },
    appear: { state in
      if state.experiments.ids == nil { return [state.experiments.search()] }
      return ExperimentsState.select(state.experiments.list.selected, &state)
    },
    draw: draw, copy: copy,
    cursor: RowCursor(selected: { $0.experiments.list.selected }, select: ExperimentsState.select),
    open: { _, state in state.show(.experiments) })

  @Sendable private static func noExperiment(_ state: ExplorerState) -> String? {
    state.experiments.selectedID == nil ? "no experiment is selected" : nil
  }

  @Sendable private static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
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
        state.tell("it is in memory only and is lost with the program")
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

  /// Takes text of the filter; every change is searched for at once.
  @Sendable private static func typeFilter(_ input: Input, _ state: inout ExplorerState) -> [Effect]? {
    guard state.experiments.isTypingFilter else { return nil }
    let before = state.experiments.filter.text
    switch input {
    case .key("esc"):
      state.experiments.isTypingFilter = false
      state.experiments.filter.text = ""
    case .key("enter"):
      state.experiments.isTypingFilter = false
      state.experiments.filter.commit()
    default: guard state.experiments.filter.take(input) else { return nil }
    }
    guard state.experiments.filter.text != before else { return [] }
    state.experiments.list = ListState()
    return [state.experiments.search()]
  }

  /// The selected experiment's prompt, or all of it as Markdown.
  @Sendable static func copy(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    state.experiments.selectedID.flatMap { state.experiments.run($0) }.map { $0.copied(whole: whole) }
  }
}

extension SavedRun {
  /// Its prompt, or all of it as Markdown.
  func copied(whole: Bool) -> CopiedText {
    whole
      ? CopiedText(what: "experiment \(name)", text: markdown)
      : CopiedText(what: "the prompt of experiment \(name)", text: record.prompt)
  }
}
