// The latent table: the queries behind every list of latents, which count, order and filter. A list is its sorted ids,
// which take 8 bytes for each latent and are loaded once; rows are then read by id, without offsets or pages.

import Foundation
import GRDB

/// One key of an order of latents.
public struct LatentOrder: Sendable, Hashable {
  public var sort: LatentSort
  public var ascending: Bool

  /// - Parameter ascending: nil means the sort's usual direction.
  public init(_ sort: LatentSort, ascending: Bool? = nil) {
    self.sort = sort
    self.ascending = ascending ?? sort.ascendsByDefault
  }
}

/// Latents in an order.
public struct LatentList: Sendable, Equatable {
  public var ids: [Int] = []
  /// The values of the first key, for those of the ids that have one; ids without a value come last.
  public var values: [Double] = []

  /// Makes a list, which is not checked.
  public init(ids: [Int] = [], values: [Double] = []) { (self.ids, self.values) = (ids, values) }
}

extension Store {
  /// The number of latents that the filter lets through.
  public func latentCount(matching filter: Filter = .everything) throws(StorageError) -> Int {
    try read { db in
      let condition = try self.condition(of: filter, in: db)
      return try Int.fetchOne(
        db, sql: "SELECT count(*) FROM latent\(filter.root == nil ? "" : " NOT INDEXED") WHERE \(condition.sql)",
        arguments: StatementArguments(condition.arguments)) ?? 0
    }
  }

  /// The ids of the latents that the filter lets through, in order: missing values last, ties by the second key, then
  /// by id in the direction of the last key. Cost: one pass over an index if the first key has one, else a sort.
  /// - Throws: `StorageError.noSuchMetric` for a metric that the store does not have.
  public func latentIDs(
    sortedBy sort: LatentSort = .chatSpecificity, ascending: Bool? = nil, then: LatentOrder? = nil,
    matching filter: Filter = .everything
  ) throws(StorageError) -> [Int] {
    try list(by: LatentOrder(sort, ascending: ascending), then: then, matching: filter, withValues: false).ids
  }

  /// The same list with the values of the first key.
  public func latentList(
    by first: LatentOrder, then: LatentOrder? = nil, matching filter: Filter = .everything
  ) throws(StorageError) -> LatentList {
    try list(by: first, then: then, matching: filter, withValues: true)
  }

  private func list(
    by first: LatentOrder, then: LatentOrder?, matching filter: Filter, withValues: Bool
  ) throws(StorageError) -> LatentList {
    try read { db in
      var list = LatentList()
      let condition = try self.condition(of: filter, in: db)
      for part in try parts(of: first, then: then, isFiltered: filter.root != nil, in: db) {
        let readsValue = withValues && part.hasValue
        let rows = try Row.fetchCursor(
          db,
          sql: """
            SELECT latent.id\(readsValue ? ", " + part.value : "") FROM \(part.tables) \
            WHERE \(part.condition.sql) AND \(condition.sql) ORDER BY \(part.order.sql)
            """,
          arguments: StatementArguments(part.condition.arguments + condition.arguments + part.order.arguments))
        while let row = try rows.next() {
          let reader = RowReader(row: row, table: "latent")
          list.ids.append(try reader.listedID(0))
          if readsValue { list.values.append(try reader.listedDouble(1)) }
        }
      }
      return list
    }
  }

  /// The number of latents of each class that the filter lets through. Cost: one pass over the table.
  public func classCounts(matching filter: Filter = .everything) throws(StorageError) -> [LatentClass: Int] {
    try read { db in
      let condition = try self.condition(of: filter, in: db)
      let rows = try Row.fetchCursor(
        db, sql: "SELECT class, count(*) FROM latent NOT INDEXED WHERE \(condition.sql) GROUP BY class",
        arguments: StatementArguments(condition.arguments))
      var counts: [LatentClass: Int] = [:]
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "latent")
        guard let latentClass = LatentClass(rawValue: try reader.text(0)) else {
          throw reader.bad(0, "is an unknown class")
        }
        counts[latentClass] = try reader.int(1)
      }
      return counts
    }
  }

  /// The latents with these ids, in this order, for the visible window of `latentIDs`.
  /// - Throws: `StorageError.noSuchLatent` for an id that the store does not have.
  public func latents(ids: some Sequence<Int>) throws(StorageError) -> [LatentRecord] {
    try read { db in try latents(Array(ids), in: db) }
  }

  /// The row of one latent.
  /// - Throws: `StorageError.noSuchLatent` for an id that the store does not have.
  public func latent(_ id: Int) throws(StorageError) -> LatentRecord {
    try read { db in try latent(id, in: db) }
  }

  func latent(_ id: Int, in db: Database) throws -> LatentRecord {
    try latents([id], in: db)[0]
  }

  private func latents(_ ids: [Int], in db: Database) throws -> [LatentRecord] {
    let statement = try db.cachedStatement(sql: "SELECT \(LatentRecord.columnList) FROM latent WHERE id = ?")
    let metrics = try metrics(of: ids, in: db)
    return try ids.map { id in
      guard let row = try Row.fetchOne(statement, arguments: [id]) else {
        throw try Self.noSuchLatent(id, in: db)
      }
      var latent = try LatentRecord(RowReader(row: row, table: "latent"))
      latent.metrics = metrics[id] ?? [:]
      return latent
    }
  }

  static func noSuchLatent(_ id: Int, in db: Database) throws -> StorageError {
    .noSuchLatent(id: id, count: try Int.fetchOne(db, sql: "SELECT count(*) FROM latent") ?? 0)
  }

  // MARK: Orders

  /// One of the two parts of an order: the rows with a value, then those without. (With a single ORDER BY and NULLS
  /// LAST, SQLite would sort even if there is an index.)
  struct OrderPart {
    /// The SQL expression that is compared.
    let value: String
    let tables: String
    let condition: SQLCondition
    let order: SQLCondition
    let hasValue: Bool
  }

  /// - Parameter isFiltered: whether rows go through a filter. In the order of an index each of them would be looked up
  ///   somewhere else in the file; one pass over the table and a sort of the rest is several times faster.
  /// - Throws: `StorageError.noSuchMetric` for a metric that the store does not have.
  func parts(
    of first: LatentOrder, then: LatentOrder? = nil, isFiltered: Bool = false, in db: Database
  ) throws -> [OrderPart] {
    var rest = SQLCondition(sql: "")
    let then = then?.sort == first.sort ? nil : then
    if let then {
      let expression = try expression(of: then.sort, in: db)
      rest = SQLCondition(
        sql: "\(expression.sql) \(direction(then)) NULLS LAST, ", arguments: expression.arguments)
    }
    let ties = direction(then ?? first)
    func part(
      _ value: String, _ tables: String = "latent", _ condition: SQLCondition = .always, id: String = "latent.id",
      hasValue: Bool = true
    ) -> OrderPart {
      let leading = hasValue && value != id ? "\(value) \(direction(first)), " : ""
      let ties = value == id ? direction(first) : ties
      return OrderPart(
        value: value, tables: tables, condition: condition,
        order: SQLCondition(sql: "\(leading)\(rest.sql)\(id) \(ties)", arguments: rest.arguments), hasValue: hasValue)
    }
    switch first.sort {
    case .column(.id):
      rest = SQLCondition(sql: "")
      return [part("latent.id")]
    case .column(let column):
      let name = "latent." + column.rawValue
      let table = isFiltered ? "latent NOT INDEXED" : "latent"
      return [
        part(name, table, SQLCondition(sql: "\(name) IS NOT NULL")),
        part(name, table, SQLCondition(sql: "\(name) IS NULL"), hasValue: false),
      ]
    case .metric(let name):
      let metric = try self.metric(named: name, in: db).id.databaseValue
      // CROSS JOIN fixes the order: by the index (metric, value) with a look-up of the latents; if filtered, the other
      // way round.
      let tables =
        isFiltered
        ? "latent NOT INDEXED CROSS JOIN latent_metric v ON v.latent = latent.id"
        : "latent_metric v CROSS JOIN latent ON latent.id = v.latent"
      return [
        part("v.value", tables, SQLCondition(sql: "v.metric = ?", arguments: [metric]), id: "v.latent"),
        part(
          "", "latent",
          SQLCondition(
            sql: "NOT EXISTS (SELECT 1 FROM latent_metric v WHERE v.metric = ? AND v.latent = latent.id)",
            arguments: [metric]), hasValue: false),
      ]
    case .latentClass, .tags, .note: return [part(try expression(of: first.sort, in: db).sql)]
    }
  }

  private func direction(_ order: LatentOrder) -> String { order.ascending ? "ASC" : "DESC" }

  /// The SQL expression of one latent that an order compares.
  private func expression(of sort: LatentSort, in db: Database) throws -> SQLCondition {
    switch sort {
    case .column(let column): return SQLCondition(sql: "latent." + column.rawValue)
    case .metric(let name):
      return SQLCondition(
        sql: "(SELECT m.value FROM latent_metric m WHERE m.metric = ? AND m.latent = latent.id)",
        arguments: [try metric(named: name, in: db).id.databaseValue])
    case .latentClass:
      let places = LatentClass.allCases.enumerated().map { "WHEN '\($1.rawValue)' THEN \($0)" }
      return SQLCondition(sql: "CASE latent.class \(places.joined(separator: " ")) END")
    case .tags: return SQLCondition(sql: "(SELECT count(*) FROM tag t WHERE t.latent = latent.id)")
    case .note: return SQLCondition(sql: "EXISTS (SELECT 1 FROM note n WHERE n.latent = latent.id)")
    }
  }
}
