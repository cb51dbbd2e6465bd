// How keys and the mouse move the cursor of a screen that is a list, the same on every such screen. A row outside of
// the list is brought into it when it is selected.

import Experiments
import Inference
import TUI

extension ListState {
  /// How many rows a turn of the wheel moves.
  private static let wheel = 3

  /// The row that an action leads to; nil for actions that do not move.
  func row(after action: Action, count: Int, height: Int) -> Int? {
    switch action {
    case .down: selected + 1
    case .up: selected - 1
    case .pageDown: selected + height
    case .pageUp: selected - height
    case .first: 0
    case .last: count - 1
    default: nil
    }
  }

  /// The row that the mouse selects in a list drawn in `rows`; nil if it selects none. If it is the selected row, that
  /// row was pressed again, which opens it.
  func row(after mouse: Mouse, in rows: Rect, count: Int) -> Int? {
    switch mouse.kind {
    case .wheelUp: return selected - Self.wheel
    case .wheelDown: return selected + Self.wheel
    case .press where rows.contains(mouse.point):
      let index = top + mouse.point.row - rows.row
      return index < count ? index : nil
    default: return nil
    }
  }
}
