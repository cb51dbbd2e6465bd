// A table with a head, columns of fixed or shared width, and one selected row.

/// A column of a table.
public struct TableColumn: Sendable {
  /// How text is aligned in its column.
  public enum Alignment: Sendable { case left, right }
  /// The title in the table's head.
  public var title: String
  /// The width in cells; nil takes what the other columns leave.
  public var width: Int?
  /// How its text is aligned.
  public var alignment: Alignment
  /// Whether the table is sorted by this column: an arrow shows it, pointing down for descending.
  public var sorted: Sorted
  /// The rank of this column among several sort keys, from 1; nil if it is the only one.
  public var sortKey: Int?

  /// Whether and which way the table is sorted by a column.
  public enum Sorted: Sendable { case no, ascending, descending }

  /// Makes a column; see the properties.
  public init(
    _ title: String, width: Int?, _ alignment: Alignment = .left, sorted: Sorted = .no, sortKey: Int? = nil
  ) {
    self.title = title
    self.width = width
    self.alignment = alignment
    self.sorted = sorted
    self.sortKey = sortKey
  }

  /// The title within `columns` cells: if there is no room, the title is cut and the arrow stays.
  func head(columns: Int) -> String {
    guard sorted != .no else { return truncated(title, to: columns) }
    let arrow = (sorted == .ascending ? "▲" : "▼") + (sortKey.map(String.init) ?? "")
    return truncated(title, to: max(0, columns - displayWidth(arrow))) + arrow
  }

  /// The areas of the columns; empty for columns that do not fit. The flexible column first shrinks to 8 cells, then
  /// columns are left out from the right.
  public static func areas(_ columns: [TableColumn], in rect: Rect) -> [Rect] {
    var shown = columns.count
    func fixed(_ n: Int) -> Int { columns.prefix(n).reduce(0) { $0 + ($1.width ?? 8) } + max(0, n - 1) }
    while shown > 1, fixed(shown) > rect.columns { shown -= 1 }
    let spare = max(0, rect.columns - fixed(shown))
    let flexible = max(1, columns.prefix(shown).filter { $0.width == nil }.count)
    var at = rect.column
    return columns.enumerated().map { index, column in
      guard index < shown else { return Rect(row: rect.row, column: at, rows: 0, columns: 0) }
      let width = column.width ?? 8 + spare / flexible
      defer { at += width + 1 }
      return Rect(row: rect.row, column: at, rows: rect.rows, columns: min(width, rect.endColumn - at))
    }
  }
}

/// The content of a cell of a table.
public enum TableCell: Sendable {
  case text(String, Style = .plain)
  /// A bar of this fraction after its value, which takes `valueWidth` cells.
  case bar(Double, value: String, valueWidth: Int, Style = Style(.accent))
}

extension Canvas {
  /// Draws the head and the visible rows, for which alone it calls `row`; columns stand as in `TableColumn.areas`.
  public mutating func table(
    _ columns: [TableColumn], count: Int, state: ListState, in rect: Rect, row: (Int) -> [TableCell]
  ) {
    let areas = TableColumn.areas(columns, in: isSpoken ? rect.split(left: 2).rest : rect)
    let (head, body) = rect.split(top: 1)
    for (column, area) in zip(columns, areas) where !area.isEmpty {
      let style = column.sorted == .no ? Style(.muted) : Style(.title, .bold)
      write(
        column.head(columns: area.columns), column.alignment, style: style,
        in: Rect(row: head.row, column: area.column, rows: head.rows, columns: area.columns))
    }
    for index in state.visible(count: count, height: body.rows) {
      let line = body.line(index - state.top)
      for ((cell, column), area) in zip(zip(row(index), columns), areas) where !area.isEmpty {
        draw(cell, column, in: Rect(row: line.row, column: area.column, rows: 1, columns: area.columns))
      }
      if index == state.selected { setGround(line, .selected) }
    }
  }

  private mutating func draw(_ cell: TableCell, _ column: TableColumn, in area: Rect) {
    switch cell {
    case .text(let text, let style): write(text, column.alignment, style: style, in: area)
    case .bar(let fraction, let value, let valueWidth, let style):
      let (number, rest) = area.split(left: valueWidth, gap: 1)
      write(value, .right, style: .plain, in: number)
      bar(fraction, in: rest, style: style)
    }
  }

  private mutating func write(_ text: String, _ alignment: TableColumn.Alignment, style: Style, in area: Rect) {
    let short = truncated(text, to: area.columns)
    if alignment == .left {
      put(short, row: area.row, column: area.column, style: style, clip: area)
    } else {
      put(short, row: area.row, endingBefore: area.endColumn, style: style, clip: area)
    }
  }
}
