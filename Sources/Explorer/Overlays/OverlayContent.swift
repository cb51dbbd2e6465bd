// The form of all windows that lie over a screen. A new one is one file in Overlays/.

import TUI

/// A window over a screen that takes the keys until it is closed.
protocol OverlayContent: Sendable {
  /// The window's keys, for the key bar and for help.
  var hints: [KeyHint] { get }
  /// Takes a key or a paste and puts its changed value into `state.overlay`, or nil if it closes.
  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect]
  /// Draws it over the body and returns the cell of the text cursor, if there is one.
  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point?
  /// Closes it without doing what it was opened for.
  func close(_ state: inout ExplorerState)
}

extension OverlayContent {
  func close(_ state: inout ExplorerState) { state.overlay = nil }
}
