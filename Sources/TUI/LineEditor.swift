// The state of a text input: its characters, cursor and history, and what each key does to them. Widgets/Inputs.swift
// draws it. Keys enter no line breaks; pasted line breaks stay and are shown as ↵.

/// Text being edited, with the keys of readline.
public struct LineEditor: Equatable, Sendable {
  private var characters: [Character]
  /// The number of characters before the cursor.
  public private(set) var cursor: Int
  /// Earlier entries, oldest first.
  public private(set) var history: [String]
  private var historyIndex: Int?
  private var draft = ""
  /// The largest number of characters; further ones are dropped.
  public let limit: Int

  /// - Parameter limit: the largest number of characters.
  public init(_ text: String = "", history: [String] = [], limit: Int = 20_000) {
    characters = Array(text.prefix(limit))
    cursor = characters.count
    self.history = history
    self.limit = limit
  }

  /// The text; setting it moves the cursor to its end.
  public var text: String {
    get { String(characters) }
    set {
      characters = Array(newValue.prefix(limit))
      cursor = characters.count
      historyIndex = nil
    }
  }

  /// Whether the text is empty.
  public var isEmpty: Bool { characters.isEmpty }

  /// The text before and after the cursor.
  public var parts: (before: String, after: String) {
    (String(characters[..<cursor]), String(characters[cursor...]))
  }

  /// Inserts text at the cursor. Unicode rules join it with its neighbours (a combining accent goes to its letter).
  public mutating func insert(_ text: String) {
    let room = limit - characters.count
    guard room > 0 else { return }
    let unified = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n").prefix(room)
    let before = Array(String(characters[..<cursor]) + unified)
    characters = before + characters[cursor...]
    cursor = before.count
    historyIndex = nil
  }

  /// Replaces some characters by a text and puts the cursor behind it.
  public mutating func replace(_ range: Range<Int>, with text: String) {
    let range = range.clamped(to: 0..<characters.count)
    characters.removeSubrange(range)
    cursor = range.lowerBound
    insert(text)
  }

  /// Adds the text to the history as its newest entry, without repeating it, and empties the input if asked.
  public mutating func commit(clear: Bool = false) {
    let entry = text
    if !entry.isEmpty, history.last != entry { history.append(entry) }
    historyIndex = nil
    if clear { self.text = "" }
  }

  /// Applies a key to the text.
  /// - Returns: whether the key has a meaning here.
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
