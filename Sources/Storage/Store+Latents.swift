// The latent table: counting, ordering, filtering, paging.
// Owns: the queries behind every list of latents. Refuses: offsets; a list is paged by key, or by the sorted ids,
// which cost 4 bytes a latent and are loaded once.

import Foundation
import GRDB

/// A place in an order of latents: the row after which a page starts.
public struct LatentKey: Sendable, Equatable {
  public var value: Double?
  public var id: Int32

  /// The place of `latent` in the order `sort`.
  public init(_ latent: LatentRecord, in sort: LatentSort) {
    value = latent[sort]
    id = latent.id
  }
}

extension Store {
  /// How many latents the filter lets through.
  public func latentCount(matching filter: Filter = .everything) throws(StorageError) -> Int {
    try read { db in
      let condition = try self.condition(of: filter, in: db)
      return try Int.fetchOne(
        db, sql: "SELECT count(*) FROM latent WHERE \(condition.sql)",
        arguments: StatementArguments(condition.arguments)) ?? 0
    }
  }

  /// The ids of the latents that the filter lets through, in order: missing values last, ties by id in the order's
  /// direction. Cost: one pass over an index.
  public func latentIDs(
    sortedBy sort: LatentSort = .chatSpecificity, ascending: Bool? = nil, matching filter: Filter = .everything
  ) throws(StorageError) -> [Int32] {
    let ascending = ascending ?? sort.ascendsByDefault
    return try read { db in
      var ids: [Int32] = []
      for part in try parts(of: sort, ascending: ascending, in: db) {
        let condition = try self.condition(of: filter, in: db)
        let rows = try Row.fetchCursor(
          db,
          sql: """
            SELECT latent.id FROM \(part.tables) WHERE \(part.condition.sql) AND \(condition.sql) ORDER BY \(part.order)
            """, arguments: StatementArguments(part.condition.arguments + condition.arguments))
        while let row = try rows.next() { ids.append(try RowReader(row: row, table: "latent").id(0)) }
      }
      return ids
    }
  }

  /// A page of latents in order (as `latentIDs`), starting after the row of `key`.
  ///
  /// Without a filter the cost does not depend on where in the list the page is.
  public func latents(
    sortedBy sort: LatentSort = .chatSpecificity, ascending: Bool? = nil, matching filter: Filter = .everything,
    after key: LatentKey? = nil, limit: Int
  ) throws(StorageError) -> [LatentRecord] {
    let ascending = ascending ?? sort.ascendsByDefault
    return try read { db in
      var latents: [LatentRecord] = []
      for part in try parts(of: sort, ascending: ascending, in: db) where latents.count < limit {
        let condition = try self.condition(of: filter, in: db)
        guard let start = part.start(after: key) else { continue }
        let rows = try Row.fetchCursor(
          db,
          sql: """
            SELECT \(LatentRecord.qualifiedColumnList) FROM \(part.tables)
            WHERE \(part.condition.sql) AND \(start.sql) AND \(condition.sql) ORDER BY \(part.order) LIMIT ?
            """,
          arguments: StatementArguments(
            part.condition.arguments + start.arguments + condition.arguments + [(limit - latents.count).databaseValue]))
        while let row = try rows.next() { latents.append(try LatentRecord(RowReader(row: row, table: "latent"))) }
      }
      for index in latents.indices { latents[index].metrics = try metrics(of: latents[index].id, in: db) }
      return latents
    }
  }

  /// The latents with these ids, in this order. For the visible window of `latentIDs`.
  /// - Throws: `StorageError.noSuchLatent` for an id that the store does not have.
  public func latents(ids: some Sequence<Int32>) throws(StorageError) -> [LatentRecord] {
    try read { db in try ids.map { try latent($0, in: db) } }
  }

  /// One latent's row.
  /// - Throws: `StorageError.noSuchLatent` for an id that the store does not have.
  public func latent(_ id: Int32) throws(StorageError) -> LatentRecord {
    try read { db in try latent(id, in: db) }
  }

  func latent(_ id: Int32, in db: Database) throws -> LatentRecord {
    let statement = try db.cachedStatement(sql: "SELECT \(LatentRecord.columnList) FROM latent WHERE id = ?")
    guard let row = try Row.fetchOne(statement, arguments: [id]) else {
      throw try Self.noSuchLatent(Int(id), in: db)
    }
    var latent = try LatentRecord(RowReader(row: row, table: "latent"))
    latent.metrics = try metrics(of: id, in: db)
    return latent
  }

  static func noSuchLatent(_ id: Int, in db: Database) throws -> StorageError {
    .noSuchLatent(id: id, count: try Int.fetchOne(db, sql: "SELECT count(*) FROM latent") ?? 0)
  }

  // MARK: Orders

  /// One of the two parts of an order: the rows with a value, then those without. (A single ORDER BY with NULLS LAST
  /// would have SQLite sort where an index is there.)
  struct OrderPart {
    /// What is compared, as SQL.
    let value: String
    let tables: String
    let condition: SQLCondition
    let ascending: Bool
    let hasValue: Bool
    /// Whether the value is the id itself.
    var isID: Bool { value == "latent.id" }

    var order: String {
      let direction = ascending ? "ASC" : "DESC"
      return hasValue && !isID ? "\(value) \(direction), \(id) \(direction)" : "latent.id \(direction)"
    }

    /// The id as the index of the value has it.
    private var id: String { tables == "latent" ? "latent.id" : "v.latent" }

    /// The rows of this part after `key`; nil if all of them come before it.
    func start(after key: LatentKey?) -> SQLCondition? {
      guard let key else { return .always }
      let comparison = ascending ? ">" : "<"
      switch (key.value, hasValue) {
      case (nil, true): return nil
      case (.some, false): return .always
      case (.some, true) where !isID:
        return SQLCondition(
          sql: "(\(value), \(id)) \(comparison) (?, ?)", arguments: [key.value.databaseValue, key.id.databaseValue])
      default: return SQLCondition(sql: "latent.id \(comparison) ?", arguments: [key.id.databaseValue])
      }
    }
  }

  /// - Throws: `StorageError.noSuchMetric` for a metric that the store does not have.
  func parts(of sort: LatentSort, ascending: Bool, in db: Database) throws -> [OrderPart] {
    func part(_ value: String, _ tables: String, _ condition: SQLCondition, hasValue: Bool = true) -> OrderPart {
      OrderPart(value: value, tables: tables, condition: condition, ascending: ascending, hasValue: hasValue)
    }
    guard let column = sort.column else {
      let metric = try self.metric(named: sort.name, in: db).id.databaseValue
      // CROSS JOIN: in the order of the index (metric, value), looking the latents up; not the other way round.
      return [
        part(
          "v.value", "latent_metric v CROSS JOIN latent ON latent.id = v.latent",
          SQLCondition(sql: "v.metric = ?", arguments: [metric])),
        part(
          "", "latent",
          SQLCondition(
            sql: "NOT EXISTS (SELECT 1 FROM latent_metric v WHERE v.metric = ? AND v.latent = latent.id)",
            arguments: [metric]), hasValue: false),
      ]
    }
    let name = "latent." + column.rawValue
    if sort == .id { return [part(name, "latent", .always)] }
    return [
      part(name, "latent", SQLCondition(sql: "\(name) IS NOT NULL")),
      part(name, "latent", SQLCondition(sql: "\(name) IS NULL"), hasValue: false),
    ]
  }
}
