// Writing a latent's note. Enter saves it at once; an empty note is deleted. What is left otherwise, by Esc or Ctrl-C,
// stays as a draft as long as the program runs.

import Reports
import Storage
import TUI

/// A note being written.
struct NoteEditor: Sendable, Equatable {
  var latent: Int32
  var text: LineEditor
  /// The note that the store had when writing began.
  var former = ""
}

extension ExplorerState {
  /// Opens the note of the current latent. Not before its page is read: what is not known yet would look like no note,
  /// and saving that would delete the one there is.
  mutating func openNote() -> [Effect] {
    guard let id = currentLatent else { return [] }
    guard let page = pages[id] else {
      tell("reading the note of latent \(id): press n again")
      return [.loadPage(id)]
    }
    let note = page.note ?? ""
    let text = unsavedNotes[id] ?? note
    overlay = .note(NoteEditor(latent: id, text: LineEditor(text, limit: Store.longestNote), former: note))
    if text != note { tell("a draft that is not saved: Enter saves it, Ctrl-U empties the line") }
    return []
  }

  /// Says so where another program has changed the note that is being written here: saving then replaces that one.
  mutating func noticeNote(_ page: LatentPage) {
    guard case .note(var editor) = overlay, editor.latent == page.latent.id, (page.note ?? "") != editor.former else {
      return
    }
    editor.former = page.note ?? ""
    overlay = .note(editor)
    tell(
      editor.former.isEmpty
        ? "another program has deleted this note; Enter saves it anew"
        : "another program has changed this note to \"\(editor.former)\"; Enter replaces that, u then brings it back",
      .error)
  }

  /// Keeps what was written and is not the note that the store has.
  mutating func keepDraft(_ editor: NoteEditor) {
    let text = editor.text.text
    unsavedNotes[editor.latent] = text == editor.former ? nil : text
    if text != editor.former { tell("kept as a draft, not saved: n on latent \(editor.latent) brings it back") }
  }

  mutating func typeIntoNote(_ input: Input, _ before: NoteEditor) -> [Effect] {
    var editor = before
    switch input {
    case .key("esc"):
      overlay = nil
      keepDraft(editor)
      return []
    case .key("enter"):
      guard editor.text.text.utf8.count <= Store.longestNote else {
        tell("the note is longer than \(Store.longestNote) bytes: shorten it", .error)
        return []
      }
      overlay = nil
      unsavedNotes[editor.latent] = nil
      return [.setNote(editor.latent, editor.text.text.trimmed)]
    case .key("alt-enter"): editor.text.insert("\n")
    case .key("alt-e"): return [.edit(EditRequest(subject: .note(editor.latent), text: editor.text.text))]
    case .key(let key): _ = editor.text.handle(key)
    case .paste(let text): editor.text.insert(text)
    case .mouse: break
    }
    overlay = .note(editor)
    return []
  }

  func draw(_ editor: NoteEditor, _ canvas: inout Canvas) -> Point? {
    let inside = canvas.window(
      "Note on latent \(editor.latent)", size: Size(columns: min(72, body.columns - 6), rows: min(6, body.rows - 4)),
      in: body)
    return canvas.paragraph(
      editor.text, placeholder: "what this latent is about", breakLines: true, in: inside)
  }
}
