// Saved steering runs: writing, listing, searching, deleting. Only JSON documents are saved, so that export never
// fails.

import Foundation
import GRDB

extension Store {
  /// Saves an experiment and gives it its id.
  /// - Parameter experiment: its `id` is ignored.
  /// - Returns: the experiment with its id.
  @discardableResult
  public func save(_ experiment: ExperimentRecord) throws(StorageError) -> ExperimentRecord {
    try write { db in
      var saved = experiment
      saved.id = try ExperimentRecord.insert(experiment, in: db)
      return saved
    }
  }

  /// The newest experiments, newest first, at most `limit`.
  /// - Parameter id: only experiments with a smaller id are read; nil starts at the newest.
  public func experiments(before id: Int64? = nil, limit: Int = 100) throws(StorageError) -> [ExperimentRecord] {
    try read { db in try ExperimentRecord.newest(before: id, limit: limit, in: db) }
  }

  /// The ids of the experiments that hold a text, newest first. The text may be in the prompt, the kind or the answers,
  /// or be `latent 12` for a latent that was steered. ASCII letters match in either case; an empty text matches all.
  public func experimentIDs(matching text: String = "") throws(StorageError) -> [Int64] {
    try read { db in
      // Documents in somebody else's store may not be JSON, and asking SQLite for parts of them would be an error.
      func parts(_ column: String, _ key: String, _ prefix: String) -> String {
        """
        CASE WHEN json_valid(\(column)) THEN coalesce((SELECT group_concat('\(prefix)' || atom, char(10))
          FROM json_tree(\(column)) WHERE key = '\(key)'), '') ELSE '' END
        """
      }
      let searched = [
        "prompt", "kind", parts("outputs", "text", ""), parts("interventions", "latent", "latent "),
      ].joined(separator: " || char(10) || ")
      let rows = try Row.fetchCursor(
        db,
        sql: """
          SELECT id FROM experiment WHERE ?1 = '' OR instr(lower(\(searched)), lower(?1)) > 0 ORDER BY id DESC
          """, arguments: [text])
      var ids: [Int64] = []
      while let row = try rows.next() {
        ids.append(Int64(try RowReader(row: row, table: "experiment").int(0, in: 0...Int.max)))
      }
      return ids
    }
  }

  /// The experiments with these ids, in this order.
  /// - Throws: `StorageError.noSuchExperiment`.
  public func experiments(ids: some Sequence<Int64>) throws(StorageError) -> [ExperimentRecord] {
    try read { db in
      try ids.map { id in
        guard let record = try ExperimentRecord.find(id, in: db) else { throw StorageError.noSuchExperiment(id: id) }
        return record
      }
    }
  }

  /// Deletes experiments as one edit, which `undo` reverses. Experiments that no longer exist are skipped.
  @discardableResult
  public func deleteExperiments(_ ids: some Sequence<Int64>) throws(StorageError) -> AnnotationEdit {
    try write { db in
      let changes = try ids.compactMap { id in
        try ExperimentRecord.find(id, in: db).map { AnnotationChange.experimentDeleted($0) }
      }
      for change in changes { try change.apply(in: db) }
      return try Journal.record(changes, session: session, in: db)
    }
  }
}

extension ExperimentRecord {
  static func insert(_ record: ExperimentRecord, in db: Database) throws -> Int64 {
    let documents = [
      ("interventions", record.interventions), ("parameters", record.parameters), ("outputs", record.outputs),
      ("versions", record.versions),
    ]
    for (column, text) in documents {
      guard (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) != nil else {
        throw StorageError.invalidRecord(table: "experiment", detail: "column \(column) is not JSON")
      }
    }
    try db.cachedStatement(
      sql: """
        INSERT INTO experiment (created, prompt, kind, interventions, parameters, outputs, versions)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(
      arguments: [
        record.created, record.prompt, record.kind, record.interventions, record.parameters, record.outputs,
        record.versions,
      ])
    return db.lastInsertedRowID
  }

  /// Restores a deleted experiment, under another id if its own has been given to another one since.
  func restore(in db: Database) throws {
    let id = try Self.insert(self, in: db)
    try db.execute(sql: "UPDATE OR IGNORE experiment SET id = ? WHERE id = ?", arguments: [self.id, id])
  }

  /// Deletes the experiment with its id or, if it was restored under another one, the experiment with its content.
  func delete(in db: Database) throws {
    try db.execute(
      sql: """
        DELETE FROM experiment WHERE id = (
          SELECT id FROM experiment WHERE created = ? AND prompt = ? AND kind = ? AND interventions = ? AND parameters = ?
            AND outputs = ? AND versions = ? ORDER BY id <> ?, id LIMIT 1)
        """, arguments: [created, prompt, kind, interventions, parameters, outputs, versions, id])
  }

  static func find(_ id: Int64, in db: Database) throws -> ExperimentRecord? {
    guard id < Int64.max else { return nil }
    return try newest(before: id + 1, limit: 1, in: db).first { $0.id == id }
  }

  static func newest(before id: Int64?, limit: Int, in db: Database) throws -> [ExperimentRecord] {
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT id, created, prompt, kind, interventions, parameters, outputs, versions FROM experiment
        WHERE id < ? ORDER BY id DESC LIMIT ?
        """, arguments: [id ?? Int64.max, limit])
    var records: [ExperimentRecord] = []
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "experiment")
      records.append(
        ExperimentRecord(
          id: Int64(try reader.int(0, in: 0...Int.max)), created: try reader.text(1), prompt: try reader.text(2),
          kind: try reader.text(3), interventions: try reader.text(4), parameters: try reader.text(5),
          outputs: try reader.text(6), versions: try reader.text(7)))
    }
    return records
  }
}
