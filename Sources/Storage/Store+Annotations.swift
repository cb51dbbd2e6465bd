// What a user adds to latents: tags and notes, and undoing these edits. An edit is one transaction and one entry of the
// journal, even over many latents, and keeps the text search up to date. Tags without a visible name and notes longer
// than a page can show are errors.

import Foundation
import GRDB

/// The result of an edit.
public struct AnnotationEdit: Sendable, Equatable {
  /// A text for a status line, such as `tag refusal on 3 latents`.
  public var summary: String
  /// The latents whose tags or note are now different, in order.
  public var latents: [Int]
}

extension Store {
  /// Tags that are offered if none are in use yet.
  public static let suggestedTags = ["refusal", "false-information", "personal-question", "template"]

  /// The longest note, in bytes of UTF-8.
  public static let longestNote = 1 << 20

  // MARK: Reading

  /// All tags in use with the number of their latents, by name.
  public func tagCounts() throws(StorageError) -> [(name: String, count: Int)] {
    try read { db in
      let rows = try Row.fetchCursor(db, sql: "SELECT name, count(*) FROM tag GROUP BY name ORDER BY name")
      var counts: [(name: String, count: Int)] = []
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "tag")
        counts.append((try reader.text(0), try reader.int(1)))
      }
      return counts
    }
  }

  /// The tags of these latents, by name; a latent without tags is left out.
  public func tags(of latents: some Sequence<Int>) throws(StorageError) -> [Int: [String]] {
    try read { db in
      var tags: [Int: [String]] = [:]
      for latent in latents {
        let own = try Self.tags(of: latent, in: db)
        if !own.isEmpty { tags[latent] = own }
      }
      return tags
    }
  }

  /// How many of these latents have each tag; tags that none has are left out. Cost: one look-up for each latent.
  public func tagCounts(of latents: [Int]) throws(StorageError) -> [String: Int] {
    try read { db in
      let list = Self.list(latents)
      let rows = try Row.fetchCursor(
        db, sql: "SELECT name, count(*) FROM tag WHERE latent IN (\(list.sql)) GROUP BY name",
        arguments: StatementArguments(list.arguments))
      var counts: [String: Int] = [:]
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "tag")
        counts[try reader.text(0)] = try reader.int(1)
      }
      return counts
    }
  }

  /// The latents among these that have a note.
  public func noted(among latents: [Int]) throws(StorageError) -> Set<Int> {
    try read { db in
      let statement = try db.cachedStatement(sql: "SELECT 1 FROM note WHERE latent = ?")
      return Set(try latents.filter { try Row.fetchOne(statement, arguments: [$0]) != nil })
    }
  }

  /// A latent's note; nil if it has none.
  public func note(of latent: Int) throws(StorageError) -> String? {
    try read { db in try Self.note(of: latent, in: db) }
  }

  // MARK: Editing

  /// Adds and removes tags and sets the note of one or many latents, as one step of undo.
  /// - Parameter adding: wins over `removing` if a tag is in both.
  /// - Parameter note: nil leaves the notes unchanged, an empty text removes them.
  /// - Returns: what changed. If nothing changed, nothing is recorded.
  /// - Throws: `invalidTag`, `noSuchLatent`, `readOnly` and others; then nothing has changed.
  @discardableResult
  public func annotate(
    _ latents: [Int], adding: [String] = [], removing: [String] = [], note: String? = nil
  ) throws(StorageError) -> AnnotationEdit {
    let added = try Self.tagNames(adding)
    let removed = try Self.tagNames(removing).filter { !added.contains($0) }
    let latents = Set(latents).sorted()
    let note = note?.trimmingCharacters(in: .whitespacesAndNewlines)
    if let note, note.utf8.count > Self.longestNote {
      throw .invalidRecord(table: "note", detail: "it is longer than \(Self.longestNote) bytes")
    }
    return try write { db in
      try Self.require(latents, in: db)
      var changes: [AnnotationChange] = []
      for name in removed {
        let tagged = try Self.latents(tagged: name, in: db)
        let having = latents.filter(tagged.contains)
        if !having.isEmpty { changes.append(.untagged(name: name, latents: having)) }
      }
      for name in added {
        let tagged = try Self.latents(tagged: name, in: db)
        let lacking = latents.filter { !tagged.contains($0) }
        if !lacking.isEmpty { changes.append(.tagged(name: name, latents: lacking)) }
      }
      if let note {
        for latent in latents {
          let before = try Self.note(of: latent, in: db) ?? ""
          if before != note { changes.append(.noted(latent: latent, before: before, after: note)) }
        }
      }
      for change in changes { try change.apply(in: db) }
      return try Journal.record(changes, session: session, in: db)
    }
  }

  /// Undoes this session's newest edit that has not been undone; nil if there is none.
  /// - Throws: `StorageError.editedSince`, without any change, if another session has since changed one of its latents.
  public func undo() throws(StorageError) -> AnnotationEdit? {
    try write { db in try Journal.undo(session: session, in: db) }
  }

  /// Repeats the edit that this session undid last; nil if there is none.
  /// - Throws: `StorageError.editedSince` for the same reason as `undo`.
  public func redo() throws(StorageError) -> AnnotationEdit? {
    try write { db in try Journal.redo(session: session, in: db) }
  }

  // MARK: Inside a transaction

  /// The names as they are stored: without blanks around them, composed, each once.
  public static func tagNames(_ names: [String]) throws(StorageError) -> [String] {
    var result: [String] = []
    for given in names {
      let name = given.trimmingCharacters(in: .whitespacesAndNewlines).composed
      func refuse(_ reason: String) -> StorageError { .invalidTag(name: String(name.prefix(80)), reason: reason) }
      if name.isEmpty { throw refuse("a tag needs a name") }
      if name.count > 64 { throw refuse("it is longer than 64 characters") }
      let hidden: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator, .surrogate]
      if name.unicodeScalars.contains(where: { hidden.contains($0.properties.generalCategory) || $0 == "\"" }) {
        throw refuse("control characters and quotes are not allowed")
      }
      if !result.contains(name) { result.append(name) }
    }
    return result
  }

  /// Checks that the store has these latents.
  /// - Throws: `StorageError.noSuchLatent` for the first that it lacks.
  private static func require(_ latents: [Int], in db: Database) throws {
    let list = list(latents)
    let row = try Row.fetchOne(
      db, sql: "SELECT value FROM (\(list.sql)) WHERE value NOT IN (SELECT id FROM latent) LIMIT 1",
      arguments: StatementArguments(list.arguments))
    if let row {
      throw try noSuchLatent(try RowReader(row: row, table: "latent").int(0, in: Int.min...Int.max), in: db)
    }
  }

  private static func latents(tagged name: String, in db: Database) throws -> Set<Int> {
    let statement = try db.cachedStatement(sql: "SELECT latent FROM tag WHERE name = ?")
    let rows = try Row.fetchCursor(statement, arguments: [name])
    var latents: Set<Int> = []
    while let row = try rows.next() { latents.insert(try RowReader(row: row, table: "tag").int(0)) }
    return latents
  }

  static func tags(of latent: Int, in db: Database) throws -> [String] {
    let statement = try db.cachedStatement(sql: "SELECT name FROM tag WHERE latent = ? ORDER BY name")
    let rows = try Row.fetchCursor(statement, arguments: [latent])
    var names: [String] = []
    while let row = try rows.next() { names.append(try RowReader(row: row, table: "tag").text(0)) }
    return names
  }

  static func note(of latent: Int, in db: Database) throws -> String? {
    let statement = try db.cachedStatement(sql: "SELECT text FROM note WHERE latent = ?")
    return try Row.fetchOne(statement, arguments: [latent]).map { try RowReader(row: $0, table: "note").text(0) }
  }
}
