// Offers words that may come next in a filter that is being typed, by the grammar of Filter.swift. A mistake before the
// cursor is reported by the parser and not here; if the words before the cursor make no sense, every word is offered.

/// Words that fit at the cursor.
public struct FilterCompletion: Sendable, Equatable {
  /// A word that may be inserted.
  public struct Item: Sendable, Equatable {
    /// The word as it is written.
    public var text: String
    /// What the word means.
    public var help: String
    /// Whether a blank usually follows the word.
    public var isWhole: Bool
  }

  /// The characters that an item replaces: the word that was begun, up to the cursor.
  public var range: Range<Int>
  /// First the items that begin with the begun word, then those that contain it.
  public var items: [Item]

  /// - Parameters:
  ///   - cursor: is counted in characters, as in `StorageError.filter`.
  ///   - metrics: the store's metrics beyond the columns.
  ///   - tags: the tags in use.
  public init(_ text: String, cursor: Int, metrics: [String] = [], tags: [String] = []) {
    let before = Array(text.prefix(cursor))
    let start = Self.wordStart(before)
    let begun = String(before[start...])
    func tokens(_ end: Int) -> [FilterToken.Kind]? {
      try? FilterLexer.tokens(of: String(before[..<end])).dropLast().map(\.kind)
    }
    // Within an open quote there are no tokens, and any text may follow.
    let offered = tokens(start).map { Self.items(after: $0, begun: begun, metrics: metrics, tags: tags) } ?? []
    func plain(_ text: String) -> String { text.lowercased().replacing("\"", with: "") }
    let key = plain(begun)
    let starting = offered.filter { plain($0.text).hasPrefix(key) }
    let holding = offered.filter { !plain($0.text).hasPrefix(key) && plain($0.text).contains(key) }
    let isWhole = starting.contains { plain($0.text) == key } || key.hasSuffix("]")
    if !begun.isEmpty, isWhole, let tokens = tokens(before.count) {
      // These items may follow the word.
      range = before.count..<before.count
      items = Self.items(after: tokens, begun: "", metrics: metrics, tags: tags)
    } else {
      (range, items) = (start..<before.count, starting + holding)
    }
  }

  /// The text that replaces `range` for an item, with the blanks that words need.
  public func entry(_ item: Item, in text: String) -> String {
    let before = text.prefix(range.lowerBound).last
    let joins = before.map { $0.isLetter || $0.isNumber || "\"])_".contains($0) } == true
    let needsBlank = range.isEmpty && joins && !"<>=!)".contains(item.text.prefix(1))
    return (needsBlank ? " " : "") + item.text + (item.isWhole ? " " : "")
  }

  /// Where the word at the end begins, including its bracket or key.
  private static func wordStart(_ before: [Character]) -> Int {
    // A tag's name in an open bracket or quote may hold blanks.
    for (index, character) in before.enumerated().reversed() where character == "[" || character == "]" {
      if character == "[" { return index }
      break
    }
    var start = before.count
    func isWord(_ character: Character) -> Bool {
      character.isLetter || character.isNumber || "_-:%".contains(character)
    }
    while start > 0, isWord(before[start - 1]) { start -= 1 }
    // A sign or a digit begins a number, not a word.
    if start < before.count, before[start].isNumber || before[start] == "-" { return before.count }
    return start
  }

  private static func items(
    after tokens: [FilterToken.Kind], begun: String, metrics: [String], tags: [String]
  ) -> [Item] {
    let previous = tokens.dropLast().last
    switch tokens.last {
    case nil, .open: return conditions(begun, metrics, tags)
    case .word(let word) where ["and", "or", "not"].contains(word.lowercased()): return conditions(begun, metrics, tags)
    case .comparison:
      if case .number = previous { return columns(metrics) }
      return []
    case .number:
      if case .comparison = previous { return joins(tokens) }
      return comparisons
    case .word(let word) where word.lowercased() != "dead": return isCompared(tokens) ? joins(tokens) : comparisons
    case .bracketed: return isCompared(tokens) ? joins(tokens) : comparisons
    case .word, .pair, .quoted, .close, .end: return joins(tokens)
    }
  }

  /// Whether the last token is the column of `0.1 < column`.
  private static func isCompared(_ tokens: [FilterToken.Kind]) -> Bool {
    guard case .comparison = tokens.dropLast().last, case .number = tokens.dropLast(2).last else { return false }
    return true
  }

  private static let comparisons = [
    ("<", "less"), ("<=", "at most"), (">", "more"), (">=", "at least"), ("=", "equal"), ("!=", "not equal"),
  ]
  .map { Item(text: $0, help: $1, isWhole: false) }

  private static func joins(_ tokens: [FilterToken.Kind]) -> [Item] {
    let open = tokens.filter { $0 == .open }.count - tokens.filter { $0 == .close }.count
    return [
      Item(text: "and", help: "both hold", isWhole: true), Item(text: "or", help: "one of them holds", isWhole: true),
    ] + (open > 0 ? [Item(text: ")", help: "close the parenthesis", isWhole: true)] : [])
  }

  private static func columns(_ metrics: [String]) -> [Item] {
    LatentColumn.allCases.map { Item(text: $0.rawValue, help: $0.meaning, isWhole: false) }
      + metrics.map { Item(text: FilterColumn.written(metric: $0), help: "metric of this store", isWhole: false) }
  }

  private static func conditions(_ begun: String, _ metrics: [String], _ tags: [String]) -> [Item] {
    let key = begun.lowercased()
    if key.hasPrefix("tag:") {
      return tags.map { Item(text: "tag:" + written(tag: $0), help: "tag", isWhole: true) }
    }
    let classes = LatentClass.allCases.map { Item(text: "class:" + $0.rawValue, help: "class", isWhole: true) }
    if key.hasPrefix("class:") { return classes }
    return columns(metrics) + [
      Item(text: "dead", help: "never active", isWhole: true), Item(text: "not", help: "the opposite", isWhole: true),
      Item(text: "tag:", help: "has the tag", isWhole: false),
      Item(text: "class:", help: "is of the class", isWhole: false),
      Item(text: "id:", help: "the latent of this number", isWhole: false),
      Item(text: "\"", help: "text in contexts, notes, explanations and tags", isWhole: false),
      Item(text: "(", help: "conditions together", isWhole: false),
    ]
  }

  /// A tag's name in the form that the lexer accepts.
  private static func written(tag name: String) -> String {
    name.contains { $0.isWhitespace || "()\"".contains($0) } ? "\"\(name)\"" : name
  }
}

extension LatentColumn {
  /// The meaning of the column in a few words.
  public var meaning: String {
    switch self {
    case .id: "the latent's number"
    case .decNormBase: "norm of base's decoder direction"
    case .decNormChat: "norm of chat's decoder direction"
    case .deltaNorm: "relative norm difference, 1 is chat only"
    case .cosBaseChat: "cosine of the two decoder directions"
    case .betaErrorBase: "Latent Scaling: error, base"
    case .betaErrorChat: "Latent Scaling: error, chat"
    case .betaReconstructionBase: "Latent Scaling: reconstruction, base"
    case .betaReconstructionChat: "Latent Scaling: reconstruction, chat"
    case .betaActivationBase: "Latent Scaling: activation, base"
    case .betaActivationChat: "Latent Scaling: activation, chat"
    case .nuError: "error ratio, near 0 is unknown to base"
    case .nuReconstruction: "reconstruction ratio, near 0 is unknown to base"
    case .maxActivation: "largest activation"
    case .meanActivation: "mean activation where active"
    case .frequency: "share of tokens where active"
    case .frequencyPlain: "share of plain text's tokens"
    case .frequencyChat: "share of chats' tokens"
    case .templateShare: "share of active tokens that are template"
    case .chatSpecificity: "rank, 1 is the most chat-specific"
    }
  }
}
