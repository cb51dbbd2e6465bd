// The areas of the prompt screen's parts.

import Storage
import TUI

/// The areas of the screen's parts. While the user types, the editor has the upper half. Otherwise the text stands
/// above the list of latents and, if there is room, the next tokens that both models expect.
struct PromptLayout {
  let heading: Rect
  /// The area of the editor, which is empty unless the user types.
  let editor: Rect
  let textHeading: Rect
  let text: Rect
  /// One row for the latent's activation over the text, and one for the divergence.
  let strips: Rect
  let list: Rect
  let next: Rect

  init(_ state: ExplorerState) {
    let body = state.body.inset(columns: 1)
    let none = Rect(row: body.endRow, column: body.column, rows: 0, columns: 0)
    var rest = body
    if state.prompt.isTyping {
      (heading, rest) = rest.split(top: 1)
      (editor, rest) = rest.split(top: state.prompt.tokens.isEmpty ? rest.rows : max(2, rest.rows / 2))
      (textHeading, text) = rest.split(top: 1)
      (strips, list, next) = (none, none, none)
      return
    }
    (heading, editor) = (none, none)
    // A row of text, a heading and two rows of the list come first.
    var spare = body.rows - 5
    func take(_ count: Int) -> Int {
      let taken = min(max(0, spare), count)
      spare -= taken
      return taken
    }
    let textRows = 1 + take(body.rows / 3 - 2)
    let stripRows = take(2)
    (textHeading, rest) = rest.split(top: 1)
    (text, rest) = rest.split(top: textRows)
    (strips, rest) = rest.split(top: stripRows)
    guard body.columns >= 70 else {
      (list, next) = (rest, none)
      return
    }
    (list, next) = rest.split(left: body.columns - (body.columns >= 100 ? 52 : 34) - 2, gap: 2)
  }

  /// The rows of the list without its heading and the names of its columns.
  var rows: Rect { list.split(top: 2).rest }
  var rowsVisible: Int { max(1, rows.rows) }
}
