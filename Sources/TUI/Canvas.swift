// A grid of styled cells, which is a value: screens draw into it, Terminal sends what changed, tests compare it. Every
// cell has width 1, or is the first of a wide pair and is followed by its empty second half. Text is cut at the edges
// and at the clip; a wide character that would be halved becomes a blank.

/// One cell of a canvas.
public struct Cell: Equatable, Sendable {
  /// One base scalar with its marks; empty in the second half of a wide character.
  public internal(set) var text: String
  /// The style it is drawn in.
  public internal(set) var style: Style
  /// 1, 2 for the first half of a wide character, 0 for its second half.
  public internal(set) var width: UInt8

  static let blank = Cell(text: " ", style: .plain, width: 1)
}

/// A grid of styled cells.
public struct Canvas: Equatable, Sendable {
  /// The size, which is never negative.
  public let size: Size
  /// Whether only ASCII is drawn; other characters are then replaced by `asciiLikeness`.
  public let asciiOnly: Bool
  /// Whether a screen reader reads it: ASCII only, no bars, frames, rules or dots, and `>` starts the selected line.
  public let isSpoken: Bool
  /// The first cell of the selection; if several things were selected, that of the last one drawn.
  public private(set) var selection: Point?
  private var cells: [Cell]

  /// Makes a blank canvas; negative extents become 0.
  public init(size: Size, asciiOnly: Bool = false, isSpoken: Bool = false) {
    self.size = Size(columns: max(0, size.columns), rows: max(0, size.rows))
    self.asciiOnly = asciiOnly || isSpoken
    self.isSpoken = isSpoken
    cells = [Cell](repeating: .blank, count: self.size.columns * self.size.rows)
  }

  /// The rectangle of all cells.
  public var bounds: Rect { Rect(row: 0, column: 0, rows: size.rows, columns: size.columns) }

  /// The cell at a place inside `bounds`.
  public subscript(row: Int, column: Int) -> Cell {
    precondition(row >= 0 && row < size.rows && column >= 0 && column < size.columns, "cell outside the canvas")
    return cells[row * size.columns + column]
  }

  /// Writes text from a cell to the right. `termSafe` makes it safe; it is cut at `clip` and at the edges.
  /// - Returns: the column behind the text as if its left part had not been cut off, but at most the end of the clip.
  @discardableResult
  public mutating func put(
    _ text: String, row: Int, column: Int, style: Style = .plain, clip: Rect? = nil
  ) -> Int {
    let area = clip ?? bounds
    let left = max(0, area.column)
    let right = min(size.columns, area.endColumn)
    guard row >= max(0, area.row), row < min(size.rows, area.endRow), left < right, column < right else {
      return column
    }
    var at = column
    forEachCluster(of: text) { cluster in
      let end = at + cluster.width
      if end > right {
        while at < right {
          if at >= left { set(Cell(text: " ", style: style, width: 1), row: row, column: at) }
          at += 1
        }
        return false
      }
      if at >= left {
        place(cluster, row: row, column: at, style: style)
      } else if end > left {
        set(Cell(text: " ", style: style, width: 1), row: row, column: left)
      }
      at = end
      return at < right
    }
    return at
  }

  /// Writes text so that it ends before `endColumn`.
  public mutating func put(
    _ text: String, row: Int, endingBefore endColumn: Int, style: Style = .plain, clip: Rect? = nil
  ) {
    put(text, row: row, column: endColumn - displayWidth(text), style: style, clip: clip)
  }

  /// Fills a rectangle with blanks, or other text, in a style.
  public mutating func fill(_ rect: Rect, style: Style = .plain, with text: String = " ") {
    let area = inside(rect)
    for row in area.row..<area.endRow {
      for column in area.column..<area.endColumn {
        put(text, row: row, column: column, style: style, clip: area)
      }
    }
  }

  /// Changes the background of a rectangle; cells with a background other than plain keep theirs.
  public mutating func setGround(_ rect: Rect, _ ground: Role) {
    let area = inside(rect)
    if ground == .selected, !area.isEmpty { select(Point(row: area.row, column: area.column)) }
    for row in area.row..<area.endRow {
      for column in area.column..<area.endColumn {
        let index = row * size.columns + column
        if cells[index].style.background == .plain { cells[index].style.background = ground }
      }
    }
  }

  /// Records where the selected line begins; for a screen reader `>` is put there, or into the blank before it.
  public mutating func select(_ point: Point) {
    selection = point
    guard isSpoken, self[point.row, point.column].text != ">" else { return }
    if self[point.row, point.column].text == " " {
      put(">", row: point.row, column: point.column)
    } else if point.column > 0, self[point.row, point.column - 1].text == " " {
      put(">", row: point.row, column: point.column - 1)
    }
  }

  private func inside(_ rect: Rect) -> Rect {
    let row = min(max(0, rect.row), size.rows)
    let column = min(max(0, rect.column), size.columns)
    return Rect(
      row: row, column: column, rows: min(size.rows, rect.endRow) - row,
      columns: min(size.columns, rect.endColumn) - column)
  }

  private mutating func place(_ cluster: CellCluster, row: Int, column: Int, style: Style) {
    if asciiOnly, !(cluster.text.utf8.allSatisfy { $0 < 0x80 }) {
      let blank = String(repeating: " ", count: cluster.width)
      let likeness = isSpoken && isDrawing(cluster.text) ? blank : asciiLikeness(of: cluster)
      for (offset, character) in likeness.enumerated() {
        set(Cell(text: String(character), style: style, width: 1), row: row, column: column + offset)
      }
      return
    }
    set(Cell(text: cluster.text, style: style, width: UInt8(cluster.width)), row: row, column: column)
    if cluster.width == 2 {
      set(Cell(text: "", style: style, width: 0), row: row, column: column + 1)
    }
  }

  /// Stores a cell; a wide character that loses one half becomes blank.
  private mutating func set(_ cell: Cell, row: Int, column: Int) {
    let index = row * size.columns + column
    let former = cells[index]
    if former.width == 0, cell.width != 0, column > 0 {
      cells[index - 1] = Cell(text: " ", style: cells[index - 1].style, width: 1)
    }
    if former.width == 2, column + 1 < size.columns {
      cells[index + 1] = Cell(text: " ", style: cells[index + 1].style, width: 1)
    }
    cells[index] = cell
  }
}

/// Whether this is a frame, rule, block, shade or braille dot, which a screen reader would read out one by one.
private func isDrawing(_ text: String) -> Bool {
  text.unicodeScalars.first.map { (0x2500...0x259F).contains($0.value) || (0x2800...0x28FF).contains($0.value) }
    ?? false
}
