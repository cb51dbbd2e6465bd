// The form of a screen: its bindings and what it does, as data.

import TUI

/// A screen as data: its bindings and what it does.
struct ScreenDefinition: Sendable {
  /// For breadcrumbs and help.
  let title: @Sendable (ExplorerState) -> String
  let bindings: [Binding]
  /// Performs an action of its bindings, or one of moving.
  let perform: @Sendable (Action, inout ExplorerState) -> [Effect]
  /// Takes a key as text while something is typed; nil if the key is not text here.
  let type: @Sendable (Input, inout ExplorerState) -> [Effect]?
  /// Takes the mouse.
  let mouse: @Sendable (Mouse, inout ExplorerState) -> [Effect]
  /// What is to be done when it comes to the top, or the size changes.
  let appear: @Sendable (inout ExplorerState) -> [Effect]
  /// Draws the body; returns the cell of the text cursor, if there is one.
  let draw: @Sendable (ExplorerState, inout Canvas, Rect) -> Point?
  /// What is copied: the selected thing, or all of it; nil for nothing.
  var copy: @Sendable (ExplorerState, _ whole: Bool) -> CopiedText? = { _, _ in nil }
  /// Its rows, where counts may go to one.
  var cursor: RowCursor?
}

/// How a screen moves its cursor to a row, for counts: `12G`, `5j`.
struct RowCursor: Sendable {
  /// The row that the cursor is on; nil while keys do not move among rows.
  let selected: @Sendable (ExplorerState) -> Int?
  /// Goes to a row, or to the nearest there is.
  let select: @Sendable (Int, inout ExplorerState) -> [Effect]
}
