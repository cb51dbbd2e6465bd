// The view state of the map: axes, window, cursor and box. An effect assigns the points to cells, since that is a pass over all
// points.

import Inference
import Reports
import Storage
import TUI

/// View state of the map.
struct MapState: Sendable, Equatable {
  var x = FilterColumn.column(.nuError)
  var y = FilterColumn.column(.nuReconstruction)
  var points: LatentPoints?
  /// The window to show; the bins may still be those of the former one.
  var window: MapWindow?
  var bins: MapBins?
  /// The cell under the cursor, counted from the plot's upper left corner.
  var cursor = Point(row: 0, column: 0)
  /// The box lies between this cell and the cursor's.
  var corner: Point?
  /// The cursor among the latents of the cell.
  var list = ListState()
  /// The latent that was selected when the map was opened.
  var origin: Int?
  /// The cursor goes to this latent as soon as its cell is known.
  var target: Int?
  /// The cell in which the mouse was pressed.
  var pressed: Point?
  /// Whether the map only draws the latents that the filtered table lists.
  var followsFilter = true
  /// The latents of the last bins; nil for all.
  var only: [Int]?
  var usesBlocks = false
  var marksChatOnly = true
  /// Counts requests for points and bins; an answer to an older one is dropped.
  var generation = 0

  /// The latents of the cell under the cursor, the most chat-specific first.
  var latentsHere: [Int] { bins?.latents(row: cursor.row, column: cursor.column) ?? [] }

  var selectedID: Int? {
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

  /// The possible axes: every column, then the store's own metrics.
  static func axes(_ store: StoreSummary) -> [FilterColumn] {
    LatentColumn.allCases.map { .column($0) } + store.metrics.map { .metric($0) }
  }

  /// Puts the map on top, with its cursor on the selected latent.
  static func open(_ state: inout ExplorerState) -> [Effect] {
    if state.screen != .map, let id = state.currentLatent, id != state.map.origin {
      state.map.origin = id
      state.map.target = id
    }
    let effects = state.show(.map)
    settle(&state)
    return effects + read(&state)
  }

  /// Sets the axes, which start with their default window.
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

  /// Asks for the points, or for bins if the plot's size or window has changed.
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

  /// Whether the map leaves out the latents that the table leaves out.
  static func isFiltered(_ state: ExplorerState) -> Bool {
    state.map.followsFilter && state.latents.query.isFiltered
  }

  /// Keeps cursor and box inside the plot, and goes to the target if there is one.
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

  /// Reads the missing rows of the list.
  private static func read(_ state: inout ExplorerState) -> [Effect] {
    let here = state.map.latentsHere
    let visible = state.map.list.visible(count: here.count, height: MapLayout(state).latents.rows)
    let missing = visible.map { here[$0] }.filter { state.latents.rows[$0] == nil }
    return missing.isEmpty ? [] : [.loadRows(missing)]
  }

  /// Shows another window without the box. The selected latent stays under the cursor.
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

  /// Shows the table filtered by the box.
  static func filterByBox(_ box: MapWindow, _ state: inout ExplorerState) -> [Effect] {
    state.map.corner = nil
    let filter = box.filter(x: state.map.x, y: state.map.y)
    guard isFiltered(state) else { return LatentsState.show(filter: filter, &state) }
    // The map had applied the table's filter, so it stays part of the new one.
    let (before, latentClass) = (state.latents.query.filter, state.latents.query.latentClass)
    return LatentsState.show(
      filter: before.isEmpty ? filter : "(\(before)) and \(filter)", latentClass: latentClass, &state)
  }

  /// Puts the cursor on a latent as soon as its cell is known.
  static func seek(_ id: Int, _ state: inout ExplorerState) -> [Effect] {
    state.map.target = id
    return state.map.bins == nil ? [] : move(to: state.map.cursor, &state)
  }
}
