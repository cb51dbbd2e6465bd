// The table of latents: its bindings, and what keys and the mouse do. The filter line is in LatentsScreen+Filter.swift, marks
// are in LatentsScreen+Marks.swift, drawing is in LatentsScreen+Draw.swift.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

enum LatentsScreen {
  static let definition = ScreenDefinition(
    title: { _ in "Latents" },
    bindings: [
      Binding(["enter", "l", "right"], .open, "open", "open the latent's page", unavailable: Unavailable.noLatent),
      Binding(["/"], .filter, "filter", "filter: nu_error<0.2 and tag:x and \"text\"; Tab completes"),
      Binding([">"], .sortNext, "sort", "sort by the next column"),
      Binding(["<"], .sortPrevious, nil, "sort by the column before"),
      Binding(["o"], .sortBy, nil, "choose what to sort by, or click on a head"),
      Binding(["O"], .thenBy, nil, "choose the second key of the order"),
      Binding(
        ["s"], .steer, "steer", "steer with the marked latents alone, or this one", unavailable: cannotSteer),
      Binding(
        ["&"], .steerToo, "steer too", "steer with the marked latents, or this one, beside those on the steer screen",
        unavailable: cannotSteer),
      Binding(["t"], .tag, "tag", "tag the marked latents, or this one", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["r"], .reverse, "reverse", "reverse the order"),
      Binding(["n"], .note, "note", "write a note", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["m"], .mapScreen, "map", "show this latent on the map"),
      Binding(["c"], .nextClass, nil, "show one class after the other, then all"),
      Binding(["H"], .overview, nil, "show or hide histogram and classes below the table"),
      Binding(["C"], .columns, nil, "choose, move and size columns"),
      Binding(["{"], .scrollLeft, nil, "scroll columns to the left"),
      Binding(["}"], .scrollRight, nil, "scroll columns to the right"),
      Binding(["F"], .savedFilters, nil, "choose a saved filter, or save this one"),
      Binding(
        ["x"], .clearFilter, nil, "clear the filter and the class",
        unavailable: { $0.latents.query.isFiltered ? nil : "no filter is set" }),
      Binding(["space"], .mark, nil, "mark it, to tag or steer with several", unavailable: Unavailable.noLatent),
      Binding(["shift-down"], .markDown, nil, "mark and go down", unavailable: Unavailable.noLatent),
      Binding(["shift-up"], .markUp, nil, "mark and go up", unavailable: Unavailable.noLatent),
      Binding(["V"], .markRange, nil, "begin a range; the second time, mark it", unavailable: Unavailable.noLatent),
      Binding(["a"], .markAll, nil, "mark all that are listed", unavailable: Unavailable.noLatent),
      Binding(
        ["i"], .invertMarks, nil, "mark those listed that are not, and unmark the others",
        unavailable: Unavailable.noLatent),
      Binding(
        ["M"], .unmarkAll, nil, "unmark all", unavailable: { $0.latents.marked.isEmpty ? "nothing is marked" : nil }),
      Binding(
        ["="], .compareLatents, nil, "compare the two marked latents",
        unavailable: { $0.latents.marked.count == 2 ? nil : "mark two latents with Space first" }),
      Binding(["S"], .steerScreen, nil, "go to the steer screen"),
    ] + GeneralBindings.moving,
    perform: perform,
    type: typeFilter,
    typing: typing,
    mouse: mouse,
    appear: { state in
      if state.latents.ids == nil { return [LatentsState.search(&state)] }
      return LatentsState.fillOverview(&state) + LatentsState.select(state.latents.list.selected, &state)
    },
    draw: draw,
    complaint: { $0.latents.completion == nil ? $0.latents.filterError : nil },
    copy: copy,
    cursor: RowCursor(selected: { $0.latents.list.selected }, select: LatentsState.select),
    latent: { $0.latents.selectedID },
    targets: { $0.latents.marked.isEmpty ? $0.shownLatents : $0.latents.marked.sorted() },
    open: { latent, state in
      let effects = state.showLatents()
      return effects + (latent.map { LatentsState.seek($0, &state) } ?? [])
    })

  @Sendable private static func mouse(_ mouse: Mouse, _ state: inout ExplorerState) -> [Effect] {
    let layout = LatentsLayout(state)
    if mouse.kind == .press, layout.head.contains(mouse.point) {
      let columns = TableView(state)
      let areas = TableColumn.areas(columns.heads, in: layout.table)
      guard
        let index = areas.firstIndex(where: { $0.column <= mouse.point.column && mouse.point.column < $0.endColumn }),
        let sort = columns.shown[index].field.sort
      else { return [] }
      return LatentsState.sort(by: sort, &state)
    }
    let (list, count) = (state.latents.list, state.latents.count)
    guard let row = list.row(after: mouse, in: layout.rows, count: count) else { return [] }
    return row == list.selected && mouse.kind == .press ? state.perform(.open) : LatentsState.select(row, &state)
  }

  @Sendable private static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    let (list, count) = (state.latents.list, state.latents.count)
    if let row = list.row(after: action, count: count, height: LatentsLayout(state).rowsVisible) {
      return LatentsState.select(row, &state)
    }
    switch action {
    case .open:
      guard let id = state.latents.selectedID else { return [] }
      return LatentState.open(id, &state)
    case .filter: state.latents.isTypingFilter = true
    case .clearFilter, .back: return clearFilter(&state)
    case .savedFilters: state.overlay = FilterPicker()
    case .sortNext: return LatentsState.sort(step: 1, &state)
    case .sortPrevious: return LatentsState.sort(step: -1, &state)
    case .sortBy: state.overlay = Chooser(.sort, state)
    case .thenBy: state.overlay = Chooser(.secondSort, state)
    case .reverse:
      state.latents.query.reversed.toggle()
      return LatentsState.restart(&state)
    case .nextClass: return LatentsState.nextClass(&state)
    case .columns: state.overlay = ColumnChooser(state)
    case .scrollLeft: state.latents.firstColumn = max(0, state.latents.firstColumn - 1)
    case .scrollRight: state.latents.firstColumn = min(state.latents.firstColumn + 1, TableView(state).mostScrolled)
    case .overview: return toggleOverview(&state)
    case .compareLatents:
      let ids = state.latents.marked.sorted()
      if ids.count == 2 { return LatentComparisonState.open(ids[0], ids[1], &state) }
    default: return mark(action, &state)
    }
    return []
  }

  private static func toggleOverview(_ state: inout ExplorerState) -> [Effect] {
    guard state.size.rows >= 20 else {
      state.tell("histogram and classes need a terminal of 20 rows")
      return []
    }
    let shows = !(state.latents.showsOverview ?? (state.size.rows >= 32))
    state.latents.showsOverview = shows
    if shows, let reason = state.latents.whyNoHistogram(state) { state.tell(reason) }
    return LatentsState.fillOverview(&state) + LatentsState.select(state.latents.list.selected, &state)
  }

  /// The steer screen has one row for each latent, so it takes only a few.
  @Sendable private static func cannotSteer(_ state: ExplorerState) -> String? {
    if state.latents.marked.count > LatentsState.mostSteered {
      return
        "\(grouped(state.latents.marked.count)) latents are marked, but at most \(LatentsState.mostSteered) are steered"
    }
    return Unavailable.noLatent(state)
  }

  /// The ids of latents, or their rows as a table with tabs.
  @Sendable static func copy(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    let ids = state.targets
    guard let first = ids.first else { return nil }
    let what = ids.count == 1 ? "latent \(first)" : "\(ids.count) latents"
    guard whole else { return CopiedText(what: "the id of \(what)", text: ids.map(String.init).joined(separator: " ")) }
    func value(_ number: Double?) -> String { number.map { "\($0)" } ?? "" }
    let head = "id\tclass\tdelta_norm\tnu_error\tnu_reconstruction\tmax_activation\tfrequency\ttags\tsummary"
    let rows = ids.map { id -> String in
      guard let row = state.latents.rows[id] else { return "\(id)" }
      let latent = row.latent
      let numbers = [
        latent.deltaNorm, latent.nuError, latent.nuReconstruction, latent.maxActivation, latent.frequency,
      ].map(value)
      let words = [row.tags.joined(separator: ", "), row.summary ?? ""].map {
        $0.filter { $0 != "\t" && !$0.isNewline }
      }
      return (["\(id)", latent.latentClass.rawValue] + numbers + words).joined(separator: "\t")
    }
    return CopiedText(what: "the row of \(what)", text: ([head] + rows).joined(separator: "\n") + "\n")
  }
}
