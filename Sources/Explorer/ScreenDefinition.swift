// The form of a screen as data. The shell reads these fields and does not depend on any particular screen.

import TUI

/// A screen: its bindings and its behaviour. Fields that only some screens need have a default.
struct ScreenDefinition: Sendable {
  /// The title in breadcrumbs and help.
  let title: @Sendable (ExplorerState) -> String
  let bindings: [Binding]
  /// Performs an action of its bindings or a move.
  let perform: @Sendable (Action, inout ExplorerState) -> [Effect]
  /// Takes a key as text while something is typed; nil if the key is not text here.
  var type: @Sendable (Input, inout ExplorerState) -> [Effect]? = { _, _ in nil }
  /// The keys that are not text while something is typed; nil while no key is text.
  var typing: @Sendable (ExplorerState) -> TypingKeys? = { _ in nil }
  /// Takes the mouse.
  var mouse: @Sendable (Mouse, inout ExplorerState) -> [Effect] = { _, _ in [] }
  /// The effects when the screen comes to the top or the size changes.
  var appear: @Sendable (inout ExplorerState) -> [Effect] = { _ in [] }
  /// The effects after any event while the screen is on top.
  var follow: @Sendable (inout ExplorerState) -> [Effect] = { _ in [] }
  /// Draws the body and returns the cell of the text cursor, if there is one.
  let draw: @Sendable (ExplorerState, inout Canvas, Rect) -> Point?
  /// The progress of long work that was started on the screen, for the status line of every screen; nil if the name of
  /// the work says enough.
  var progress: @Sendable (ExplorerState) -> String? = { _ in nil }
  /// The text of the status line while there is no message: what is wrong with a typed text.
  var complaint: @Sendable (ExplorerState) -> String? = { _ in nil }
  /// The text to copy: the selected thing, or everything; nil if there is nothing.
  var copy: @Sendable (ExplorerState, _ whole: Bool) -> CopiedText? = { _, _ in nil }
  /// The rows of the screen, if a count can go to one.
  var cursor: RowCursor?

  // MARK: What it is about

  /// The latent under the cursor or on the page.
  var latent: @Sendable (ExplorerState) -> Int? = { _ in nil }
  /// The latents whose pages are on view, if these are not just `latent`.
  var shown: (@Sendable (ExplorerState) -> [Int])?
  /// The latents that tags and steering apply to, if these are not those on view.
  var targets: (@Sendable (ExplorerState) -> [Int])?
  /// The text that goes to the user's editor, if it is not the latent's note.
  var outside: (@Sendable (ExplorerState) -> EditRequest)?
  /// Undoes or redoes a change that is not one of the store.
  var undo: (@Sendable (_ redo: Bool, inout ExplorerState) -> [Effect])?

  // MARK: Coming and going

  /// Goes to the screen and, if given, to a latent on it. The default shows the table.
  var open: @Sendable (_ latent: Int?, inout ExplorerState) -> [Effect] = { _, state in state.showLatents() }
  /// Whether each latent is a place of its own, so that going from one to another can be undone.
  var hasPlaceForEachLatent = false
  /// What Esc and q do before they leave the screen; nil if they leave it.
  var back: @Sendable (inout ExplorerState) -> [Effect]? = { _ in nil }
  /// Ends running work that the screen started, also while another one is on top; nil if nothing runs.
  var cancel: @Sendable (inout ExplorerState) -> [Effect]? = { _ in nil }
  /// Cleans up when another screen comes to the top.
  var leave: @Sendable (inout ExplorerState) -> Void = { _ in }
}

/// Keys that have a meaning while other keys are text.
struct TypingKeys: Sendable {
  /// The keys in the key bar.
  var bar: [KeyHint]
  /// The keys in help; nil if help does not list them.
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
