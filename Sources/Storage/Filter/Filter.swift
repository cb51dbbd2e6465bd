// The filter language: `nu_error<0.2 and tag:refusal and not dead and "nobel"`. This file has its meaning as a tree,
// and the parser, whose errors say the position of a mistake and what to do. Nesting and length are limited, since the
// tree becomes one SQL expression, whose depth SQLite bounds.
//   filter     = [or]
//   or         = and { "or" and }            and = not { "and" not }            not = "not" not | primary
//   primary    = "(" or ")" | column comparison number | number comparison column | "dead"
//              | "tag:" name | "class:" class | column ":" number | '"' text '"'
//   column     = a column of the latent table, or a metric of the store; `[name]` where a metric's name holds anything but
//                letters, digits, _ and -

/// A condition on latents, parsed and ready to be used in a query.
///
/// A comparison with a missing value is false, so its negation is true. A text matches if a context, the note, an
/// explanation or a tag holds it. It matches whole words; the last word may be the beginning of a longer one unless the
/// text ends in a blank. Case and accents do not matter.
public struct Filter: Sendable, Equatable {
  /// The filter as it was written.
  public let text: String
  let root: FilterNode?

  /// Parses a filter. An empty text lets every latent through.
  /// - Parameter metrics: the metrics that may be named beside the columns (`Store.metricNames`).
  /// - Throws: `StorageError.filter` with the position of the first mistake.
  public init(_ text: String, metrics: [String] = []) throws(StorageError) {
    self.text = text
    var parser = FilterParser(tokens: try FilterLexer.tokens(of: text), metrics: metrics)
    root = try parser.filter()
  }

  /// The filter that lets every latent through.
  public static let everything = Filter(text: "", root: nil)

  private init(text: String, root: FilterNode?) { (self.text, self.root) = (text, root) }

  /// The same filter for latents of one class; nil for all classes.
  public func narrowed(to latentClass: LatentClass?) -> Filter {
    guard let latentClass else { return self }
    return Filter(text: text, root: .and([.latentClass(latentClass)] + (root.map { [$0] } ?? [])))
  }
}

/// A column that a filter compares with a number and that can be an axis of the map.
public enum FilterColumn: Sendable, Hashable {
  case column(LatentColumn)
  case metric(String)

  func compared(_ comparison: FilterComparison, _ number: Double) -> FilterNode {
    switch self {
    case .column(let column): .compare(column, comparison, number)
    case .metric(let name): .compareMetric(name, comparison, number)
    }
  }

  /// The column as it is written in a filter.
  public var written: String {
    switch self {
    case .column(let column): column.rawValue
    case .metric(let name): Self.written(metric: name)
    }
  }

  static func written(metric name: String) -> String {
    let isWord =
      !["and", "or", "not", "dead"].contains(name.lowercased()) && name.first.map { $0.isLetter || $0 == "_" } == true
      && name.allSatisfy { $0.isLetter || $0.isNumber || "_-".contains($0) } && LatentColumn(rawValue: name) == nil
    return isWord ? name : "[\(name)]"
  }
}

/// The tree of a filter.
indirect enum FilterNode: Sendable, Equatable {
  case and([FilterNode])
  case or([FilterNode])
  case not(FilterNode)
  case compare(LatentColumn, FilterComparison, Double)
  /// A comparison of a metric beyond the columns.
  case compareMetric(String, FilterComparison, Double)
  case tag(String)
  case latentClass(LatentClass)
  case dead
  case text(String)
}

struct FilterParser {
  static let deepestNesting = 50
  static let mostTerms = 200

  private let tokens: [FilterToken]
  private let metrics: [String]
  private var index = 0
  private var depth = 0
  private var terms = 0

  init(tokens: [FilterToken], metrics: [String] = []) { (self.tokens, self.metrics) = (tokens, metrics) }

  private var token: FilterToken { tokens[min(index, tokens.count - 1)] }

  mutating func filter() throws(StorageError) -> FilterNode? {
    if token.kind == .end { return nil }
    let node = try or()
    switch token.kind {
    case .end: return node
    case .close: throw .filter(position: token.position, message: "this ) has no ( before it")
    default: throw .filter(position: token.position, message: "and, or, or the end is expected here")
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
      throw .filter(position: token.position, message: "it is nested deeper than \(Self.deepestNesting); simplify it")
    }
    return takes(word: "not") ? .not(try not()) : try primary()
  }

  private mutating func primary() throws(StorageError) -> FilterNode {
    terms += 1
    let token = token
    guard terms <= Self.mostTerms else {
      throw .filter(position: token.position, message: "it has more than \(Self.mostTerms) conditions; simplify it")
    }
    index += 1
    switch token.kind {
    case .open:
      let node = try or()
      guard self.token.kind == .close else {
        throw .filter(position: self.token.position, message: "a ) is expected for the ( at \(token.position + 1)")
      }
      index += 1
      return node
    case .quoted(let text): return .text(text)
    case .pair(let key, let value): return try pair(key: key, value: value, at: token.position)
    case .word(let word): return try condition(startingWith: word, at: token.position)
    case .bracketed(let name): return try comparison(of: try metric(named: name, at: token.position))
    case .number(let number): return try condition(startingWith: number)
    case .close: throw .filter(position: token.position, message: "a condition is expected before )")
    case .comparison: throw .filter(position: token.position, message: "a column is expected before the comparison")
    case .end: throw .filter(position: token.position, message: "a condition is expected, for instance nu_error<0.2")
    }
  }

  private func pair(key: String, value: String, at position: Int) throws(StorageError) -> FilterNode {
    switch key.lowercased() {
    case "tag": return .tag(value)
    case "class":
      if let latentClass = LatentClass(rawValue: value.lowercased()) { return .latentClass(latentClass) }
      let classes = LatentClass.allCases.map(\.rawValue).joined(separator: ", ")
      throw .filter(position: position, message: "there is no class \"\(value)\"; classes are \(classes)")
    default:
      guard let column = known(column: key) else {
        throw .filter(
          position: position, message: "there is no \"\(key):\"; use tag:, class: or a column, such as id:7")
      }
      guard let number = Double(value), number.isFinite else {
        throw .filter(position: position, message: "\"\(value)\" is not a number to compare \(key.lowercased()) with")
      }
      if column == .column(.id), !(Int(value).map(LatentRecord.possibleIDs.contains) ?? false) {
        throw .filter(position: position, message: "\"\(value)\" is not a latent's id")
      }
      return column.compared(.equal, number)
    }
  }

  private mutating func condition(startingWith word: String, at position: Int) throws(StorageError) -> FilterNode {
    let lowercased = word.lowercased()
    if lowercased == "dead" { return .dead }
    if ["and", "or"].contains(lowercased) {
      throw .filter(position: position, message: "a condition is expected before \(lowercased)")
    }
    return try comparison(of: try column(named: word, at: position))
  }

  private mutating func comparison(of column: FilterColumn) throws(StorageError) -> FilterNode {
    guard case .comparison(let comparison) = token.kind else {
      throw .filter(position: token.position, message: "a comparison is expected after \(column.written), such as <0.2")
    }
    index += 1
    guard case .number(let number) = token.kind else {
      throw .filter(position: token.position, message: "a number is expected to compare \(column.written) with")
    }
    index += 1
    return column.compared(comparison, number)
  }

  /// Parses `0.1 < nu_error` and `0.1 < nu_error <= 0.5`.
  private mutating func condition(startingWith number: Double) throws(StorageError) -> FilterNode {
    guard case .comparison(let comparison) = token.kind else {
      throw .filter(position: token.position, message: "a comparison is expected after the number; an id is id:7")
    }
    index += 1
    let column: FilterColumn
    switch token.kind {
    case .word(let word): column = try self.column(named: word, at: token.position)
    case .bracketed(let name): column = try metric(named: name, at: token.position)
    default: throw .filter(position: token.position, message: "a column is expected after the comparison")
    }
    index += 1
    let lower = column.compared(comparison.mirrored, number)
    guard case .comparison(let second) = token.kind else { return lower }
    index += 1
    guard case .number(let upper) = token.kind else {
      throw .filter(position: token.position, message: "a number is expected to compare \(column.written) with")
    }
    index += 1
    return .and([lower, column.compared(second, upper)])
  }

  private func column(named word: String, at position: Int) throws(StorageError) -> FilterColumn {
    if let column = known(column: word) { return column }
    let name = word.lowercased().replacing("-", with: "_")
    let candidates = LatentColumn.allCases.map(\.rawValue) + metrics
    let nearest = candidates.min { editDistance($0.lowercased(), name) < editDistance($1.lowercased(), name) } ?? "id"
    let suggestion = metrics.contains(nearest) ? FilterColumn.written(metric: nearest) : nearest
    throw .filter(
      position: position,
      message: "there is no column \"\(word)\"; did you mean \(suggestion)? Text goes in double quotes")
  }

  /// The column or metric of that name.
  private func known(column word: String) -> FilterColumn? {
    LatentColumn(rawValue: word.lowercased().replacing("-", with: "_")).map { .column($0) }
      ?? known(word).map { .metric($0) }
  }

  /// The metric whose name stands in brackets.
  private func metric(named name: String, at position: Int) throws(StorageError) -> FilterColumn {
    if let metric = known(name) { return .metric(metric) }
    let nearest = metrics.min { editDistance($0.lowercased(), name) < editDistance($1.lowercased(), name) }
    throw .filter(
      position: position,
      message: nearest.map { "there is no metric [\(name)]; did you mean [\($0)]?" }
        ?? "there is no metric [\(name)]; this store has none beyond its columns")
  }

  /// The metric of that name, or of a name that differs only in case.
  private func known(_ name: String) -> String? {
    metrics.first { $0 == name } ?? metrics.first { $0.lowercased() == name.lowercased() }
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

/// The Levenshtein distance of two words.
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
