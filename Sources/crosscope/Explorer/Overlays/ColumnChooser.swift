// Choosing the columns of the table: which, in which order, how wide. Each change shows at once in the table above.

import Storage
import TUI

/// The list of columns, and where the cursor stands in it.
struct ColumnChooser: Sendable, Equatable {
  var field: TableField
}

extension ExplorerState {
  mutating func openColumns() {
    overlay = .columns(ColumnChooser(field: TableColumns.onScreen(self).shown.first?.field ?? .tags))
  }

  /// Those that show, from left to right, then the others.
  private var offeredColumns: [TableField] {
    let shown = TableColumns.onScreen(self).shown.map(\.field)
    return shown + TableField.all(store).filter { !shown.contains($0) }
  }

  mutating func typeIntoColumns(_ input: Input, _ before: ColumnChooser) -> [Effect] {
    var chooser = before
    let offered = offeredColumns
    let index = offered.firstIndex(of: chooser.field) ?? 0
    var columns = TableColumns.onScreen(self)
    guard case .key(let key) = input else { return [] }
    switch key {
    case "esc", "enter", "q", "C":
      overlay = nil
      return []
    case "down", "j": chooser.field = offered[min(index + 1, offered.count - 1)]
    case "up", "k": chooser.field = offered[max(index - 1, 0)]
    case "pgdn": chooser.field = offered[min(index + 10, offered.count - 1)]
    case "pgup": chooser.field = offered[max(index - 10, 0)]
    case "g", "home": chooser.field = offered[0]
    case "G", "end": chooser.field = offered[offered.count - 1]
    case "space":
      columns.toggle(chooser.field)
      // What sorts the table shows in any case, so hiding it would do nothing that can be seen.
      latents.columns = columns
      if TableColumns.onScreen(self).index(of: chooser.field) != nil, columns.index(of: chooser.field) == nil {
        tell("the table is sorted by it: it stays until another is chosen")
      }
    case "J", "shift-down", ">": columns.move(chooser.field, by: 1)
    case "K", "shift-up", "<": columns.move(chooser.field, by: -1)
    case "+", "=": columns.widen(chooser.field, by: 1, isWide: isWide)
    case "-", "_": columns.widen(chooser.field, by: -1, isWide: isWide)
    case "0":
      latents.columns = nil
      latents.firstColumn = 0
      overlay = .columns(chooser)
      return []
    default: return []
    }
    if columns != TableColumns.onScreen(self) { latents.columns = columns }
    overlay = .columns(chooser)
    return []
  }

  func draw(_ chooser: ColumnChooser, _ canvas: inout Canvas) -> Point? {
    let shown = TableColumns.onScreen(self)
    let offered = offeredColumns
    // The head of the table and some rows stay in view.
    let above = LatentsLayout(self).rows.row + 3 - body.row
    let place = body.split(top: min(above, body.rows / 2)).rest
    let inside = canvas.window(
      "Columns", size: Size(columns: min(70, body.columns - 6), rows: place.rows - 2), in: place)
    var window = ListState()
    let selected = offered.firstIndex(of: chooser.field) ?? 0
    window.select(selected, count: offered.count, height: inside.rows)
    for index in window.visible(count: offered.count, height: inside.rows) {
      let line = inside.line(index - window.top)
      let field = offered[index]
      let column = shown.index(of: field).map { shown.shown[$0] }
      let style: Style = column == nil ? .muted : .plain
      canvas.put(column == nil ? "[ ]" : "[x]", row: line.row, column: line.column, style: style, clip: line)
      canvas.put(
        truncated(plain(field.title, self), to: 16), row: line.row, column: line.column + 4,
        style: style, clip: line)
      let width = column?.width ?? field.usualWidth(isWide: isWide)
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

extension TableField {
  /// What the column holds, in a few words.
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
