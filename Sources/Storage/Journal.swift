// The journal that undo and redo read.
// Owns: recording edits of tags and notes and deleted experiments, reversing and repeating them, each in the
// transaction of its caller.
// Refuses: to keep more than the newest thousand. A new edit forgets what had been taken back.

import Foundation
import GRDB

/// One reversible change.
enum AnnotationChange: Codable, Equatable {
  /// These latents got the tag; none of them had it before.
  case tagged(name: String, latents: [Int32])
  /// These latents lost the tag; all of them had it before.
  case untagged(name: String, latents: [Int32])
  /// An empty text is no note.
  case noted(latent: Int32, before: String, after: String)
  /// The experiment went, with all that it held.
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

  var latents: [Int32] {
    switch self {
    case .tagged(_, let latents), .untagged(_, let latents): latents
    case .noted(let latent, _, _): [latent]
    case .experimentDeleted, .experimentRestored: []
    }
  }

  var summary: String {
    func on(_ latents: [Int32]) -> String {
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

  /// Adds an entry for changes that have been applied. Forgets entries that had been taken back, and the oldest.
  static func record(_ changes: [AnnotationChange], in db: Database) throws -> AnnotationEdit {
    let edit = edit(of: changes)
    guard !changes.isEmpty else { return edit }
    try db.execute(sql: "DELETE FROM journal WHERE undone = 1")
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try db.execute(
      sql: "INSERT INTO journal (action, changes, undone) VALUES (?, ?, 0)",
      arguments: [edit.summary, String(decoding: try encoder.encode(changes), as: UTF8.self)])
    try db.execute(
      sql: "DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?", arguments: [longest])
    return edit
  }

  static func undo(in db: Database) throws -> AnnotationEdit? {
    guard let (id, changes) = try entry("WHERE undone = 0 ORDER BY id DESC", in: db) else { return nil }
    for change in changes.reversed() { try change.reversed.apply(in: db) }
    try db.execute(sql: "UPDATE journal SET undone = 1 WHERE id = ?", arguments: [id])
    return edit(of: changes)
  }

  static func redo(in db: Database) throws -> AnnotationEdit? {
    guard let (id, changes) = try entry("WHERE undone = 1 ORDER BY id", in: db) else { return nil }
    for change in changes { try change.apply(in: db) }
    try db.execute(sql: "UPDATE journal SET undone = 0 WHERE id = ?", arguments: [id])
    return edit(of: changes)
  }

  private static func entry(_ which: String, in db: Database) throws -> (id: Int64, changes: [AnnotationChange])? {
    guard let row = try Row.fetchOne(db, sql: "SELECT id, changes FROM journal \(which) LIMIT 1") else { return nil }
    let reader = RowReader(row: row, table: "journal")
    let id = Int64(try reader.int(0, in: 0...Int.max))
    guard let changes = try? JSONDecoder().decode([AnnotationChange].self, from: Data(try reader.text(1).utf8)) else {
      throw reader.bad(1, "not a list of changes")
    }
    return (id, changes)
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
