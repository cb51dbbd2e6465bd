// The filter language: `nu_error<0.2 and tag:refusal and not dead and "nobel"`.
// Owns: its meaning as a tree, and the parser. Refuses: what it does not know, with position and remedy; nesting and
// length that no person writes (the tree becomes one SQL expression, whose depth SQLite bounds).
//   filter     = [or]
//   or         = and { "or" and }            and = not { "and" not }            not = "not" not | primary
//   primary    = "(" or ")" | column comparison number | number comparison column | "dead"
//              | "tag:" name | "class:" class | "id:" number | '"' text '"'

/// A condition on latents, parsed and ready to be used in a query.
///
/// A comparison with a missing value is false, so its negation is true. A text matches where a context, the note, an
/// explanation or a tag holds it: whole words, the last one may go on unless the text ends in a blank; case and
/// accents do not matter.
public struct Filter: Sendable, Equatable {
  /// As it was written.
  public let text: String
  let root: FilterNode?

  /// Parses a filter. An empty text lets every latent through.
  /// - Throws: `StorageError.filter` with the position of the first mistake.
  public init(_ text: String) throws(StorageError) {
    self.text = text
    var parser = FilterParser(tokens: try FilterLexer.tokens(of: text))
    root = try parser.filter()
  }

  /// Lets every latent through.
  public static let everything = Filter()

  private init() {
    text = ""
    root = nil
  }
}

/// A filter's tree.
indirect enum FilterNode: Sendable, Equatable {
  case and([FilterNode])
  case or([FilterNode])
  case not(FilterNode)
  case compare(LatentColumn, FilterComparison, Double)
  case tag(String)
  case latentClass(LatentClass)
  case dead
  case text(String)
}

struct FilterParser {
  static let deepestNesting = 50
  static let mostTerms = 200

  private let tokens: [FilterToken]
  private var index = 0
  private var depth = 0
  private var terms = 0

  init(tokens: [FilterToken]) { self.tokens = tokens }

  private var token: FilterToken { tokens[min(index, tokens.count - 1)] }

  mutating func filter() throws(StorageError) -> FilterNode? {
    if token.kind == .end { return nil }
    let node = try or()
    switch token.kind {
    case .end: return node
    case .close: throw .filter(position: token.position, message: "a ) without its (")
    default: throw .filter(position: token.position, message: "expected and, or, or the end")
    }
  }

  private mutating func takes(word: String) -> Bool {
    guard case .word(let found) = token.kind, found.lowercased() == word else { return false }
    index += 1
    return true
  }

  private mutating func or() throws(StorageError) -> FilterNode {
    var nodes = [try and()]
    while takes(word: "or") { nodes.append(try and()) }
    return nodes.count == 1 ? nodes[0] : .or(nodes)
  }

  private mutating func and() throws(StorageError) -> FilterNode {
    var nodes = [try not()]
    while takes(word: "and") { nodes.append(try not()) }
    return nodes.count == 1 ? nodes[0] : .and(nodes)
  }

  private mutating func not() throws(StorageError) -> FilterNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepestNesting else {
      throw .filter(position: token.position, message: "nested deeper than \(Self.deepestNesting); simplify it")
    }
    return takes(word: "not") ? .not(try not()) : try primary()
  }

  private mutating func primary() throws(StorageError) -> FilterNode {
    terms += 1
    let token = token
    guard terms <= Self.mostTerms else {
      throw .filter(position: token.position, message: "more than \(Self.mostTerms) conditions; simplify it")
    }
    index += 1
    switch token.kind {
    case .open:
      let node = try or()
      guard self.token.kind == .close else {
        throw .filter(position: self.token.position, message: "expected ) for the ( at \(token.position + 1)")
      }
      index += 1
      return node
    case .quoted(let text): return .text(text)
    case .pair(let key, let value): return try pair(key: key, value: value, at: token.position)
    case .word(let word): return try condition(startingWith: word, at: token.position)
    case .number(let number): return try condition(startingWith: number)
    case .close: throw .filter(position: token.position, message: "expected a condition before )")
    case .comparison: throw .filter(position: token.position, message: "expected a column before the comparison")
    case .end: throw .filter(position: token.position, message: "expected a condition, for instance nu_error<0.2")
    }
  }

  private func pair(key: String, value: String, at position: Int) throws(StorageError) -> FilterNode {
    switch key.lowercased() {
    case "tag": return .tag(value)
    case "class":
      if let latentClass = LatentClass(rawValue: value.lowercased()) { return .latentClass(latentClass) }
      let classes = LatentClass.allCases.map(\.rawValue).joined(separator: ", ")
      throw .filter(position: position, message: "no class \"\(value)\"; classes are \(classes)")
    case "id":
      if let id = Int32(value), id >= 0 { return .compare(.id, .equal, Double(id)) }
      throw .filter(position: position, message: "\"\(value)\" is not a latent's id")
    default: throw .filter(position: position, message: "no \"\(key):\"; there are tag:, class: and id:")
    }
  }

  private mutating func condition(startingWith word: String, at position: Int) throws(StorageError) -> FilterNode {
    let lowercased = word.lowercased()
    if lowercased == "dead" { return .dead }
    if ["and", "or"].contains(lowercased) {
      throw .filter(position: position, message: "expected a condition before \(lowercased)")
    }
    let column = try column(named: word, at: position)
    guard case .comparison(let comparison) = token.kind else {
      throw .filter(position: token.position, message: "expected a comparison after \(column.rawValue), such as <0.2")
    }
    index += 1
    guard case .number(let number) = token.kind else {
      throw .filter(position: token.position, message: "expected a number to compare \(column.rawValue) with")
    }
    index += 1
    return .compare(column, comparison, number)
  }

  /// `0.1 < nu_error`, and `0.1 < nu_error <= 0.5`.
  private mutating func condition(startingWith number: Double) throws(StorageError) -> FilterNode {
    guard case .comparison(let comparison) = token.kind else {
      throw .filter(position: token.position, message: "expected a comparison after the number; an id is id:7")
    }
    index += 1
    guard case .word(let word) = token.kind else {
      throw .filter(position: token.position, message: "expected a column after the comparison")
    }
    let column = try column(named: word, at: token.position)
    index += 1
    let lower = FilterNode.compare(column, comparison.mirrored, number)
    guard case .comparison(let second) = token.kind else { return lower }
    index += 1
    guard case .number(let upper) = token.kind else {
      throw .filter(position: token.position, message: "expected a number to compare \(column.rawValue) with")
    }
    index += 1
    return .and([lower, .compare(column, second, upper)])
  }

  private func column(named word: String, at position: Int) throws(StorageError) -> LatentColumn {
    let name = word.lowercased().replacing("-", with: "_")
    if let column = LatentColumn(rawValue: name) { return column }
    let nearest = LatentColumn.allCases.min { editDistance($0.rawValue, name) < editDistance($1.rawValue, name) }
    throw .filter(
      position: position,
      message: "no column \"\(word)\"; did you mean \(nearest?.rawValue ?? "id")? Text goes in double quotes")
  }
}

extension FilterComparison {
  /// The comparison with its sides exchanged.
  fileprivate var mirrored: FilterComparison {
    switch self {
    case .less: .greater
    case .lessOrEqual: .greaterOrEqual
    case .greater: .less
    case .greaterOrEqual: .lessOrEqual
    case .equal, .notEqual: self
    }
  }
}

/// Levenshtein distance.
private func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b)
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let substituted = diagonal + (x == y ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
