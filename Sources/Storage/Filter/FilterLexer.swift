// Cuts a filter into tokens with their positions. Characters that belong to no token, quotes without an end and texts
// longer than any person writes are errors.

/// A token and the index of its first character.
struct FilterToken: Equatable {
  enum Kind: Equatable {
    case open, close
    case comparison(FilterComparison)
    case number(Double)
    /// A bare word: a column, a flag, `and`, `or`, `not`.
    case word(String)
    /// `key:value`, without a blank on either side of the colon.
    case pair(key: String, value: String)
    case quoted(String)
    /// `[name]`, for a metric whose name is not a word.
    case bracketed(String)
    case end
  }

  var kind: Kind
  var position: Int
}

/// How a column is compared with a number; `rawValue` is the SQL operator.
enum FilterComparison: String, CaseIterable {
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case equal = "="
  case notEqual = "!="
}

struct FilterLexer {
  static let longestText = 4096

  private let characters: [Character]
  private var index = 0

  private init(_ text: String) { characters = Array(text) }

  /// All tokens of `text`; the last one is `.end`.
  static func tokens(of text: String) throws(StorageError) -> [FilterToken] {
    var lexer = FilterLexer(text)
    guard lexer.characters.count <= longestText else {
      throw .filter(position: longestText, message: "it is longer than \(longestText) characters; shorten it")
    }
    var tokens: [FilterToken] = []
    repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
    return tokens
  }

  private var current: Character? { index < characters.count ? characters[index] : nil }

  private mutating func next() throws(StorageError) -> FilterToken {
    while let character = current, character.isWhitespace { index += 1 }
    let start = index
    guard let character = current else { return FilterToken(kind: .end, position: start) }
    switch character {
    case "(", ")":
      index += 1
      return FilterToken(kind: character == "(" ? .open : .close, position: start)
    case "\"": return FilterToken(kind: .quoted(try quoted()), position: start)
    case "[": return FilterToken(kind: .bracketed(try bracketed()), position: start)
    case "<", ">", "=", "!": return FilterToken(kind: .comparison(try comparison()), position: start)
    case _ where character.isNumber || "+-.".contains(character):
      return FilterToken(kind: .number(try number()), position: start)
    case _ where character.isLetter || character == "_": return FilterToken(kind: try word(), position: start)
    default:
      throw .filter(position: start, message: "\(character) is not expected here; put text in double quotes")
    }
  }

  private mutating func quoted() throws(StorageError) -> String {
    let start = index
    var text = ""
    index += 1
    while let character = current {
      index += 1
      if character == "\"" { return text }
      if character == "\\", let escaped = current {
        text.append(escaped)
        index += 1
      } else {
        text.append(character)
      }
    }
    throw .filter(position: start, message: "the quote has no end; add \"")
  }

  private mutating func bracketed() throws(StorageError) -> String {
    let start = index
    guard let end = characters[index...].firstIndex(of: "]") else {
      throw .filter(position: start, message: "the bracket has no end; add ]")
    }
    index = end + 1
    return String(characters[start + 1..<end])
  }

  private mutating func comparison() throws(StorageError) -> FilterComparison {
    let start = index
    let first = String(characters[index])
    index += 1
    if current == "=" {
      index += 1
      return first == "=" ? .equal : FilterComparison(rawValue: first + "=") ?? .equal
    }
    guard let comparison = FilterComparison(rawValue: first) else {
      throw .filter(position: start, message: "! alone means nothing; write != or not")
    }
    return comparison
  }

  private mutating func number() throws(StorageError) -> Double {
    let start = index
    while let character = current, character.isLetter || character.isNumber || "+-.".contains(character) {
      // A sign belongs to the number only at its start and after the e of an exponent.
      if "+-".contains(character), index > start, !"eE".contains(characters[index - 1]) { break }
      index += 1
    }
    let text = String(characters[start..<index])
    let plain = text.allSatisfy { $0.isASCII && ($0.isNumber || "+-.eE".contains($0)) }
    guard plain, let value = Double(text), value.isFinite else {
      throw .filter(position: start, message: "\"\(text)\" is not a number")
    }
    return value
  }

  private mutating func word() throws(StorageError) -> FilterToken.Kind {
    let start = index
    while let character = current, character.isLetter || character.isNumber || "_-".contains(character) { index += 1 }
    let word = String(characters[start..<index])
    guard current == ":" else { return .word(word) }
    index += 1
    if current == "\"" { return .pair(key: word, value: try quoted()) }
    let valueStart = index
    while let character = current, !character.isWhitespace, !"()\"".contains(character) { index += 1 }
    guard index > valueStart else {
      throw .filter(
        position: valueStart, message: "there is nothing after \"\(word):\"; write for instance \(word):refusal")
    }
    return .pair(key: word, value: String(characters[valueStart..<index]))
  }
}
