// The positions of the cursor and the window in a list of known length.

/// A selected row and the first visible one. Both stay inside the list when it changes.
public struct ListState: Hashable, Sendable {
  /// The row under the cursor.
  public private(set) var selected: Int
  /// The first visible row.
  public private(set) var top: Int

  /// Sets both without a check; `select` makes them agree.
  public init(selected: Int = 0, top: Int = 0) {
    self.selected = max(0, selected)
    self.top = max(0, top)
  }

  /// Selects a row, clamped to `0..<count`, and scrolls as little as needed to show it in `height` rows.
  public mutating func select(_ index: Int, count: Int, height: Int) {
    selected = min(max(0, index), max(0, count - 1))
    let height = max(1, height)
    if selected < top { top = selected }
    if selected >= top + height { top = selected - height + 1 }
    top = min(max(0, top), max(0, count - height))
  }

  /// Moves the selection by some rows.
  public mutating func move(_ step: Int, count: Int, height: Int) {
    select(selected + step, count: count, height: height)
  }

  /// Moves the window without the selection, for text that is only read.
  public mutating func scroll(_ step: Int, count: Int, height: Int) {
    top = min(max(0, top + step), max(0, count - max(1, height)))
    selected = top
  }

  /// The rows that are visible.
  public func visible(count: Int, height: Int) -> Range<Int> {
    let start = min(top, max(0, count))
    return start..<min(count, start + max(0, height))
  }
}
