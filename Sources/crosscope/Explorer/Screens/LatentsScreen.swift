// The table of latents: sorting, filtering, marking. Drawing is in LatentsScreen+Draw.swift.
// Owns: the ids of the whole list in order (4 bytes a latent) and the rows near the window. Refuses: to sort or filter
// by itself; the store does both.

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
  /// All ids that the filter lets through, in order; nil until the first answer.
  var ids: [Int32]?
  var rows: [Int32: LatentRow] = [:]
  var list = ListState()
  var marked: Set<Int32> = []
  /// The cursor goes to this latent when the list arrives.
  var target: Int32?
  /// Counts searches; an answer to an older one is dropped.
  var generation = 0

  var count: Int { ids?.count ?? 0 }

  var selectedID: Int32? {
    guard let ids, ids.indices.contains(list.selected) else { return nil }
    return ids[list.selected]
  }

  /// Sorts in the order in which the keys go through them: those of the columns, from left to right, then the store's own
  /// metrics.
  static func sorts(_ store: StoreSummary) -> [LatentSort] { sorts + store.metrics.map { .metric($0) } }

  static let sorts: [LatentSort] = [
    .chatSpecificity, .id, .deltaNorm, .nuError, .nuReconstruction, .maxActivation, .frequency, .templateShare,
    .cosBaseChat,
  ]

  /// A search for what is typed and sorted now.
  mutating func search() -> Effect {
    generation += 1
    return .loadList(query, generation: generation)
  }

  /// Shows the table filtered by a text that another screen made; what was typed before is one key up in its history.
  static func show(filter text: String, _ state: inout ExplorerState) -> [Effect] {
    state.latents.filter.commit()
    state.latents.filter.text = text
    state.latents.isTypingFilter = false
    state.latents.filterError = nil
    state.latents.query.filter = text
    state.latents.list = ListState()
    state.latents.ids = nil
    return state.showLatents()
  }

  /// Takes the ids of a list. The selection stays on its latent, or where that one stood if it has left the list; at the
  /// top it stays at the top.
  static func listArrived(_ ids: [Int32], _ generation: Int, _ state: inout ExplorerState) -> [Effect] {
    guard generation == state.latents.generation else { return [] }
    let target = state.latents.target.flatMap { ids.firstIndex(of: $0) }
    state.latents.target = nil
    let (index, id) = (target ?? state.latents.list.selected, target.map { ids[$0] } ?? state.latents.selectedID)
    state.latents.ids = ids
    state.latents.filterError = nil
    return select(index == 0 ? 0 : id.flatMap { ids.firstIndex(of: $0) } ?? index, &state)
  }

  /// Moves the selection to a row and reads what is not there yet.
  static func select(_ index: Int, _ state: inout ExplorerState) -> [Effect] {
    state.latents.list.select(index, count: state.latents.count, height: LatentsLayout(state).rowsVisible)
    return fill(&state)
  }

  /// Reads the rows of the window and the page of the selected latent, where they are not there.
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
    if let id = latents.selectedID, state.pages[id] == nil { effects.append(.loadPage(id)) }
    return effects
  }
}

extension ScreenDefinition {
  static let latents = ScreenDefinition(
    title: { _ in "Latents" },
    bindings: [
      Binding(["enter", "l", "right"], .open, "open", "open the latent's page", unavailable: Unavailable.noLatent),
      Binding(["/"], .filter, "filter", "filter: nu_error<0.2 and tag:refusal and \"text\""),
      Binding([">", "o"], .sortNext, "sort", "sort by the next column"),
      Binding(["<", "O"], .sortPrevious, nil, "sort by the column before"),
      Binding(["r"], .reverse, "reverse", "reverse the order"),
      Binding(["s"], .steer, "steer", "steer with the marked latents, or this one", unavailable: Unavailable.noLatent),
      Binding(["t"], .tag, "tag", "tag the marked latents, or this one", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["n"], .note, "note", "write a note", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["space"], .mark, nil, "mark, for tags and steering of several", unavailable: Unavailable.noLatent),
      Binding(
        ["M"], .unmarkAll, nil, "unmark all", unavailable: { $0.latents.marked.isEmpty ? "nothing is marked" : nil }),
      Binding(["m"], .mapScreen, "map", "the map, with this latent marked"),
      Binding(["S"], .steerScreen, nil, "to the steer screen"),
      Binding(
        ["x"], .clearFilter, nil, "clear the filter",
        unavailable: { $0.latents.query.filter.isEmpty ? "no filter is set" : nil }),
    ] + GeneralBindings.moving,
    perform: performOnLatents,
    type: typeFilter,
    mouse: { mouse, state in
      let (list, count) = (state.latents.list, state.latents.count)
      guard let row = list.row(after: mouse, in: LatentsLayout(state).rows, count: count) else { return [] }
      return row == list.selected ? state.perform(.open) : LatentsState.select(row, &state)
    },
    appear: { state in
      if state.latents.ids == nil { return [state.latents.search()] }
      return LatentsState.select(state.latents.list.selected, &state)
    },
    draw: drawLatents, copy: copyLatents,
    cursor: RowCursor(selected: { $0.latents.list.selected }, select: LatentsState.select))

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
    case .sortNext: return sort(by: 1, &state)
    case .sortPrevious: return sort(by: -1, &state)
    case .reverse:
      state.latents.query.reversed.toggle()
      return restart(&state)
    case .mark:
      guard let id = state.latents.selectedID else { return [] }
      if state.latents.marked.remove(id) == nil { state.latents.marked.insert(id) }
      return LatentsState.select(list.selected + 1, &state)
    case .unmarkAll: state.latents.marked = []
    default: break
    }
    return []
  }

  /// A new order starts at its top: that is what one wants to see.
  private static func restart(_ state: inout ExplorerState) -> [Effect] {
    state.latents.list = ListState()
    return [state.latents.search()]
  }

  private static func sort(by step: Int, _ state: inout ExplorerState) -> [Effect] {
    let sorts = LatentsState.sorts(state.store)
    let index = sorts.firstIndex(of: state.latents.query.sort) ?? 0
    state.latents.query.sort = sorts[(index + step + sorts.count) % sorts.count]
    state.latents.query.reversed = false
    return restart(&state)
  }

  private static func clearFilter(_ state: inout ExplorerState) -> [Effect] {
    guard !state.latents.filter.isEmpty || !state.latents.query.filter.isEmpty else {
      state.tell("q quits")
      return []
    }
    state.latents.filter.text = ""
    return applyFilter(&state)
  }

  /// Text of the filter line: every change is tried at once; what is not understood leaves the list as it is.
  @Sendable private static func typeFilter(_ input: Input, _ state: inout ExplorerState) -> [Effect]? {
    guard state.latents.isTypingFilter else { return nil }
    let before = state.latents.filter.text
    switch input {
    case .paste(let text):
      state.latents.filter.insert(String(text.map { $0.isNewline ? " " : $0 }))
    case .key("esc"):
      state.latents.isTypingFilter = false
      state.latents.filter.text = ""
    case .key("enter"):
      if state.latents.filterError == nil {
        state.latents.isTypingFilter = false
        state.latents.filter.commit()
      }
      return []
    case .key(let key):
      guard state.latents.filter.handle(key) else { return nil }
    case .mouse: return nil
    }
    return state.latents.filter.text == before ? [] : applyFilter(&state)
  }

  private static func applyFilter(_ state: inout ExplorerState) -> [Effect] {
    let text = state.latents.filter.text
    do {
      _ = try Filter(text, metrics: state.store.metrics)
      state.latents.filterError = nil
    } catch {
      state.latents.filterError = error.description
      return []
    }
    guard text != state.latents.query.filter else { return [] }
    state.latents.query.filter = text
    return restart(&state)
  }
}

extension LatentSort {
  /// The order in words.
  var title: String {
    switch self {
    case .chatSpecificity: "chat-specificity"
    case .nuError: "ν^ε"
    case .nuReconstruction: "ν^r"
    case .deltaNorm: "Δ norm"
    case .frequency: "frequency"
    case .maxActivation: "max activation"
    case .cosBaseChat: "cosine"
    case .templateShare: "template share"
    case .id: "id"
    case .metric(let name): termSafe(name)
    }
  }
}
