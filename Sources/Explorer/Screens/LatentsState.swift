// The table of latents as a value. It holds the ids of the whole list in order (4 bytes a latent) and the rows near the window.
// The store sorts and filters.

import Inference
import Reports
import Storage
import TUI

/// View state of the table.
struct LatentsState: Sendable, Equatable {
  var query = ListQuery()
  /// The filter line, which is applied as it is typed.
  var filter = LineEditor(limit: 2000)
  var isTypingFilter = false
  /// The error of the typed filter; the list then shows the last correct one.
  var filterError: String?
  /// The position of the filter's error, if it is known.
  var errorPosition: Int?
  /// The completions, while they are shown under the filter line.
  var completion: CompletionList?
  /// The filters saved by earlier runs.
  var saved = SavedFilters()
  /// All ids that the filter lets through, in order; nil until the first answer.
  var ids: [Int]?
  var rows: [Int: LatentRow] = [:]
  var list = ListState()
  var marked: Set<Int> = []
  /// The first row of a range that is being marked.
  var anchor: Int?
  /// The columns that the user chose; nil for the default ones.
  var columns: TableColumns?
  /// How many columns are scrolled out at the left, without those that stay.
  var firstColumn = 0
  /// Whether histogram and classes are shown below the table; nil shows them if there is room.
  var showsOverview: Bool?
  /// The distribution of the number that sorts the list.
  var distribution: Distribution?
  /// The counts of the classes that the filter lets through, whichever class is chosen.
  var classCounts: [LatentClass: Int]?
  /// Whether the chosen class is to be skipped if it has no latents, which is not known yet.
  var seeksClass = false
  /// The cursor goes to this latent when the list arrives.
  var target: Int?
  /// The latent in the preview under the table, on which the cursor last rested.
  var previewed: Int?
  /// Counts searches; an answer to an older one is dropped.
  var generation = 0

  var count: Int { ids?.count ?? 0 }

  var selectedID: Int? {
    guard let ids, ids.indices.contains(list.selected) else { return nil }
    return ids[list.selected]
  }

  /// The sorted value of the latent under the cursor.
  var selectedValue: Double? { selectedID.flatMap { rows[$0]?.latent[query.sort] } }

  /// The sorts in the order in which keys step through them: the columns from left to right, then the store's own
  /// metrics.
  static func sorts(_ state: ExplorerState) -> [LatentSort] {
    let columns = (state.latents.columns ?? .usual).shown.compactMap(\.field.sort)
    return columns + state.store.metrics.map { .metric($0) }.filter { !columns.contains($0) }
  }

  /// Reads the list for the typed filter and the present order, and the figures below the table.
  static func search(_ state: inout ExplorerState) -> Effect {
    state.latents.generation += 1
    let needsCounts = state.latents.overviewRows(state) > 0 || state.latents.query.latentClass != nil
    return .loadList(state.latents.query, overview: needsCounts, generation: state.latents.generation)
  }

  /// The rows of classes and histogram; 0 if the terminal is too low, or too narrow for the bins.
  func overviewRows(_ state: ExplorerState) -> Int {
    guard state.size.rows >= 20 else { return 0 }
    guard showsOverview ?? (state.size.rows >= 32) else { return query.latentClass == nil ? 0 : 1 }
    return whyNoHistogram(state) == nil ? 1 + LatentsScreen.histogramRows : 1
  }

  /// The reason why the sorted number has no histogram; nil if it has one.
  func whyNoHistogram(_ state: ExplorerState) -> String? {
    if state.size.columns < 72 { return "the histogram needs 72 columns" }
    if !query.sort.isNumber { return "there is no histogram: \(query.sort.title) is no number of a latent" }
    guard [.chatSpecificity, .id].contains(query.sort), !query.isFiltered else { return nil }
    return "there is no histogram: ranks and ids are spread evenly; > sorts by another column"
  }

  /// Reads the list again if the rows below it need figures that were not read with it.
  static func fillOverview(_ state: inout ExplorerState) -> [Effect] {
    guard state.latents.classCounts == nil, state.latents.ids != nil, state.latents.overviewRows(state) > 0 else {
      return []
    }
    return [search(&state)]
  }

  /// Shows the table filtered by a text of another screen; the typed filter is reached by the up key.
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

  /// Takes the ids of a list. The selection stays on its latent, or at its row if the latent has left the list; at the
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
    // The former counts stay until the new ones arrive, so that nothing flickers.
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

  /// Moves the selection to a row and reads what is missing there.
  static func select(_ index: Int, _ state: inout ExplorerState) -> [Effect] {
    state.latents.list.select(index, count: state.latents.count, height: LatentsLayout(state).rowsVisible)
    return fill(&state)
  }

  /// Reads the missing rows of the window, and the preview of the selected latent.
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
      // The first page is read at once; later ones wait for the cursor to rest, or each passed row would be read and drawn.
      effects.append(latents.previewed == nil && state.pages[id] == nil ? .loadPage(id) : .rest(on: id))
    }
    return effects
  }

  /// Shows a latent in the preview if the cursor is still on it.
  static func preview(_ id: Int, _ state: inout ExplorerState) {
    if id == state.latents.selectedID { state.latents.previewed = id }
  }

  /// Selects a latent in the table; if the filter hides it, a message says so.
  static func seek(_ id: Int, _ state: inout ExplorerState) -> [Effect] {
    guard let ids = state.latents.ids else {
      state.latents.target = id
      return []
    }
    guard let index = ids.firstIndex(of: id) else {
      state.tell("latent \(id) is not in the list: the filter hides it")
      return []
    }
    return select(index, &state)
  }
}
