// The table of latents: its state, its bindings, sorting. The filter line is in LatentsScreen+Filter.swift, marks in
// LatentsScreen+Marks.swift, drawing in LatentsScreen+Draw.swift.
// Owns: the ids of the whole list in order (4 bytes a latent) and the rows near the window. Refuses: to sort or filter
// by itself; the store does both.

import Experiments
import Reports
import Storage
import TUI

/// View state of the table.
struct LatentsState: Sendable, Equatable {
  var query = ListQuery()
  /// The filter as it is typed; applied live.
  var filter = LineEditor(limit: 2000)
  var isTypingFilter = false
  /// Why the typed filter is not understood; the list then shows the last one that was.
  var filterError: String?
  /// The character of the filter at which it is not understood, if it is known.
  var errorPosition: Int?
  /// What may come next, while that is shown under the filter line.
  var completion: CompletionList?
  /// Filters kept beyond this run.
  var saved = SavedFilters()
  /// All ids that the filter lets through, in order; nil until the first answer.
  var ids: [Int32]?
  var rows: [Int32: LatentRow] = [:]
  var list = ListState()
  var marked: Set<Int32> = []
  /// The row from which on a range is being marked.
  var anchor: Int?
  /// The columns that the user chose; nil for the usual ones.
  var columns: TableColumns?
  /// Columns scrolled out at the left, beside those that stay.
  var firstColumn = 0
  /// Whether histogram and classes stand below the table; nil: where there is room.
  var showsOverview: Bool?
  /// Of what the list is sorted by.
  var distribution: Distribution?
  /// Of the latents that the filter lets through, whatever class is chosen.
  var classCounts: [LatentClass: Int]?
  /// A class was chosen before it was known whether it has latents: an empty one is passed over.
  var seeksClass = false
  /// The cursor goes to this latent when the list arrives.
  var target: Int32?
  /// The latent in the preview under the table: the one on which the cursor last rested.
  var previewed: Int32?
  /// Counts searches; an answer to an older one is dropped.
  var generation = 0

  var count: Int { ids?.count ?? 0 }

  var selectedID: Int32? {
    guard let ids, ids.indices.contains(list.selected) else { return nil }
    return ids[list.selected]
  }

  /// The sorted value of the latent under the cursor.
  var selectedValue: Double? { selectedID.flatMap { rows[$0]?.latent[query.sort] } }

  /// Sorts in the order in which the keys go through them: those of the columns, from left to right, then the store's own
  /// metrics.
  static func sorts(_ state: ExplorerState) -> [LatentSort] {
    let columns = (state.latents.columns ?? .usual).shown.compactMap(\.field.sort)
    return columns + state.store.metrics.map { .metric($0) }.filter { !columns.contains($0) }
  }

  /// Reads the list for what is typed and sorted now, and what stands below the table.
  static func search(_ state: inout ExplorerState) -> Effect {
    state.latents.generation += 1
    let needsCounts = state.latents.overviewRows(state) > 0 || state.latents.query.latentClass != nil
    return .loadList(state.latents.query, overview: needsCounts, generation: state.latents.generation)
  }

  /// The rows of classes and histogram: none where the terminal is too low, or too narrow for its bins.
  func overviewRows(_ state: ExplorerState) -> Int {
    guard state.size.rows >= 20 else { return 0 }
    guard showsOverview ?? (state.size.rows >= 32) else { return query.latentClass == nil ? 0 : 1 }
    return whyNoHistogram(state) == nil ? 1 + ScreenDefinition.histogramRows : 1
  }

  /// Why there is no histogram of what the table is sorted by; nil where there is one.
  func whyNoHistogram(_ state: ExplorerState) -> String? {
    if state.size.columns < 72 { return "the histogram needs 72 columns" }
    if !query.sort.isNumber { return "no histogram: \(query.sort.title) is no number of a latent" }
    guard [.chatSpecificity, .id].contains(query.sort), !query.isFiltered else { return nil }
    return "no histogram: ranks and ids of all latents are spread evenly; > sorts by another column"
  }

  /// Reads the list again where the rows below it need what was not read with it.
  static func fillOverview(_ state: inout ExplorerState) -> [Effect] {
    guard state.latents.classCounts == nil, state.latents.ids != nil, state.latents.overviewRows(state) > 0 else {
      return []
    }
    return [search(&state)]
  }

  /// Shows the table filtered by a text that another screen made; what was typed before is one key up in its history.
  static func show(
    filter text: String, latentClass: LatentClass? = nil, _ state: inout ExplorerState
  ) -> [Effect] {
    state.latents.filter.commit()
    state.latents.filter.text = text
    state.latents.isTypingFilter = false
    state.latents.filterError = nil
    state.latents.completion = nil
    state.latents.query.filter = text
    state.latents.query.latentClass = latentClass
    state.latents.list = ListState()
    state.latents.ids = nil
    return state.showLatents()
  }

  /// Takes the ids of a list. The selection stays on its latent, or where that one stood if it has left the list; at the
  /// top it stays at the top.
  static func listArrived(_ found: FoundLatents, _ generation: Int, _ state: inout ExplorerState) -> [Effect] {
    guard generation == state.latents.generation else { return [] }
    let target = state.latents.target.flatMap { found.ids.firstIndex(of: $0) }
    state.latents.target = nil
    let (index, id) = (
      target ?? state.latents.list.selected, target.map { found.ids[$0] } ?? state.latents.selectedID
    )
    state.latents.ids = found.ids
    state.latents.distribution = found.distribution
    // Those of the list before stay until the new ones come: nothing flickers.
    if !found.countsFollow { state.latents.classCounts = nil }
    state.latents.filterError = nil
    state.latents.anchor = nil
    let effects = select(index == 0 ? 0 : id.flatMap { found.ids.firstIndex(of: $0) } ?? index, &state)
    return state.screen == .map && state.map.points != nil ? effects + MapState.bin(&state) : effects
  }

  /// Takes the counts of the classes.
  static func countsArrived(
    _ counts: [LatentClass: Int], _ generation: Int, _ state: inout ExplorerState
  ) -> [Effect] {
    guard generation == state.latents.generation else { return [] }
    state.latents.classCounts = counts
    defer { state.latents.seeksClass = false }
    let isPassedOver = state.latents.seeksClass && state.latents.ids?.isEmpty == true && !counts.isEmpty
    return isPassedOver ? nextClass(&state) : []
  }

  /// Moves the selection to a row and reads what is not there yet.
  static func select(_ index: Int, _ state: inout ExplorerState) -> [Effect] {
    state.latents.list.select(index, count: state.latents.count, height: LatentsLayout(state).rowsVisible)
    return fill(&state)
  }

  /// Reads the rows of the window where they are not there, and sees to the preview of the selected latent.
  static func fill(_ state: inout ExplorerState) -> [Effect] {
    var effects: [Effect] = []
    let latents = state.latents
    guard let ids = latents.ids else { return [] }
    let height = LatentsLayout(state).rowsVisible
    let visible = latents.list.visible(count: ids.count, height: height)
    if visible.contains(where: { latents.rows[ids[$0]] == nil }) {
      let near = max(0, visible.lowerBound - height)..<min(ids.count, visible.upperBound + height)
      let missing = ids[near].filter { latents.rows[$0] == nil }
      if latents.rows.count > 5000 {
        let kept = Set(ids[near])
        state.latents.rows = latents.rows.filter { kept.contains($0.key) }
      }
      effects.append(.loadRows(missing))
    }
    if let id = latents.selectedID, id != latents.previewed || state.pages[id] == nil {
      // The first page is wanted at once; later ones when the cursor rests, or each row passed would be read and drawn.
      effects.append(latents.previewed == nil && state.pages[id] == nil ? .loadPage(id) : .rest(on: id))
    }
    return effects
  }

  /// Shows a latent in the preview if the cursor is still on it.
  static func preview(_ id: Int32, _ state: inout ExplorerState) {
    if id == state.latents.selectedID { state.latents.previewed = id }
  }
}

extension ScreenDefinition {
  static let latents = ScreenDefinition(
    title: { _ in "Latents" },
    bindings: [
      Binding(["enter", "l", "right"], .open, "open", "open the latent's page", unavailable: Unavailable.noLatent),
      Binding(["/"], .filter, "filter", "filter, Tab completes: nu_error<0.2 and tag:x and \"text\""),
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
      Binding(["m"], .mapScreen, "map", "the map, with this latent marked"),
      Binding(["c"], .nextClass, nil, "show one class after the other, then all"),
      Binding(["H"], .overview, nil, "histogram and classes below the table, on or off"),
      Binding(["C"], .columns, nil, "choose, move and size columns"),
      Binding(["{"], .scrollLeft, nil, "scroll columns to the left"),
      Binding(["}"], .scrollRight, nil, "scroll columns to the right"),
      Binding(["F"], .savedFilters, nil, "saved filters: choose one, save this one"),
      Binding(
        ["x"], .clearFilter, nil, "clear the filter and the class",
        unavailable: { $0.latents.query.isFiltered ? nil : "no filter is set" }),
      Binding(["space"], .mark, nil, "mark, for tags and steering of several", unavailable: Unavailable.noLatent),
      Binding(["shift-down"], .markDown, nil, "mark and go down", unavailable: Unavailable.noLatent),
      Binding(["shift-up"], .markUp, nil, "mark and go up", unavailable: Unavailable.noLatent),
      Binding(["V"], .markRange, nil, "begin a range; again: mark it", unavailable: Unavailable.noLatent),
      Binding(["a"], .markAll, nil, "mark all that are listed", unavailable: Unavailable.noLatent),
      Binding(
        ["i"], .invertMarks, nil, "mark those listed that are not, and the reverse", unavailable: Unavailable.noLatent),
      Binding(
        ["M"], .unmarkAll, nil, "unmark all", unavailable: { $0.latents.marked.isEmpty ? "nothing is marked" : nil }),
      Binding(
        ["="], .compareLatents, nil, "compare the two marked latents",
        unavailable: { $0.latents.marked.count == 2 ? nil : "mark two latents with Space first" }),
      Binding(["S"], .steerScreen, nil, "to the steer screen"),
    ] + GeneralBindings.moving,
    perform: performOnLatents,
    type: typeFilter,
    mouse: mouseOnLatents,
    appear: { state in
      if state.latents.ids == nil { return [LatentsState.search(&state)] }
      return LatentsState.fillOverview(&state) + LatentsState.select(state.latents.list.selected, &state)
    },
    draw: drawLatents, copy: copyLatents,
    cursor: RowCursor(selected: { $0.latents.list.selected }, select: LatentsState.select))

  @Sendable private static func mouseOnLatents(_ mouse: Mouse, _ state: inout ExplorerState) -> [Effect] {
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

  @Sendable private static func performOnLatents(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
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
    case .savedFilters: state.overlay = .filters(FilterPicker())
    case .sortNext: return LatentsState.sort(step: 1, &state)
    case .sortPrevious: return LatentsState.sort(step: -1, &state)
    case .sortBy: state.openChooser(.sort)
    case .thenBy: state.openChooser(.secondSort)
    case .reverse:
      state.latents.query.reversed.toggle()
      return LatentsState.restart(&state)
    case .nextClass: return LatentsState.nextClass(&state)
    case .columns: state.openColumns()
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

  /// Strengths of more than a few latents at once cannot be looked at, one row each.
  @Sendable private static func cannotSteer(_ state: ExplorerState) -> String? {
    if state.latents.marked.count > LatentsState.mostSteered {
      return
        "\(grouped(state.latents.marked.count)) latents are marked, at most \(LatentsState.mostSteered) are steered"
    }
    return Unavailable.noLatent(state)
  }
}

extension LatentsState {
  static let mostSteered = 50

  /// A new order starts at its top: that is what one wants to see.
  static func restart(_ state: inout ExplorerState) -> [Effect] {
    state.latents.list = ListState()
    return [search(&state)]
  }

  /// Sorts by another column; by the same one, the other way round.
  static func sort(by sort: LatentSort, _ state: inout ExplorerState) -> [Effect] {
    if state.latents.query.sort == sort {
      state.latents.query.reversed.toggle()
    } else {
      state.latents.query.sort = sort
      state.latents.query.reversed = false
      if state.latents.query.then?.sort == sort { state.latents.query.then = nil }
    }
    return restart(&state)
  }

  /// Orders latents of equal first key by another column; by the same one, the other way round; nil by id.
  static func sort(thenBy sort: LatentSort?, _ state: inout ExplorerState) -> [Effect] {
    if let sort, sort != state.latents.query.sort {
      let isSame = state.latents.query.then?.sort == sort
      state.latents.query.then = LatentOrder(
        sort, ascending: isSame ? state.latents.query.then?.ascending == false : nil)
    } else {
      state.latents.query.then = nil
    }
    return restart(&state)
  }

  fileprivate static func sort(step: Int, _ state: inout ExplorerState) -> [Effect] {
    let sorts = sorts(state)
    let index = sorts.firstIndex(of: state.latents.query.sort) ?? 0
    let next = sorts[(index + step + sorts.count) % sorts.count]
    return next == state.latents.query.sort ? [] : sort(by: next, &state)
  }

  /// All, then each class that the filter lets through, then all again.
  fileprivate static func nextClass(_ state: inout ExplorerState) -> [Effect] {
    let counts = state.latents.classCounts
    let offered = LatentClass.allCases.filter { counts == nil || counts?[$0] ?? 0 > 0 }
    let index = state.latents.query.latentClass.flatMap { offered.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
    state.latents.query.latentClass = offered.indices.contains(index) ? offered[index] : nil
    state.latents.seeksClass = counts == nil
    return restart(&state)
  }
}

extension LatentSort {
  /// The order in words.
  var title: String {
    switch self {
    case .chatSpecificity: "chat-specificity"
    case .frequency: "frequency"
    case .maxActivation: "max activation"
    case .cosBaseChat: "cosine"
    case .templateShare: "template share"
    case .id: "id"
    case .tags: "number of tags"
    default: TableField(self).title
    }
  }
}
