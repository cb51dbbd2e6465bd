// The state of a text input: characters, cursor, history. Drawing it is in Widgets/Inputs.swift.
// Owns: what a key does to the text. Refuses: line breaks from keys; pasted ones stay and are shown as ↵.

/// Text being edited, with the keys of readline.
public struct LineEditor: Equatable, Sendable {
  private var characters: [Character]
  /// Characters before the cursor.
  public private(set) var cursor: Int
  /// Former entries, oldest first.
  public private(set) var history: [String]
  private var historyIndex: Int?
  private var draft = ""
  /// Characters that fit at most; what exceeds it is not taken.
  public let limit: Int

  /// - Parameter limit: the most characters that it takes.
  public init(_ text: String = "", history: [String] = [], limit: Int = 20_000) {
    characters = Array(text.prefix(limit))
    cursor = characters.count
    self.history = history
    self.limit = limit
  }

  /// The text; setting it puts the cursor at its end.
  public var text: String {
    get { String(characters) }
    set {
      characters = Array(newValue.prefix(limit))
      cursor = characters.count
      historyIndex = nil
    }
  }

  /// Nothing entered.
  public var isEmpty: Bool { characters.isEmpty }

  /// The text before and behind the cursor.
  public var parts: (before: String, after: String) {
    (String(characters[..<cursor]), String(characters[cursor...]))
  }

  /// Enters text at the cursor. Joins with what stands there as Unicode does (a combining accent goes to its letter).
  public mutating func insert(_ text: String) {
    let room = limit - characters.count
    guard room > 0 else { return }
    let unified = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n").prefix(room)
    let before = Array(String(characters[..<cursor]) + unified)
    characters = before + characters[cursor...]
    cursor = before.count
    historyIndex = nil
  }

  /// Puts text in the place of some characters, the cursor behind it.
  public mutating func replace(_ range: Range<Int>, with text: String) {
    let range = range.clamped(to: 0..<characters.count)
    characters.removeSubrange(range)
    cursor = range.lowerBound
    insert(text)
  }

  /// Keeps the text as the newest entry of the history, once, and empties the input if asked.
  public mutating func commit(clear: Bool = false) {
    let entry = text
    if !entry.isEmpty, history.last != entry { history.append(entry) }
    historyIndex = nil
    if clear { self.text = "" }
  }

  /// What a key does to the text.
  /// - Returns: whether the key meant something here.
  public mutating func handle(_ key: Key) -> Bool {
    if let character = key.text {
      insert(String(character))
      return true
    }
    switch key {
    case "backspace": remove(max(0, cursor - 1)..<cursor)
    case "del", "ctrl-d": remove(cursor..<min(characters.count, cursor + 1))
    case "left", "ctrl-b": cursor = max(0, cursor - 1)
    case "right", "ctrl-f": cursor = min(characters.count, cursor + 1)
    case "home", "ctrl-a": cursor = 0
    case "end", "ctrl-e": cursor = characters.count
    case "ctrl-left", "alt-b", "alt-left": cursor = wordStart
    case "ctrl-right", "alt-f", "alt-right": cursor = wordEnd
    case "ctrl-w", "alt-backspace": remove(wordStart..<cursor)
    case "alt-d": remove(cursor..<wordEnd)
    case "ctrl-u": remove(0..<cursor)
    case "ctrl-k": remove(cursor..<characters.count)
    case "up", "ctrl-p": recall(-1)
    case "down", "ctrl-n": recall(1)
    default: return false
    }
    return true
  }

  private mutating func remove(_ range: Range<Int>) {
    characters.removeSubrange(range)
    cursor = range.lowerBound
    historyIndex = nil
  }

  private var wordStart: Int {
    var index = cursor
    while index > 0, !isWord(characters[index - 1]) { index -= 1 }
    while index > 0, isWord(characters[index - 1]) { index -= 1 }
    return index
  }

  private var wordEnd: Int {
    var index = cursor
    while index < characters.count, !isWord(characters[index]) { index += 1 }
    while index < characters.count, isWord(characters[index]) { index += 1 }
    return index
  }

  private func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }

  private mutating func recall(_ step: Int) {
    guard !history.isEmpty else { return }
    let current = historyIndex ?? history.count
    let target = min(max(0, current + step), history.count)
    guard target != current else { return }
    if historyIndex == nil { draft = text }
    text = target == history.count ? draft : history[target]
    historyIndex = target == history.count ? nil : target
  }
}
