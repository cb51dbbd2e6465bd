// Draws text inputs.

extension Canvas {
  /// Draws an editor in one row, scrolled so that the cursor is visible.
  /// - Returns: the cell of the cursor, for `Terminal.draw`; nil if the row has no room.
  @discardableResult
  public mutating func input(
    _ editor: LineEditor, label: String = "", placeholder: String = "", style: Style = .plain, in rect: Rect
  ) -> Point? {
    guard !rect.isEmpty else { return nil }
    fill(rect.line(0))
    let start = put(label, row: rect.row, column: rect.column, style: Style(.accent, .bold), clip: rect)
    let field = Rect(row: rect.row, column: start, rows: 1, columns: rect.endColumn - start)
    guard field.columns > 1 else { return nil }
    if editor.isEmpty {
      put(truncated(placeholder, to: field.columns - 1), row: rect.row, column: start + 1, style: .muted, clip: field)
      return Point(row: rect.row, column: start)
    }
    let before = displayWidth(editor.parts.before)
    let shift = max(0, before - field.columns + 1)
    put(editor.text, row: rect.row, column: start - shift, style: style, clip: field)
    return Point(row: rect.row, column: start + before - shift)
  }

  /// Draws an editor wrapped over all rows of `rect`, scrolled so that the cursor is visible.
  /// - Parameter breakLines: whether a line feed ends the row; it is shown as ↵ in both cases.
  /// - Returns: the cell of the cursor.
  @discardableResult
  public mutating func paragraph(
    _ editor: LineEditor, placeholder: String = "", style: Style = .plain, breakLines: Bool = false, in rect: Rect
  ) -> Point? {
    guard rect.rows > 0, rect.columns > 1 else { return nil }
    fill(rect)
    if editor.isEmpty {
      put(truncated(placeholder, to: rect.columns), row: rect.row, column: rect.column, style: .muted, clip: rect)
      return Point(row: rect.row, column: rect.column)
    }
    let (rows, cursor) = editor.wrapped(width: rect.columns, breakLines: breakLines)
    let top = max(0, cursor.row - rect.rows + 1)
    for (index, row) in rows.dropFirst(top).prefix(rect.rows).enumerated() {
      put(row, row: rect.row + index, column: rect.column, style: style, clip: rect)
    }
    return Point(row: rect.row + cursor.row - top, column: rect.column + cursor.column)
  }

}

extension LineEditor {
  /// The number of rows that `Canvas.paragraph` needs to show all of the text with its lines broken.
  public func rows(width: Int) -> Int {
    isEmpty || width < 2 ? 1 : wrapped(width: width, breakLines: true).rows.count
  }

  /// The text in rows, and the cell of the cursor. Rows break at cells, not at words, so that typing never moves text
  /// before the cursor.
  fileprivate func wrapped(width: Int, breakLines: Bool) -> (rows: [String], cursor: Point) {
    var rows = [""]
    var used = 0
    var cursor = Point(row: 0, column: 0)
    func breakRow() {
      rows.append("")
      used = 0
    }
    let (before, after) = parts
    for (part, isBefore) in [(before, true), (after, false)] {
      for character in part {
        forEachCluster(of: String(character)) { cluster in
          if used + cluster.width > width { breakRow() }
          rows[rows.count - 1] += cluster.text
          used += cluster.width
          return true
        }
        if breakLines, character.isNewline { breakRow() }
      }
      if isBefore {
        if used >= width { breakRow() }
        cursor = Point(row: rows.count - 1, column: used)
      }
    }
    return (rows, cursor)
  }
}
