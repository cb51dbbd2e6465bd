// What two models differ in, found without a crosscoder: a document in sections, and directions of the residual stream. They belong to
// the pair of models, so they stay when a store gets another crosscoder. Stores from before have neither table.

import Foundation
import GRDB

/// A direction of the residual stream with what is known of it.
public struct DirectionRecord: Sendable, Equatable {
  /// Given by the store.
  public var id: Int64
  /// What it is called; no other direction of the store has the name.
  public var name: String
  /// The block, counted from 0, after which it was found.
  public var layer: Int
  /// The norm that strength 1 adds to the residual stream; positive.
  public var unit: Double
  /// Where it comes from, in a few words.
  public var source: String
  /// A JSON object with more about it.
  public var card: String
  /// `[d]`.
  public var vector: [Float]

  /// The card of a latent's direction that came with dashboards.
  public static let publishedCard = #"{"published":true}"#

  /// The name of a latent's direction that came with dashboards.
  public static func name(ofLatent latent: Int) -> String { "latent \(latent)" }

  public init(
    id: Int64 = 0, name: String, layer: Int, unit: Double, source: String, card: String = "{}", vector: [Float]
  ) {
    self.id = id
    self.name = name
    self.layer = layer
    self.unit = unit
    self.source = source
    self.card = card
    self.vector = vector
  }
}

extension Store {
  /// The sections of the document on differences, by name; empty if the models were not compared.
  public func differences() throws(StorageError) -> [String: String] {
    try read { db in
      guard try Self.hasDifferences(db) else { return [:] }
      var sections: [String: String] = [:]
      let rows = try Row.fetchCursor(db, sql: "SELECT section, content FROM difference")
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "difference")
        sections[try reader.text(0)] = try reader.text(1)
      }
      return sections
    }
  }

  /// Puts a document in the place of an earlier one, with its directions in the place of earlier ones of the same names.
  /// - Parameter sections: JSON documents by name.
  public func save(
    differences sections: [String: String], directions: [DirectionRecord]
  ) throws(StorageError) {
    try write { db in
      try db.execute(sql: "DELETE FROM difference")
      for (section, content) in sections.sorted(by: { $0.key < $1.key }) {
        try db.execute(
          sql: "INSERT INTO difference (section, content) VALUES (?, ?)", arguments: [section, content])
      }
      for direction in directions { try direction.insert(in: db) }
    }
  }

  /// All directions, by their numbers, without those of latents that came with dashboards, of which there may be very many.
  public func directions() throws(StorageError) -> [DirectionRecord] {
    try read { db in
      guard try Self.hasDifferences(db) else { return [] }
      var directions: [DirectionRecord] = []
      let rows = try Row.fetchCursor(
        db, sql: "SELECT id, name, layer, unit, source, card, vector FROM direction WHERE card <> ? ORDER BY id",
        arguments: [DirectionRecord.publishedCard])
      while let row = try rows.next() {
        directions.append(try DirectionRecord(RowReader(row: row, table: "direction")))
      }
      return directions
    }
  }

  /// Whether latents came with dashboards that have their directions. Without a crosscoder these are what steers.
  public func hasPublishedDirections() throws(StorageError) -> Bool {
    try read { db in
      guard try Self.hasDifferences(db) else { return false }
      return try Bool.fetchOne(
        db, sql: "SELECT EXISTS (SELECT 1 FROM direction WHERE card = ?)", arguments: [DirectionRecord.publishedCard])
        ?? false
    }
  }

  /// The direction of this name, one of a latent too; nil if there is none.
  public func storedDirection(named name: String) throws(StorageError) -> DirectionRecord? {
    try read { db in
      guard try Self.hasDifferences(db) else { return nil }
      let row = try Row.fetchOne(
        db, sql: "SELECT id, name, layer, unit, source, card, vector FROM direction WHERE name = ?", arguments: [name])
      return try row.map { try DirectionRecord(RowReader(row: $0, table: "direction")) }
    }
  }

  /// Saves directions, each in the place of an earlier one of its name.
  public func save(directions: [DirectionRecord]) throws(StorageError) {
    try write { db in for direction in directions { try direction.insert(in: db) } }
  }

  /// Puts a direction, perhaps under a new name, in the place of another one.
  /// - Throws: `StorageError.invalidRecord` if a third one has the new name.
  public func replace(direction name: String, with record: DirectionRecord) throws(StorageError) {
    try write { db in
      if record.name != name,
        try Int.fetchOne(db, sql: "SELECT 1 FROM direction WHERE name = ?", arguments: [record.name]) != nil
      {
        throw StorageError.invalidRecord(table: "direction", detail: "the name \"\(record.name)\" is taken")
      }
      try db.execute(sql: "UPDATE direction SET name = ? WHERE name = ?", arguments: [record.name, name])
      try record.insert(in: db)
    }
  }

  /// Deletes a direction.
  /// - Returns: whether there was one of this name.
  public func deleteDirection(named name: String) throws(StorageError) -> Bool {
    try write { db in
      try db.execute(sql: "DELETE FROM direction WHERE name = ?", arguments: [name])
      return db.changesCount > 0
    }
  }

  private static func hasDifferences(_ db: Database) throws -> Bool {
    try db.tableExists("difference") && db.tableExists("direction")
  }

  /// Whether two stores are about the same two models, as far as their files are known.
  static func comparesSameModels(_ former: Database, _ db: Database) throws -> Bool {
    let sql = "SELECT model_sha256, adapter_sha256, base_model_sha256, d_model FROM model_pair"
    guard let a = try Row.fetchOne(former, sql: sql), let b = try Row.fetchOne(db, sql: sql) else { return false }
    return a == b
  }

  /// Copies the document and the directions of one store to another one that has none.
  static func copyDifferences(from former: Database, to db: Database) throws {
    guard try hasDifferences(former) else { return }
    // The directions of latents that came with dashboards belong to these, not to the models.
    for select in [
      "SELECT * FROM difference",
      "SELECT name, layer, unit, source, card, vector FROM direction WHERE card <> '\(DirectionRecord.publishedCard)'",
    ] {
      let table = select.contains("FROM difference") ? "difference" : "direction"
      let rows = try Row.fetchCursor(former, sql: select)
      while let row = try rows.next() {
        let places = row.columnNames.map { _ in "?" }.joined(separator: ", ")
        try db.execute(
          sql: "INSERT INTO \(table) (\(row.columnNames.joined(separator: ", "))) VALUES (\(places))",
          arguments: StatementArguments(row.databaseValues))
      }
    }
  }
}

extension DirectionRecord {
  fileprivate init(_ row: RowReader) throws {
    guard let vector = Blob.readFloats(try row.blob(6)) else { throw row.bad(6, "is not a list of finite values") }
    self.init(
      id: Int64(try row.int(0, in: 0...Int.max)), name: try row.text(1), layer: try row.int(2), unit: try row.double(3),
      source: try row.text(4), card: try row.text(5), vector: vector)
  }

  func insert(in db: Database) throws {
    guard !name.isEmpty, name.count <= 200 else {
      throw StorageError.invalidRecord(
        table: "direction", detail: "the name \"\(name.prefix(200))\" is empty or too long")
    }
    guard unit > 0, unit.isFinite, vector.allSatisfy(\.isFinite), vector.contains(where: { $0 != 0 }) else {
      throw StorageError.invalidRecord(
        table: "direction", detail: "\(name) is no direction: it is 0, or a value is not finite")
    }
    guard (try? JSONSerialization.jsonObject(with: Data(card.utf8))) is [String: Any] else {
      throw StorageError.invalidRecord(table: "direction", detail: "the card of \(name) is not a JSON object")
    }
    try db.execute(
      sql: """
        INSERT INTO direction (name, layer, unit, source, card, vector) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET
          layer = excluded.layer, unit = excluded.unit, source = excluded.source, card = excluded.card, vector = excluded.vector
        """, arguments: [name, layer, unit, source, card, Blob.floats(vector)])
  }
}
