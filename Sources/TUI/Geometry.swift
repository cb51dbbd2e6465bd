// Rows, columns and rectangles of cells. Rows count downwards from 0, columns to the right from 0.

/// A size in cells.
public struct Size: Hashable, Sendable {
  /// The number of cells in a row.
  public var columns: Int
  /// The number of cells in a column.
  public var rows: Int

  /// Makes a size without checking it.
  public init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
  }
}

/// The place of a cell.
public struct Point: Hashable, Sendable {
  /// The row, counted from 0 at the top.
  public var row: Int
  /// The column, counted from 0 at the left.
  public var column: Int

  /// Makes a place without checking it.
  public init(row: Int, column: Int) {
    self.row = row
    self.column = column
  }
}

/// A rectangle of cells whose extents are never negative.
public struct Rect: Hashable, Sendable {
  /// The first row.
  public var row: Int
  /// The first column.
  public var column: Int
  /// The number of rows.
  public var rows: Int
  /// The number of columns.
  public var columns: Int

  /// Makes a rectangle; negative extents become 0.
  public init(row: Int, column: Int, rows: Int, columns: Int) {
    self.row = row
    self.column = column
    self.rows = max(0, rows)
    self.columns = max(0, columns)
  }

  /// The row below the last.
  public var endRow: Int { row + rows }
  /// The column behind the last.
  public var endColumn: Int { column + columns }
  /// Whether there is no cell in it.
  public var isEmpty: Bool { rows == 0 || columns == 0 }

  /// Whether it contains a cell.
  public func contains(_ point: Point) -> Bool {
    point.row >= row && point.row < endRow && point.column >= column && point.column < endColumn
  }

  /// One of its rows, counted from its top; empty beyond its end.
  public func line(_ index: Int) -> Rect {
    Rect(row: row + index, column: column, rows: index >= 0 && index < rows ? 1 : 0, columns: columns)
  }

  /// The rectangle without `r` rows and `c` columns on each side.
  public func inset(rows r: Int = 0, columns c: Int = 0) -> Rect {
    Rect(row: row + r, column: column + c, rows: rows - 2 * r, columns: columns - 2 * c)
  }

  /// The upper `count` rows and the rest; the upper part is never higher than the whole.
  public func split(top count: Int) -> (top: Rect, rest: Rect) {
    let n = min(max(0, count), rows)
    return (
      Rect(row: row, column: column, rows: n, columns: columns),
      Rect(row: row + n, column: column, rows: rows - n, columns: columns)
    )
  }

  /// The rest and the lower `count` rows.
  public func split(bottom count: Int) -> (rest: Rect, bottom: Rect) {
    let parts = split(top: rows - min(max(0, count), rows))
    return (parts.top, parts.rest)
  }

  /// The left `count` columns, and what follows them after a gap.
  public func split(left count: Int, gap: Int = 0) -> (left: Rect, rest: Rect) {
    let n = min(max(0, count), columns)
    return (
      Rect(row: row, column: column, rows: rows, columns: n),
      Rect(row: row, column: column + n + gap, rows: rows, columns: columns - n - gap)
    )
  }

  /// A rectangle of at most this size in its middle.
  func centred(_ size: Size) -> Rect {
    let r = min(size.rows, rows)
    let c = min(size.columns, columns)
    return Rect(row: row + (rows - r) / 2, column: column + (columns - c) / 2, rows: r, columns: c)
  }
}
