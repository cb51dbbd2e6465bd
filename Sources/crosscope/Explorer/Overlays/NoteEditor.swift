// Writing a latent's note. Enter saves it at once; an empty note is deleted.

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

  mutating func typeIntoNote(_ input: Input, _ before: NoteEditor) -> [Effect] {
    var editor = before
    switch input {
    case .key("esc"):
      overlay = nil
      return []
    case .key("enter"):
      guard editor.text.text.utf8.count <= Store.longestNote else {
        tell("the note is longer than \(Store.longestNote) bytes: shorten it", .error)
        return []
      }
      overlay = nil
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
    return canvas.paragraph(editor.text, placeholder: "what this latent is about", in: inside)
  }
}
