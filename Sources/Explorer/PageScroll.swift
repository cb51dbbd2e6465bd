// How keys and the mouse scroll a screen that is one long page, the same on every such screen. `ListState` does it for
// screens that are lists.

import TUI

enum PageScroll {
  /// How many lines a turn of the wheel scrolls.
  private static let wheel = 3

  /// How many lines an action scrolls down, or up if it is negative; nil for actions that do not move. The first and the
  /// last line are farther away than any page is long.
  static func lines(_ action: Action, page: Int) -> Int? {
    switch action {
    case .down: 1
    case .up: -1
    case .pageDown: page
    case .pageUp: -page
    case .first: -Int.max / 2
    case .last: Int.max / 2
    default: nil
    }
  }

  /// How many lines the mouse scrolls; nil if it does something else.
  static func lines(_ mouse: Mouse) -> Int? {
    switch mouse.kind {
    case .wheelUp: -wheel
    case .wheelDown: wheel
    default: nil
    }
  }
}
