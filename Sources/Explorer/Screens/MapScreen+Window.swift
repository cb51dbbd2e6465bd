// Changes the part of the plane that the map shows by zooming, boxes and the mouse. A window stays within sizes at which its
// numbers can be told apart.

import Diffing
import Experiments
import Inference
import Storage
import TUI

extension MapScreen {
  /// Opens the latents under the cursor or the box, or shows another window.
  static func windowAction(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    guard let points = state.map.points, let bins = state.map.bins else { return [] }
    switch action {
    case .open, .corner:
      if let box = state.map.box { return MapState.filterByBox(box, &state) }
      if action == .corner {
        state.map.corner = state.map.cursor
      } else if let id = state.map.selectedID {
        return LatentState.open(id, &state)
      } else {
        state.tell("no latent is under the cursor")
      }
    case .zoomIn:
      if let box = state.map.box { return MapState.show(box, &state) }
      return zoom(by: 0.5, about: state.map.cursor, bins, &state)
    case .zoomOut: return zoom(by: 2, about: state.map.cursor, bins, &state)
    case .usualRange: return MapState.show(MapWindow(x: .usual(points.x), y: .usual(points.y)), &state)
    case .wholeRange: return MapState.show(MapWindow(x: .all(points.x), y: .all(points.y)), &state)
    default: break
    }
    return []
  }

  /// Zooms about a cell.
  private static func zoom(by factor: Double, about cell: Point, _ bins: MapBins, _ state: inout ExplorerState)
    -> [Effect]
  {
    guard let window = state.map.window else { return [] }
    func centre(_ span: MapSpan, _ index: Int, of count: Int) -> Double {
      (span.edge(index, of: count) + span.edge(index + 1, of: count)) / 2
    }
    var x = centre(window.x, cell.column, of: bins.columns)
    var y = centre(window.y, bins.rows - 1 - cell.row, of: bins.rows)
    // The zoom keeps the selected latent in its cell.
    if cell == state.map.cursor, let points = state.map.points, let id = state.map.selectedID,
      let index = points.ids.firstIndex(of: id)
    {
      (x, y) = (points.x[index], points.y[index])
    }
    let zoomed = MapWindow(x: window.x.scaled(by: factor, about: x), y: window.y.scaled(by: factor, about: y))
    let isFine = [zoomed.x, zoomed.y].allSatisfy { span in
      span.length > 1e-9 * max(1e-3, abs(span.low), abs(span.high)) && span.length < 1e12
    }
    guard isFine else {
      state.tell(factor < 1 ? "the map goes no closer than this" : "the map goes no farther than this")
      return []
    }
    return MapState.show(zoomed, &state)
  }

  /// A press moves the cursor or opens the selected latent of the list; dragging draws a box; the wheel zooms.
  @Sendable static func mouse(_ mouse: Mouse, _ state: inout ExplorerState) -> [Effect] {
    let layout = MapLayout(state)
    let cell = Point(row: mouse.point.row - layout.plot.row, column: mouse.point.column - layout.plot.column)
    guard let bins = state.map.bins else { return [] }
    if layout.plot.contains(mouse.point) {
      switch mouse.kind {
      case .press:
        state.map.pressed = cell
        state.map.corner = nil
        return MapState.move(to: cell, &state)
      case .release:
        let pressed = state.map.pressed
        state.map.pressed = nil
        guard let pressed, pressed != cell else { return [] }
        state.map.corner = pressed
        return MapState.move(to: cell, &state)
      case .wheelUp: return zoom(by: 0.5, about: cell, bins, &state)
      case .wheelDown: return zoom(by: 2, about: cell, bins, &state)
      }
    }
    guard layout.latents.contains(mouse.point) else { return [] }
    switch mouse.kind {
    case .wheelUp: return MapState.select(state.map.list.selected - 1, &state)
    case .wheelDown: return MapState.select(state.map.list.selected + 1, &state)
    case .press:
      let index = state.map.list.top + mouse.point.row - layout.latents.row
      guard index < state.map.latentsHere.count else { return [] }
      return index == state.map.list.selected ? state.perform(.open) : MapState.select(index, &state)
    case .release: return []
    }
  }
}
