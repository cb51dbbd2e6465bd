// Handles keys and pastes while text is typed, in the same way for every line of the explorer.

import TUI

extension LineEditor {
  /// How line breaks of a pasted text are treated.
  enum LineBreaks { case kept, blanks, dropped }

  /// Takes a key or a pasted text. If line breaks are kept, Alt-Enter inserts one.
  /// - Returns: whether the line uses the input.
  mutating func take(_ input: Input, lineBreaks: LineBreaks = .blanks) -> Bool {
    switch input {
    case .key("alt-enter") where lineBreaks == .kept:
      insert("\n")
      return true
    case .key(let key): return handle(key)
    case .paste(let text):
      switch lineBreaks {
      case .kept: insert(text)
      case .blanks: insert(String(text.map { $0.isNewline ? " " : $0 }))
      case .dropped: insert(text.filter { !$0.isNewline })
      }
      return true
    case .mouse: return false
    }
  }
}
