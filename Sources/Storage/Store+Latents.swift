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
    value = latent[sort.column]
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
  /// direction. Cost: one pass over an index, about 4 ms for 73,728 latents without a filter.
  public func latentIDs(
    sortedBy sort: LatentSort = .chatSpecificity, ascending: Bool? = nil, matching filter: Filter = .everything
  ) throws(StorageError) -> [Int32] {
    let ascending = ascending ?? sort.ascendsByDefault
    return try read { db in
      var ids: [Int32] = []
      for part in Self.parts(of: sort, ascending: ascending) {
        let condition = try self.condition(of: filter, in: db)
        let rows = try Row.fetchCursor(
          db, sql: "SELECT latent.id FROM latent WHERE \(part.condition) AND \(condition.sql) ORDER BY \(part.order)",
          arguments: StatementArguments(condition.arguments))
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
      for part in Self.parts(of: sort, ascending: ascending) where latents.count < limit {
        let condition = try self.condition(of: filter, in: db)
        guard let start = part.start(after: key) else { continue }
        let rows = try Row.fetchCursor(
          db,
          sql: """
            SELECT \(LatentRecord.columnList) FROM latent
            WHERE \(part.condition) AND \(start.sql) AND \(condition.sql) ORDER BY \(part.order) LIMIT ?
            """,
          arguments: StatementArguments(
            start.arguments + condition.arguments + [(limit - latents.count).databaseValue]))
        while let row = try rows.next() { latents.append(try LatentRecord(RowReader(row: row, table: "latent"))) }
      }
      return latents
    }
  }

  /// The latents with these ids, in this order. For the visible window of `latentIDs`.
  /// - Throws: `StorageError.noSuchLatent` for an id that the store does not have.
  public func latents(ids: some Sequence<Int32>) throws(StorageError) -> [LatentRecord] {
    try read { db in try ids.map { try Self.latent($0, in: db) } }
  }

  /// One latent's row.
  /// - Throws: `StorageError.noSuchLatent` for an id that the store does not have.
  public func latent(_ id: Int32) throws(StorageError) -> LatentRecord {
    try read { db in try Self.latent(id, in: db) }
  }

  static func latent(_ id: Int32, in db: Database) throws -> LatentRecord {
    let statement = try db.cachedStatement(sql: "SELECT \(LatentRecord.columnList) FROM latent WHERE id = ?")
    guard let row = try Row.fetchOne(statement, arguments: [id]) else { throw try noSuchLatent(Int(id), in: db) }
    return try LatentRecord(RowReader(row: row, table: "latent"))
  }

  static func noSuchLatent(_ id: Int, in db: Database) throws -> StorageError {
    .noSuchLatent(id: id, count: try Int.fetchOne(db, sql: "SELECT count(*) FROM latent") ?? 0)
  }

  // MARK: Orders

  /// One of the two parts of an order: the rows with a value, then those without. (A single ORDER BY with NULLS LAST
  /// would have SQLite sort where an index is there.)
  struct OrderPart {
    let column: String
    let ascending: Bool
    let hasValue: Bool

    var condition: String { "latent.\(column) IS \(hasValue ? "NOT NULL" : "NULL")" }

    var order: String {
      let direction = ascending ? "ASC" : "DESC"
      return hasValue && column != "id"
        ? "latent.\(column) \(direction), latent.id \(direction)" : "latent.id \(direction)"
    }

    /// The rows of this part after `key`; nil if all of them come before it.
    func start(after key: LatentKey?) -> SQLCondition? {
      guard let key else { return .always }
      let comparison = ascending ? ">" : "<"
      switch (key.value, hasValue) {
      case (nil, true): return nil
      case (.some, false): return .always
      case (.some, true) where column != "id":
        return SQLCondition(
          sql: "(latent.\(column), latent.id) \(comparison) (?, ?)",
          arguments: [key.value.databaseValue, key.id.databaseValue])
      default: return SQLCondition(sql: "latent.id \(comparison) ?", arguments: [key.id.databaseValue])
      }
    }
  }

  static func parts(of sort: LatentSort, ascending: Bool) -> [OrderPart] {
    let column = sort.column.rawValue
    let withValue = OrderPart(column: column, ascending: ascending, hasValue: true)
    return sort == .id ? [withValue] : [withValue, OrderPart(column: column, ascending: ascending, hasValue: false)]
  }
}
