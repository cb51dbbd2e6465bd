// The user writes a latent's note. Enter saves it at once; an empty note is deleted. A note that is left by Esc or Ctrl-C stays
// as a draft until the program ends.

import Reports
import Storage
import TUI

/// A note being written.
struct NoteEditor: Sendable, Equatable {
  var latent: Int
  var text: LineEditor
  /// The note that the store had when writing began.
  var former = ""
}

extension NoteEditor: OverlayContent {
  var hints: [KeyHint] {
    [
      KeyHint("Enter", "save"), KeyHint("Alt-Enter", "new line"), KeyHint("Alt-E", "in $EDITOR"),
      KeyHint("Esc", "keep as draft"),
    ]
  }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var editor = self
    switch input {
    case .key("esc"):
      close(&state)
      return []
    case .key("enter"):
      guard editor.text.text.utf8.count <= Store.longestNote else {
        state.tell("the note is longer than \(Store.longestNote) bytes: shorten it", .error)
        return []
      }
      state.overlay = nil
      state.unsavedNotes[editor.latent] = nil
      return [.setNote(editor.latent, editor.text.text.trimmed)]
    case .key("alt-e"): return [.edit(EditRequest(subject: .note(editor.latent), text: editor.text.text))]
    default: _ = editor.text.take(input, lineBreaks: .kept)
    }
    state.overlay = editor
    return []
  }

  /// Keeps the text as a draft, unless it equals the store's note.
  func close(_ state: inout ExplorerState) {
    state.overlay = nil
    state.unsavedNotes[latent] = text.text == former ? nil : text.text
    if text.text != former { state.tell("the note is a draft, not saved: n on latent \(latent) brings it back") }
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let inside = canvas.window(
      "Note on latent \(latent)",
      size: Size(columns: min(72, state.body.columns - 6), rows: min(6, state.body.rows - 4)),
      in: state.body)
    return canvas.paragraph(
      text, placeholder: "what this latent is about", breakLines: true, in: inside)
  }
}

extension ExplorerState {
  /// Opens the note of the current latent once its page is read. Before that the note would look empty, and saving it
  /// would delete the store's note.
  mutating func openNote() -> [Effect] {
    guard let id = currentLatent else { return [] }
    guard let page = pages[id] else {
      tell("the note of latent \(id) is being read: press n again")
      return [.loadPage(id)]
    }
    let note = page.note ?? ""
    let text = unsavedNotes[id] ?? note
    overlay = NoteEditor(latent: id, text: LineEditor(text, limit: Store.longestNote), former: note)
    if text != note { tell("this draft is not saved: Enter saves it, Ctrl-U empties the line") }
    return []
  }

  /// Tells the user that another program has changed this note while it is written. Saving then replaces that change.
  mutating func noticeNote(_ page: LatentPage) {
    guard var editor = overlay as? NoteEditor, editor.latent == page.latent.id, (page.note ?? "") != editor.former
    else { return }
    editor.former = page.note ?? ""
    overlay = editor
    tell(
      editor.former.isEmpty
        ? "another program has deleted this note; Enter saves it anew"
        : "another program has changed this note to \"\(editor.former)\"; Enter replaces that, u then brings it back",
      .error)
  }
}
