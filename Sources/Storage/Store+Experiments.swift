// Saved steering runs.
// Owns: writing and listing experiments. Refuses: documents that are not JSON, so that export never meets one.

import Foundation
import GRDB

extension Store {
  /// Saves an experiment and gives it its id.
  /// - Parameter experiment: its `id` is not looked at.
  /// - Returns: the experiment with its id.
  @discardableResult
  public func save(_ experiment: ExperimentRecord) throws(StorageError) -> ExperimentRecord {
    try write { db in
      var saved = experiment
      saved.id = try ExperimentRecord.insert(experiment, in: db)
      return saved
    }
  }

  /// Experiments, newest first, at most `limit`.
  /// - Parameter id: only those with a smaller id; nil starts at the newest.
  public func experiments(before id: Int64? = nil, limit: Int = 100) throws(StorageError) -> [ExperimentRecord] {
    try read { db in try ExperimentRecord.newest(before: id, limit: limit, in: db) }
  }

  /// Deletes an experiment.
  /// - Returns: false if there is none with this id.
  @discardableResult
  public func deleteExperiment(_ id: Int64) throws(StorageError) -> Bool {
    try write { db in
      try db.execute(sql: "DELETE FROM experiment WHERE id = ?", arguments: [id])
      return db.changesCount > 0
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
