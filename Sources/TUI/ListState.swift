// Where the cursor and the window stand in a list of known length.

/// A selected row and the first visible one. Both stay inside the list as it changes.
public struct ListState: Hashable, Sendable {
  /// The row under the cursor.
  public private(set) var selected: Int
  /// The first visible row.
  public private(set) var top: Int

  /// A cursor and a window; `select` brings them together.
  public init(selected: Int = 0, top: Int = 0) {
    self.selected = max(0, selected)
    self.top = max(0, top)
  }

  /// Selects a row, moved into `0..<count`, and scrolls as little as is needed to show it in `height` rows.
  public mutating func select(_ index: Int, count: Int, height: Int) {
    selected = min(max(0, index), max(0, count - 1))
    let height = max(1, height)
    if selected < top { top = selected }
    if selected >= top + height { top = selected - height + 1 }
    top = min(max(0, top), max(0, count - height))
  }

  /// Moves the selection by so many rows.
  public mutating func move(_ step: Int, count: Int, height: Int) {
    select(selected + step, count: count, height: height)
  }

  /// Moves the window without the selection, for text that is read and not chosen from.
  public mutating func scroll(_ step: Int, count: Int, height: Int) {
    top = min(max(0, top + step), max(0, count - max(1, height)))
    selected = top
  }

  /// Rows that show.
  public func visible(count: Int, height: Int) -> Range<Int> {
    let start = min(top, max(0, count))
    return start..<min(count, start + max(0, height))
  }
}
