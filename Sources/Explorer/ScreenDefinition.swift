// The form of a screen, as data. The shell asks these fields and knows no screen by its name.

import TUI

/// A screen: its bindings and what it does. What only some screens need has a default.
struct ScreenDefinition: Sendable {
  /// For breadcrumbs and help.
  let title: @Sendable (ExplorerState) -> String
  let bindings: [Binding]
  /// Performs an action of its bindings, or one of moving.
  let perform: @Sendable (Action, inout ExplorerState) -> [Effect]
  /// Takes a key as text while something is typed; nil if the key is not text here.
  var type: @Sendable (Input, inout ExplorerState) -> [Effect]? = { _, _ in nil }
  /// The keys beside those that are text; nil while no key is text.
  var typing: @Sendable (ExplorerState) -> TypingKeys? = { _ in nil }
  /// Takes the mouse.
  var mouse: @Sendable (Mouse, inout ExplorerState) -> [Effect] = { _, _ in [] }
  /// What is to be done when it comes to the top, or the size changes.
  var appear: @Sendable (inout ExplorerState) -> [Effect] = { _ in [] }
  /// What follows from any event while the screen is on top.
  var follow: @Sendable (inout ExplorerState) -> [Effect] = { _ in [] }
  /// Draws the body; returns the cell of the text cursor, if there is one.
  let draw: @Sendable (ExplorerState, inout Canvas, Rect) -> Point?
  /// How far long work goes that was started on the screen, for the status line of every screen; nil where the name of
  /// the work says enough.
  var progress: @Sendable (ExplorerState) -> String? = { _ in nil }
  /// What the status line says while there is no message: what is wrong with a text that is typed.
  var complaint: @Sendable (ExplorerState) -> String? = { _ in nil }
  /// What is copied: the selected thing, or all of it; nil for nothing.
  var copy: @Sendable (ExplorerState, _ whole: Bool) -> CopiedText? = { _, _ in nil }
  /// Its rows, where counts may go to one.
  var cursor: RowCursor?

  // MARK: What it is about

  /// The latent under the cursor or on the page.
  var latent: @Sendable (ExplorerState) -> Int32? = { _ in nil }
  /// The latents whose pages are on view, if these are not just `latent`.
  var shown: (@Sendable (ExplorerState) -> [Int32])?
  /// The latents that tags and steering are about, if these are not those on view.
  var targets: (@Sendable (ExplorerState) -> [Int32])?
  /// The text that goes to the user's editor, if it is not the latent's note.
  var outside: (@Sendable (ExplorerState) -> EditRequest)?
  /// What undo takes back and redo brings again, if it is not a change of the store.
  var undo: (@Sendable (_ redo: Bool, inout ExplorerState) -> [Effect])?

  // MARK: Coming and going

  /// Goes to the screen, to a latent on it if there is one. What is not said here cannot be gone to: the table comes up.
  var open: @Sendable (_ latent: Int32?, inout ExplorerState) -> [Effect] = { _, state in state.showLatents() }
  /// Whether each latent on it is a place of its own, so that going from one to another can be taken back.
  var hasPlaceForEachLatent = false
  /// What Esc and q do before they leave the screen; nil where there is nothing left to do.
  var back: @Sendable (inout ExplorerState) -> [Effect]? = { _ in nil }
  /// Ends what was started on the screen and still runs, also while another one is on top; nil where nothing runs.
  var cancel: @Sendable (inout ExplorerState) -> [Effect]? = { _ in nil }
  /// What another screen that comes to the top puts an end to.
  var leave: @Sendable (inout ExplorerState) -> Void = { _ in }
}

/// Keys that mean something while others are text.
struct TypingKeys: Sendable {
  /// For the key bar.
  var bar: [KeyHint]
  /// For help; nil where help does not list them.
  var help: [KeyHint]?

  /// The keys of a line that filters a list.
  static let filterLine = [KeyHint("Enter", "keep"), KeyHint("Esc", "clear"), KeyHint("Ctrl-U", "empty line")]
}

/// How a screen moves its cursor to a row, for counts: `12G`, `5j`.
struct RowCursor: Sendable {
  /// The row that the cursor is on; nil while keys do not move among rows.
  let selected: @Sendable (ExplorerState) -> Int?
  /// Goes to a row, or to the nearest there is.
  let select: @Sendable (Int, inout ExplorerState) -> [Effect]
}
