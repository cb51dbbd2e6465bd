// Finds a quoted text in the contexts of a store, in two steps: FTS5 says which sequences hold all the words, and
// reading those says which hold them in a row. (An index that also knows the places of words would be three times as
// large, a quarter of the whole store.) Words are what FTS5's unicode61 tokenizer takes for words: letters and digits,
// without case and accents (https://www.sqlite.org/fts5.html#unicode61_tokenizer).

import Foundation
import GRDB

/// A text to look for: words in a row. The last may be the beginning of a longer word unless the text ends in a blank.
struct TextPattern: Hashable {
  let words: [String]
  let isOpen: Bool

  init(_ text: String) {
    words = Self.fold(Array(text.utf8)).split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
    isOpen = text.last?.isWhitespace == false
  }

  /// A query that matches the words in a row, for a table that knows the places of words
  /// (https://www.sqlite.org/fts5.html#full_text_query_syntax).
  var phrase: String { "\"" + words.joined(separator: " ") + "\"" + (isOpen ? " *" : "") }

  /// A query that matches all the words at any place.
  var allWords: String {
    words.enumerated().map { "\"\($1)\"" + (isOpen && $0 == words.count - 1 ? " *" : "") }.joined(separator: " AND ")
  }

  /// Whether the folded `text` holds the words in a row.
  func isFound(inFolded text: [UInt8]) -> Bool {
    let needle = Array((" " + words.joined(separator: " ") + (isOpen ? "" : " ")).utf8)
    guard text.count >= needle.count else { return false }
    return text.withUnsafeBufferPointer { text in
      needle.withUnsafeBufferPointer { needle in
        (0...text.count - needle.count).contains { start in
          var length = 0
          while length < needle.count, text[start + length] == needle[length] { length += 1 }
          return length == needle.count
        }
      }
    }
  }

  /// The folded words of a text, with one blank before, between and after them.
  static func fold(_ bytes: [UInt8]) -> [UInt8] {
    var folded: [UInt8] = [UInt8(ascii: " ")]
    folded.reserveCapacity(bytes.count + 2)
    func separate() { if folded.last != UInt8(ascii: " ") { folded.append(UInt8(ascii: " ")) } }
    if bytes.allSatisfy({ $0 < 0x80 }) {
      for byte in bytes {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): folded.append(byte)
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): folded.append(byte | 0x20)
        default: separate()
        }
      }
    } else {
      let text = String(decoding: bytes, as: UTF8.self).composed
        .folding(options: [.diacriticInsensitive, .caseInsensitive], locale: nil)
      for scalar in text.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
          .letterNumber, .otherNumber, .privateUse:
          folded.append(contentsOf: String(scalar).utf8)
        case .nonspacingMark, .spacingMark, .enclosingMark: break
        default: separate()
        }
      }
    }
    separate()
    return folded
  }
}

extension Store {
  /// The condition of a filter, whose texts are first looked for in the contexts.
  func condition(of filter: Filter, in db: Database) throws -> SQLCondition {
    guard let root = filter.root else { return .always }
    return try root.condition { try condition(ofContextsHolding: $0, in: db) }
  }

  /// The condition that a latent has a context with the pattern. Contexts never change, so the result is kept for the
  /// next list with the same text.
  private func condition(ofContextsHolding pattern: TextPattern, in db: Database) throws -> SQLCondition {
    if let known = foundInContexts.withLock({ $0[pattern] }) { return known }
    let latents = try latents(withContextsHolding: pattern, in: db)
    // A long list is slow, and a common word occurs in nearly all latents. Then the latents without it are listed.
    let all = try Self.latentIDs(in: db)
    let isCommon = 2 * latents.count > all.count
    let list = Self.list(isCommon ? all.filter { !latents.contains($0) } : latents.sorted())
    let condition = SQLCondition(
      sql: "latent.id \(isCommon ? "NOT IN" : "IN") (\(list.sql))", arguments: list.arguments)
    foundInContexts.withLock { known in
      if known.count >= Self.mostTextsKept { known = [:] }
      known[pattern] = condition
    }
    return condition
  }

  /// The latents with a context that holds the pattern. Repeated latents are dropped here: with DISTINCT, SQLite needed
  /// 1.3 s for 740,000 hits that it counts in 0.3 s. The search ends when no latent is left to be found.
  private func latents(withContextsHolding pattern: TextPattern, in db: Database) throws -> Set<Int> {
    let sequences = try sequences(with: pattern, in: db)
    let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM latent") ?? 0
    let statement = try db.cachedStatement(sql: "SELECT latent FROM example WHERE sequence IN (\(sequences.sql))")
    let rows = try Int.fetchCursor(statement, arguments: StatementArguments(sequences.arguments))
    var found: Set<Int> = []
    while found.count < count, let latent = try rows.next() {
      guard LatentRecord.possibleIDs.contains(latent) else {
        throw BadValue(table: "example", detail: "latent \(latent) is out of range")
      }
      found.insert(latent)
    }
    return found
  }

  private static func latentIDs(in db: Database) throws -> [Int] {
    let rows = try Row.fetchCursor(db, sql: "SELECT id FROM latent")
    var ids: [Int] = []
    while let row = try rows.next() { ids.append(try RowReader(row: row, table: "latent").int(0)) }
    return ids
  }

  private static let mostTextsKept = 16

  /// A list of ids in SQL.
  static func list(_ ids: some Sequence<some FixedWidthInteger>) -> SQLCondition {
    SQLCondition(
      sql: "SELECT value FROM json_each(?)",
      arguments: [("[" + ids.map { String($0) }.joined(separator: ",") + "]").databaseValue])
  }

  /// The sequences that hold the pattern, as an SQL list with its arguments.
  private func sequences(with pattern: TextPattern, in db: Database) throws -> SQLCondition {
    let matching = "SELECT rowid FROM sequence_search WHERE sequence_search MATCH ?"
    let arguments = [pattern.allWords.databaseValue]
    guard pattern.words.count > 1 else { return SQLCondition(sql: matching, arguments: arguments) }
    let vocabulary = try vocabulary(in: db)
    let statement = try db.cachedStatement(sql: "SELECT id, token_ids FROM sequence WHERE id IN (\(matching))")
    let rows = try Row.fetchCursor(statement, arguments: StatementArguments(arguments))
    var found: [Int32] = []
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "sequence")
      let text = TextPattern.fold(try reader.ids(1).flatMap { vocabulary[$0] ?? [] })
      if pattern.isFound(inFolded: text) { found.append(try reader.id(0)) }
    }
    return Self.list(found)
  }

  /// The bytes of all tokens that are text. They are read once.
  private func vocabulary(in db: Database) throws -> [Int32: [UInt8]] {
    if let vocabulary = textOfTokens.withLock({ $0 }) { return vocabulary }
    var vocabulary: [Int32: [UInt8]] = [:]
    let rows = try Row.fetchCursor(db, sql: "SELECT id, bytes FROM token WHERE special = 0")
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "token")
      vocabulary[try reader.id(0)] = Array(try reader.blob(1))
    }
    textOfTokens.withLock { $0 = vocabulary }
    return vocabulary
  }
}
