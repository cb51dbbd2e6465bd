// The user chooses the columns of the table, their order and their widths; the table above shows each change at once.

import Diffing
import Inference
import Reports
import Storage
import TUI

/// The list of columns, and where the cursor stands in it.
struct ColumnChooser: Sendable, Equatable {
  var field: TableField
}

extension ColumnChooser: OverlayContent {
  var hints: [KeyHint] {
    [
      KeyHint("Space", "show/hide"), KeyHint("J K", "move"), KeyHint("+ -", "width"), KeyHint("0", "usual"),
      KeyHint("Esc", "close"),
    ]
  }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var chooser = self
    let offered = Self.offered(state)
    let index = offered.firstIndex(of: chooser.field) ?? 0
    var columns = TableColumns.onScreen(state)
    guard case .key(let key) = input else { return [] }
    switch key {
    case "esc", "enter", "q", "C":
      state.overlay = nil
      return []
    case "down", "j": chooser.field = offered[min(index + 1, offered.count - 1)]
    case "up", "k": chooser.field = offered[max(index - 1, 0)]
    case "pgdn": chooser.field = offered[min(index + 10, offered.count - 1)]
    case "pgup": chooser.field = offered[max(index - 10, 0)]
    case "g", "home": chooser.field = offered[0]
    case "G", "end": chooser.field = offered[offered.count - 1]
    case "space":
      columns.toggle(chooser.field)
      // A column that sorts the table is always shown, so hiding it would change nothing that can be seen.
      state.latents.columns = columns
      if TableColumns.onScreen(state).index(of: chooser.field) != nil, columns.index(of: chooser.field) == nil {
        state.tell("the table is sorted by this column: it stays until another is chosen")
      }
    case "J", "shift-down", ">": columns.move(chooser.field, by: 1)
    case "K", "shift-up", "<": columns.move(chooser.field, by: -1)
    case "+", "=": columns.widen(chooser.field, by: 1, isWide: state.isWide)
    case "-", "_": columns.widen(chooser.field, by: -1, isWide: state.isWide)
    case "0":
      state.latents.columns = nil
      state.latents.firstColumn = 0
      state.overlay = chooser
      return []
    default: return []
    }
    if columns != TableColumns.onScreen(state) { state.latents.columns = columns }
    state.overlay = chooser
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let shown = TableColumns.onScreen(state)
    let offered = Self.offered(state)
    // The head of the table and some rows stay in view.
    let above = LatentsLayout(state).rows.row + 3 - state.body.row
    let place = state.body.split(top: min(above, state.body.rows / 2)).rest
    let inside = canvas.window(
      "Columns", size: Size(columns: min(70, state.body.columns - 6), rows: place.rows - 2), in: place)
    var window = ListState()
    let selected = offered.firstIndex(of: field) ?? 0
    window.select(selected, count: offered.count, height: inside.rows)
    for index in window.visible(count: offered.count, height: inside.rows) {
      let line = inside.line(index - window.top)
      let field = offered[index]
      let column = shown.index(of: field).map { shown.shown[$0] }
      let style: Style = column == nil ? .muted : .plain
      canvas.put(column == nil ? "[ ]" : "[x]", row: line.row, column: line.column, style: style, clip: line)
      canvas.put(
        truncated(plain(field.title, state), to: 16), row: line.row, column: line.column + 4,
        style: style, clip: line)
      let width = column?.width ?? field.usualWidth(isWide: state.isWide)
      canvas.put(
        column == nil ? "" : width.map(String.init) ?? "rest", row: line.row, endingBefore: line.column + 26,
        style: .muted, clip: line)
      canvas.put(
        truncated(field.meaning, to: line.columns - 28), row: line.row, column: line.column + 28, style: .muted,
        clip: line)
      if index == selected { canvas.setGround(line, .selected) }
    }
    return nil
  }
}

extension ColumnChooser {
  /// The cursor is on the leftmost column.
  init(_ state: ExplorerState) { field = TableColumns.onScreen(state).shown.first?.field ?? .tags }

  /// The shown columns from left to right, then the others.
  private static func offered(_ state: ExplorerState) -> [TableField] {
    let shown = TableColumns.onScreen(state).shown.map(\.field)
    return shown + TableField.all(state.store).filter { !shown.contains($0) }
  }
}

extension TableField {
  /// The meaning of the column, in a few words.
  var meaning: String {
    switch self {
    case .column(let column): column.meaning
    case .metric: "metric of this store"
    case .latentClass: "chat-only, base-only, shared, other"
    case .tags: "tags, else what the latent is about"
    case .note: "whether there is a note"
    case .activations: "how often which activation occurs"
    }
  }
}
