// The journal that undo and redo read. It records edits of tags and notes and deleted experiments, reverses and repeats
// them, each in the transaction of its caller. Every edit belongs to a session: one explorer from start to end, or one
// command.
// A session undoes only its own edits, and none if another session has changed one of its latents since. A new edit
// discards the edits that its session had undone. The newest thousand entries are kept.

import Foundation
import GRDB

/// One reversible change.
enum AnnotationChange: Codable, Equatable {
  /// These latents got the tag; none of them had it before.
  case tagged(name: String, latents: [Int])
  /// These latents lost the tag; all of them had it before.
  case untagged(name: String, latents: [Int])
  /// A note was changed. An empty text means that there is no note.
  case noted(latent: Int, before: String, after: String)
  /// The experiment was deleted with everything that it held.
  case experimentDeleted(ExperimentRecord)
  case experimentRestored(ExperimentRecord)

  var reversed: AnnotationChange {
    switch self {
    case .tagged(let name, let latents): .untagged(name: name, latents: latents)
    case .untagged(let name, let latents): .tagged(name: name, latents: latents)
    case .noted(let latent, let before, let after): .noted(latent: latent, before: after, after: before)
    case .experimentDeleted(let record): .experimentRestored(record)
    case .experimentRestored(let record): .experimentDeleted(record)
    }
  }

  var latents: [Int] {
    switch self {
    case .tagged(_, let latents), .untagged(_, let latents): latents
    case .noted(let latent, _, _): [latent]
    case .experimentDeleted, .experimentRestored: []
    }
  }

  /// The id of the experiment that the change is about.
  var experiment: Int64? {
    switch self {
    case .experimentDeleted(let record), .experimentRestored(let record): record.id
    case .tagged, .untagged, .noted: nil
    }
  }

  var summary: String {
    func on(_ latents: [Int]) -> String {
      latents.count == 1 ? "latent \(latents[0])" : "\(latents.count) latents"
    }
    return switch self {
    case .tagged(let name, let latents): "tag \(name) on \(on(latents))"
    case .untagged(let name, let latents): "tag \(name) off \(on(latents))"
    case .noted(let latent, _, let after): after.isEmpty ? "no note on latent \(latent)" : "note on latent \(latent)"
    case .experimentDeleted(let record): "experiment \(record.id) deleted"
    case .experimentRestored(let record): "experiment \(record.id) restored"
    }
  }

  /// Brings the store to the state after this change, whatever another program has done in between.
  func apply(in db: Database) throws {
    switch self {
    case .tagged(let name, let latents):
      let statement = try db.cachedStatement(sql: "INSERT OR IGNORE INTO tag (name, latent) VALUES (?, ?)")
      for latent in latents { try statement.execute(arguments: [name, latent]) }
    case .untagged(let name, let latents):
      let statement = try db.cachedStatement(sql: "DELETE FROM tag WHERE name = ? AND latent = ?")
      for latent in latents { try statement.execute(arguments: [name, latent]) }
    case .experimentDeleted(let record): try record.delete(in: db)
    case .experimentRestored(let record): try record.restore(in: db)
    case .noted(let latent, _, let after):
      for table in ["note", "note_search"] {
        let key = table == "note" ? "latent" : "rowid"
        try db.cachedStatement(sql: "DELETE FROM \(table) WHERE \(key) = ?").execute(arguments: [latent])
        guard !after.isEmpty else { continue }
        try db.cachedStatement(sql: "INSERT INTO \(table) (\(key), text) VALUES (?, ?)")
          .execute(arguments: [latent, after])
      }
    }
  }
}

enum Journal {
  static let longest = 1000

  /// An entry with the numbers that order it among the others.
  private struct Entry {
    let id: Int64
    let stamp: Int64
    let isUndone: Bool
    let changes: [AnnotationChange]

    static let columns = "id, stamp, undone, changes"

    init(_ row: Row) throws {
      let reader = RowReader(row: row, table: "journal")
      id = Int64(try reader.int(0, in: 0...Int.max))
      stamp = Int64(try reader.int(1, in: 0...Int.max))
      isUndone = try reader.int(2, in: 0...1) == 1
      guard let changes = try? JSONDecoder().decode([AnnotationChange].self, from: Data(try reader.text(3).utf8)) else {
        throw reader.bad(3, "is not a list of changes")
      }
      self.changes = changes
    }
  }

  /// Adds an entry for changes that were applied. Discards the session's undone edits and the oldest entries.
  static func record(_ changes: [AnnotationChange], session: String, in db: Database) throws -> AnnotationEdit {
    let edit = edit(of: changes)
    guard !changes.isEmpty else { return edit }
    try db.execute(sql: "DELETE FROM journal WHERE undone = 1 AND session = ?", arguments: [session])
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try db.execute(
      sql: "INSERT INTO journal (action, changes, undone, session, stamp) VALUES (?, ?, 0, ?, \(nextStamp))",
      arguments: [edit.summary, String(decoding: try encoder.encode(changes), as: UTF8.self), session])
    try db.execute(
      sql: "DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?", arguments: [longest])
    return edit
  }

  /// Undoes the session's newest edit that has not been undone; nil if there is none.
  /// - Throws: `StorageError.editedSince`.
  static func undo(session: String, in db: Database) throws -> AnnotationEdit? {
    guard let entry = try newest(undone: false, session: session, in: db) else { return nil }
    try requireUntouched(entry, "undone", session: session, in: db)
    for change in entry.changes.reversed() { try change.reversed.apply(in: db) }
    try mark(entry, undone: true, in: db)
    return edit(of: entry.changes)
  }

  /// Repeats the edit that the session undid last; nil if there is none.
  /// - Throws: `StorageError.editedSince`.
  static func redo(session: String, in db: Database) throws -> AnnotationEdit? {
    guard let entry = try newest(undone: true, session: session, in: db) else { return nil }
    try requireUntouched(entry, "redone", session: session, in: db)
    for change in entry.changes { try change.apply(in: db) }
    try mark(entry, undone: false, in: db)
    return edit(of: entry.changes)
  }

  private static let nextStamp = "(SELECT coalesce(max(stamp), 0) + 1 FROM journal)"

  private static func mark(_ entry: Entry, undone: Bool, in db: Database) throws {
    try db.execute(
      sql: "UPDATE journal SET undone = ?, stamp = \(nextStamp) WHERE id = ?", arguments: [undone, entry.id])
  }

  private static func newest(undone: Bool, session: String, in db: Database) throws -> Entry? {
    try Row.fetchOne(
      db,
      sql: """
        SELECT \(Entry.columns) FROM journal WHERE undone = ? AND session = ? ORDER BY stamp DESC LIMIT 1
        """, arguments: [undone, session]
    ).map(Entry.init)
  }

  /// Checks that no other session has later changed what the entry is about.
  /// - Throws: `StorageError.editedSince` if one has.
  private static func requireUntouched(_ entry: Entry, _ what: String, session: String, in db: Database) throws {
    let latents = Set(entry.changes.flatMap(\.latents))
    let experiments = Set(entry.changes.compactMap(\.experiment))
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT \(Entry.columns) FROM journal WHERE session <> ? AND stamp > ? ORDER BY stamp DESC
        """, arguments: [session, entry.stamp])
    while let other = try rows.next().map(Entry.init) {
      // A later edit that its own session has undone counts as if it had never been made.
      if other.isUndone, other.id > entry.id { continue }
      let shared = other.changes.flatMap(\.latents).filter(latents.contains).min()
      let experiment = other.changes.compactMap(\.experiment).filter(experiments.contains).min()
      guard shared != nil || experiment != nil else { continue }
      throw StorageError.editedSince(
        edit: edit(of: entry.changes).summary, what: what,
        subject: shared.map { "latent \($0)" } ?? "experiment \(experiment ?? 0)",
        by: edit(of: other.changes).summary)
    }
  }

  // MARK: Carrying over

  /// All entries as they are stored, oldest first.
  static func rows(in db: Database) throws -> [Row] {
    try Row.fetchAll(db, sql: "SELECT action, changes, undone, session, stamp FROM journal ORDER BY id")
  }

  /// Copies the entries of a store into another one with the same crosscoder.
  static func insert(_ rows: [Row], in db: Database) throws {
    let statement = try db.makeStatement(
      sql: "INSERT INTO journal (action, changes, undone, session, stamp) VALUES (?, ?, ?, ?, ?)")
    for row in rows { try statement.execute(arguments: StatementArguments(row.databaseValues)) }
  }

  private static func edit(of changes: [AnnotationChange]) -> AnnotationEdit {
    let latents = Set(changes.flatMap(\.latents)).sorted()
    let summary =
      switch changes.count {
      case 0: "nothing changed"
      case 1: changes[0].summary
      default:
        changes.count <= 3
          ? changes.map(\.summary).joined(separator: ", ")
          : latents.isEmpty
            ? "\(changes.count) experiments deleted"
            : "\(changes.count) changes on \(latents.count == 1 ? "latent \(latents[0])" : "\(latents.count) latents")"
      }
    return AnnotationEdit(summary: summary, latents: latents)
  }
}
