// Writing a latent's note. Enter saves it at once; an empty note is deleted.

import Storage
import TUI

/// A note being written.
struct NoteEditor: Sendable, Equatable {
  var latent: Int32
  var text: LineEditor
}

extension ExplorerState {
  mutating func openNote() -> [Effect] {
    guard let id = currentLatent else { return [] }
    overlay = .note(NoteEditor(latent: id, text: LineEditor(pages[id]?.note ?? "", limit: 20_000)))
    return []
  }

  mutating func typeIntoNote(_ input: Input, _ before: NoteEditor) -> [Effect] {
    var editor = before
    switch input {
    case .key("esc"):
      overlay = nil
      return []
    case .key("enter"):
      overlay = nil
      return [.setNote(editor.latent, editor.text.text.trimmed)]
    case .key("alt-enter"): editor.text.insert("\n")
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
