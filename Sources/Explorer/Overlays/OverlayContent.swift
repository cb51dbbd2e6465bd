// What lies over a screen: the form of all such windows. A new one is one file in Overlays/.

import TUI

/// A window over a screen that takes the keys until it is closed.
protocol OverlayContent: Sendable {
  /// Its keys, for the key bar and for help.
  var hints: [KeyHint] { get }
  /// Takes a key or a paste. What has changed is put into `state.overlay`, and nil where the overlay closes.
  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect]
  /// Draws it over the body; returns the cell of the text cursor, if there is one.
  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point?
  /// Takes it away, without doing what it was opened for.
  func close(_ state: inout ExplorerState)
}

extension OverlayContent {
  func close(_ state: inout ExplorerState) { state.overlay = nil }
}
