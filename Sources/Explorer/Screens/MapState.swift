// The view state of the map: axes, window, cursor and box. It does not bin the points itself: that is an effect, since
// it goes over all points.

import Inference
import Reports
import Storage
import TUI

/// View state of the map.
struct MapState: Sendable, Equatable {
  var x = FilterColumn.column(.nuError)
  var y = FilterColumn.column(.nuReconstruction)
  var points: LatentPoints?
  /// What is to be seen; the bins may still be those of the window before.
  var window: MapWindow?
  var bins: MapBins?
  /// Cells of the plot, from its upper left corner.
  var cursor = Point(row: 0, column: 0)
  /// The box lies between this cell and the cursor's.
  var corner: Point?
  /// Among the latents under the cursor.
  var list = ListState()
  /// The latent that was selected where the map was opened.
  var origin: Int32?
  /// The cursor goes to this latent as soon as it is known where it is.
  var target: Int32?
  /// Where the mouse was pressed.
  var pressed: Point?
  /// Whether only the latents that the table lists are drawn, where it is filtered.
  var followsFilter = true
  /// The latents that were binned last; nil for all.
  var only: [Int32]?
  var usesBlocks = false
  var marksChatOnly = true
  /// Counts readings and binnings; an answer to an older one is dropped.
  var generation = 0

  /// The latents of the cell under the cursor, the most chat-specific first.
  var latentsHere: [Int32] { bins?.latents(row: cursor.row, column: cursor.column) ?? [] }

  var selectedID: Int32? {
    let here = latentsHere
    return here.indices.contains(list.selected) ? here[list.selected] : nil
  }

  /// The box as a part of the plane.
  var box: MapWindow? {
    guard let corner, let bins else { return nil }
    return bins.box(
      rows: min(corner.row, cursor.row)...max(corner.row, cursor.row),
      columns: min(corner.column, cursor.column)...max(corner.column, cursor.column))
  }

  /// What an axis can be: every column, then the store's own metrics.
  static func axes(_ store: StoreSummary) -> [FilterColumn] {
    LatentColumn.allCases.map { .column($0) } + store.metrics.map { .metric($0) }
  }

  /// Puts the map on top, its cursor on the latent that is selected now.
  static func open(_ state: inout ExplorerState) -> [Effect] {
    if state.screen != .map, let id = state.currentLatent, id != state.map.origin {
      state.map.origin = id
      state.map.target = id
    }
    let effects = state.show(.map)
    settle(&state)
    return effects + read(&state)
  }

  /// Other axes start with their usual window.
  static func setAxes(x: FilterColumn, y: FilterColumn, _ state: inout ExplorerState) -> [Effect] {
    (state.map.x, state.map.y) = (x, y)
    state.map.corner = nil
    state.map.generation += 1
    state.map.target = state.map.selectedID ?? state.map.origin
    return [.loadPoints(x: x, y: y, generation: state.map.generation)]
  }

  static func pointsArrived(_ points: LatentPoints, _ generation: Int, _ state: inout ExplorerState) -> [Effect] {
    guard generation == state.map.generation else { return [] }
    state.map.points = points
    state.map.bins = nil
    state.map.window = MapWindow(x: .usual(points.x), y: .usual(points.y))
    return bin(&state)
  }

  static func binsArrived(_ bins: MapBins, _ generation: Int, _ state: inout ExplorerState) -> [Effect] {
    guard generation == state.map.generation else { return [] }
    state.map.bins = bins
    settle(&state)
    return read(&state)
  }

  /// Asks for the points, or for bins where the plot has another size or window than those that are there.
  static func bin(_ state: inout ExplorerState) -> [Effect] {
    guard let points = state.map.points, let window = state.map.window else {
      return setAxes(x: state.map.x, y: state.map.y, &state)
    }
    let plot = MapLayout(state).plot
    let (columns, rows) = (max(1, plot.columns), max(1, plot.rows))
    let only = isFiltered(state) ? state.latents.ids : nil
    if let bins = state.map.bins, bins.window == window, bins.columns == columns, bins.rows == rows,
      state.map.only == only
    {
      return []
    }
    state.map.only = only
    state.map.generation += 1
    return [.bin(points, only: only, window, columns: columns, rows: rows, generation: state.map.generation)]
  }

  /// Whether the map leaves out what the table leaves out.
  static func isFiltered(_ state: ExplorerState) -> Bool {
    state.map.followsFilter && state.latents.query.isFiltered
  }

  /// Keeps cursor and box inside the plot, and goes to the target where there is one.
  private static func settle(_ state: inout ExplorerState) {
    guard let bins = state.map.bins else { return }
    func inside(_ point: Point) -> Point {
      Point(row: min(max(0, point.row), bins.rows - 1), column: min(max(0, point.column), bins.columns - 1))
    }
    state.map.cursor = inside(state.map.cursor)
    state.map.corner = state.map.corner.map(inside)
    guard let target = state.map.target else { return }
    state.map.target = nil
    guard let cell = bins.cell(of: target) else {
      state.tell(
        isFiltered(state)
          ? "latent \(target) is not in this window, or the table's filter leaves it out: f shows all"
          : "latent \(target) is not in this window: a shows all latents that have both values")
      return
    }
    state.map.cursor = Point(row: cell.row, column: cell.column)
    let here = state.map.latentsHere
    state.map.list = ListState()
    state.map.list.select(
      here.firstIndex(of: target) ?? 0, count: here.count, height: MapLayout(state).latents.rows)
  }

  static func move(to point: Point, _ state: inout ExplorerState) -> [Effect] {
    state.map.cursor = point
    state.map.list = ListState()
    settle(&state)
    return read(&state)
  }

  /// Selects among the latents under the cursor.
  static func select(_ index: Int, _ state: inout ExplorerState) -> [Effect] {
    state.map.list.select(index, count: state.map.latentsHere.count, height: MapLayout(state).latents.rows)
    return read(&state)
  }

  /// Reads the rows of the list that are not there yet.
  private static func read(_ state: inout ExplorerState) -> [Effect] {
    let here = state.map.latentsHere
    let visible = state.map.list.visible(count: here.count, height: MapLayout(state).latents.rows)
    let missing = visible.map { here[$0] }.filter { state.latents.rows[$0] == nil }
    return missing.isEmpty ? [] : [.loadRows(missing)]
  }

  /// Another window; a box belongs to the one in which it was drawn, the selected latent stays under the cursor.
  static func show(_ window: MapWindow, _ state: inout ExplorerState) -> [Effect] {
    if let points = state.map.points, let id = state.map.selectedID, let index = points.ids.firstIndex(of: id),
      window.x.contains(points.x[index]), window.y.contains(points.y[index])
    {
      state.map.target = id
    }
    state.map.window = window
    state.map.corner = nil
    state.map.list = ListState()
    return bin(&state)
  }

  /// The table, filtered by the box.
  static func filterByBox(_ box: MapWindow, _ state: inout ExplorerState) -> [Effect] {
    state.map.corner = nil
    let filter = box.filter(x: state.map.x, y: state.map.y)
    guard isFiltered(state) else { return LatentsState.show(filter: filter, &state) }
    // What was drawn had gone through the table's filter.
    let (before, latentClass) = (state.latents.query.filter, state.latents.query.latentClass)
    return LatentsState.show(
      filter: before.isEmpty ? filter : "(\(before)) and \(filter)", latentClass: latentClass, &state)
  }

  /// Puts the cursor on a latent, as soon as it is known where that lies.
  static func seek(_ id: Int32, _ state: inout ExplorerState) -> [Effect] {
    state.map.target = id
    return state.map.bins == nil ? [] : move(to: state.map.cursor, &state)
  }
}
