// The map is a scatter plot of latents by two metrics, with a cursor and a box that becomes a filter of the table. MapBins says
// what lies where; drawing is in MapScreen+Draw.swift, zoom, box and mouse are in MapScreen+Window.swift.

import Diffing
import Reports
import Storage
import TUI

enum MapScreen {
  static let definition = ScreenDefinition(
    title: { _ in "Map" },
    bindings: [
      Binding(["enter"], .open, "open", "open the latent under the cursor, or list those of the box"),
      Binding(["v"], .corner, "box", "set a corner of a box; again, or Enter, lists its latents"),
      Binding(["+", "="], .zoomIn, "in", "zoom in about the cursor, or to the box"),
      Binding(["-", "_"], .zoomOut, "out", "zoom out about the cursor"),
      Binding(["x"], .xAxis, "axis", "choose what goes to the right"),
      Binding(["U"], .yAxis, "axis", "choose what goes up"),
      Binding(["tab", "]"], .nextLatent, "next", "go to the next latent under the cursor, or to the nearest"),
      Binding(
        ["shift-tab", "["], .previousLatent, nil, "go to the latent before it under the cursor",
        unavailable: Unavailable.noLatent),
      Binding(["s"], .steer, "steer", "steer with the latent alone", unavailable: Unavailable.noLatent),
      Binding(
        ["&"], .steerToo, "steer too", "steer with the latent beside those on the steer screen",
        unavailable: Unavailable.noLatent),
      Binding(["X"], .swapAxes, nil, "swap the axes"),
      Binding(["0"], .usualRange, nil, "show the usual window: all latents but a few far away"),
      Binding(["a"], .wholeRange, nil, "show a window with every latent"),
      Binding(
        ["f"], .followFilter, nil, "show all latents, or those that the table's filter lets through",
        unavailable: { $0.latents.query.isFiltered ? nil : "the table has no filter" }),
      Binding(["c"], .chatMarks, nil, "mark chat-only latents, or show the density there too"),
      Binding(["b"], .glyphs, nil, "draw braille dots or plain blocks"),
      Binding(["h", "left"], .left, nil, "left"),
      Binding(["l", "right"], .right, nil, "right"),
      Binding(["t"], .tag, nil, "tag the latent", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["n"], .note, nil, "write a note", unavailable: Unavailable.noLatentOrReadOnly),
    ] + GeneralBindings.moving,
    perform: perform,
    mouse: mouse,
    appear: { MapState.bin(&$0) },
    draw: draw, copy: copy,
    latent: { $0.map.selectedID },
    open: { latent, state in
      let effects = MapState.open(&state)
      return effects + (latent.map { MapState.seek($0, &state) } ?? [])
    },
    back: { state in
      guard state.map.corner != nil else { return nil }
      state.map.corner = nil
      return []
    })

  @Sendable private static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    let cursor = state.map.cursor
    func moved(rows: Int = 0, columns: Int = 0) -> [Effect] {
      MapState.move(to: Point(row: cursor.row + rows, column: cursor.column + columns), &state)
    }
    switch action {
    case .left: return moved(columns: -1)
    case .right: return moved(columns: 1)
    case .up: return moved(rows: -1)
    case .down: return moved(rows: 1)
    case .pageUp: return moved(rows: -5)
    case .pageDown: return moved(rows: 5)
    case .first: return moved(columns: -cursor.column)
    case .last: return moved(columns: state.map.bins?.columns ?? 0)
    case .nextLatent:
      if state.map.selectedID == nil, let cell = state.map.bins?.nearest(row: cursor.row, column: cursor.column) {
        return MapState.move(to: Point(row: cell.row, column: cell.column), &state)
      }
      return MapState.select(state.map.list.selected + 1, &state)
    case .previousLatent: return MapState.select(state.map.list.selected - 1, &state)
    case .xAxis, .yAxis: state.overlay = Chooser(.axis(isX: action == .xAxis), state)
    case .swapAxes: return MapState.setAxes(x: state.map.y, y: state.map.x, &state)
    case .followFilter:
      state.map.followsFilter.toggle()
      return MapState.bin(&state)
    case .glyphs: state.map.usesBlocks.toggle()
    case .chatMarks: state.map.marksChatOnly.toggle()
    default: return windowAction(action, &state)
    }
    return []
  }

  /// The selected latent's id, or the ids of its whole cell.
  @Sendable static func copy(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    let ids = whole ? state.map.latentsHere : state.map.selectedID.map { [$0] } ?? []
    guard let first = ids.first else { return nil }
    let what = ids.count == 1 ? "the id of latent \(first)" : "the ids of \(ids.count) latents"
    return CopiedText(what: what, text: ids.map(String.init).joined(separator: " "))
  }
}
