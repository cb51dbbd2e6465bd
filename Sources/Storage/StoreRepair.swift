// Makes a new store from what can still be read of a damaged one. SalvagedTable reads each table; indices, the text
// search and the rows of latents that cannot be read are made again. The damaged file is kept unchanged under another
// name. A store that another program has open, or that does not say what pair of models it is about, is not repaired.

import Foundation
import GRDB
import Glibc

/// The result of a repair.
public struct StoreRepair: Sendable, Equatable {
  /// The numbers of rows in the repaired store, in the order of the tables.
  public var kept: [Rows] = []
  /// Descriptions of what could not be read; empty if nothing was lost.
  public var lost: [StoreFinding] = []
  /// The path to which the damaged file was moved.
  public var damagedPath = ""

  /// The number of rows of one table.
  public struct Rows: Sendable, Equatable {
    public var table: String
    public var count: Int
  }

  /// Repairs the store at `path`: every row that can be read goes into a new file, which then takes its place.
  /// - Returns: what was kept and what was lost.
  /// - Throws: `StorageError`: `busy` while another program has it open; `diskFull`; `truncated` and the like for a
  ///   file that SQLite cannot read at all; `damaged` if the pair of models cannot be read. Then nothing has changed.
  public static func run(path givenPath: String) throws -> StoreRepair {
    let path = try StoreFile(at: givenPath).path
    do {
      let source = try DatabaseQueue(path: path, configuration: Store.configuration(readOnly: false))
      return try source.writeWithoutTransaction { db in
        guard try Store.lockAlone(db) else { throw StorageError.busy(path: path) }
        defer { try? db.execute(sql: "ROLLBACK") }
        return try rebuild(from: db, path: path)
      }
    } catch {
      throw StorageError.translating(error, path: path)
    }
  }

  private static func rebuild(from db: Database, path: String) throws -> StoreRepair {
    guard let row = try Row.fetchOne(db, sql: "SELECT \(ModelPair.columnList) FROM model_pair") else {
      throw StorageError.damaged(path: path, detail: "it does not say what pair of models it is about")
    }
    let pair = try ModelPair(RowReader(row: row, table: "model_pair"))
    let writer = try StoreWriter(replacing: path, pair: pair)
    var repair = StoreRepair()
    for table in SalvagedTable.all {
      try writer.transaction(table.name) { target in
        let lost = try table.copy(from: db, to: target)
        if let lost { repair.lost.append(StoreFinding(table: table.name, detail: lost)) }
        if table.name == "latent" { try addMissingLatents(of: pair, to: target, &repair) }
        repair.kept.append(
          Rows(table: table.name, count: try Int.fetchOne(target, sql: "SELECT count(*) FROM \(table.name)") ?? 0))
      }
    }
    try writer.indexTexts()
    repair.damagedPath = freeName(beside: path)
    try writer.finish(keepingFormerAs: repair.damagedPath)
    return repair
  }

  /// Adds the latents whose rows were lost: such a latent can still be tagged, and keeps the user's tags.
  private static func addMissingLatents(of pair: ModelPair, to db: Database, _ repair: inout StoreRepair) throws {
    let there = try Set(Int.fetchAll(db, sql: "SELECT id FROM latent"))
    let missing = (0..<pair.nLatents).filter { !there.contains($0) }
    guard !missing.isEmpty else { return }
    let statement = try db.makeStatement(sql: "INSERT INTO latent (id, dead, class) VALUES (?, 0, 'other')")
    for id in missing { try statement.execute(arguments: [id]) }
    repair.lost.append(
      StoreFinding(
        table: "latent",
        detail:
          "the numbers of \(missing.count) latents (\(missing.prefix(5).map(String.init).joined(separator: ", "))…)"))
  }

  private static func freeName(beside path: String) -> String {
    let first = path + ".damaged"
    guard FileIdentity(at: first) != nil else { return first }
    return (2...).lazy.map { "\(first)-\($0)" }.first { FileIdentity(at: $0) == nil } ?? first
  }
}

extension StoreWriter {
  /// Makes notes, explanations and sequences of the new store searchable, using the tables themselves.
  fileprivate func indexTexts() throws(StorageError) {
    try transaction("sequence_search") { db in
      try db.execute(
        sql: """
          INSERT INTO note_search (rowid, text) SELECT latent, text FROM note;
          INSERT INTO explanation_search (rowid, text) SELECT id, text FROM explanation;
          """)
      var vocabulary: [Int32: TokenRecord] = [:]
      let tokens = try Row.fetchCursor(db, sql: "SELECT id, bytes, special FROM token")
      while let row = try tokens.next() {
        let reader = RowReader(row: row, table: "token")
        let token = TokenRecord(id: try reader.id(0), bytes: Array(try reader.blob(1)), isSpecial: try reader.bool(2))
        vocabulary[token.id] = token
      }
      guard !vocabulary.isEmpty else { return }
      let search = try db.makeStatement(sql: "INSERT INTO sequence_search (rowid, text) VALUES (?, ?)")
      let sequences = try Row.fetchCursor(db, sql: "SELECT id, token_ids FROM sequence")
      while let row = try sequences.next() {
        let reader = RowReader(row: row, table: "sequence")
        // Tokens that cannot be read have no text by which they could be found.
        guard let ids = Blob.readIDs(try reader.blob(1)) else { continue }
        try search.execute(arguments: [try reader.id(0), Self.text(of: ids, vocabulary)])
      }
    }
  }
}
