// Metrics beyond the columns of the latent table: whatever a published table of latents had, under its own names, which
// are not interpreted. A store from before metrics were introduced has none and can still be read.

import GRDB

/// A metric beyond the columns.
struct Metric: Sendable, Equatable {
  let id: Int64
  let name: String
}

extension Store {
  /// The names of all metrics beyond the columns, in the order in which they were added. Latents can be sorted
  /// (`LatentSort.metric`) and filtered by them.
  public func metricNames() throws(StorageError) -> [String] { try read { try metrics(in: $0).map(\.name) } }

  /// The metric of that name.
  /// - Throws: `StorageError.noSuchMetric` if there is none.
  func metric(named name: String, in db: Database) throws -> Metric {
    let known = try metrics(in: db)
    guard let metric = known.first(where: { $0.name == name }) else {
      throw StorageError.noSuchMetric(name: name, known: known.map(\.name))
    }
    return metric
  }

  /// The values of these latents. A metric that a latent lacks is left out.
  func metrics(of latents: [Int], in db: Database) throws -> [Int: [String: Double]] {
    let names = Dictionary(uniqueKeysWithValues: try metrics(in: db).map { (Int($0.id), $0.name) })
    guard !names.isEmpty else { return [:] }
    let list = Self.list(latents)
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT latent, metric, value FROM latent_metric
        WHERE metric IN (\(names.keys.map(String.init).joined(separator: ","))) AND latent IN (\(list.sql))
        """, arguments: StatementArguments(list.arguments))
    var values: [Int: [String: Double]] = [:]
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "latent_metric")
      guard let name = names[try reader.int(1)] else { continue }
      values[try reader.int(0), default: [:]][name] = try reader.double(2)
    }
    return values
  }

  /// All metrics. They are read once, since a number keeps its name for good. A metric that another program adds is
  /// there when the store is opened again.
  func metrics(in db: Database) throws -> [Metric] {
    if let known = knownMetrics.withLock({ $0 }) { return known }
    var metrics: [Metric] = []
    if try db.tableExists("metric") {
      let rows = try Row.fetchCursor(db, sql: "SELECT id, name FROM metric ORDER BY id")
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "metric")
        metrics.append(Metric(id: Int64(try reader.int(0)), name: try reader.text(1)))
      }
    }
    let found = metrics
    knownMetrics.withLock { $0 = found }
    return metrics
  }
}

extension Store {
  /// Saves metrics, each in place of an earlier one of its name; latents that are not among the values lack it. A metric that is
  /// replaced keeps its number, by which other programs know it.
  /// - Throws: `invalidRecord` for an empty name and for values that are not finite, `readOnly` and others.
  public func save(metrics: [(name: String, values: [(latent: Int, value: Double)])]) throws(StorageError) {
    try write { db in
      for (name, values) in metrics {
        let known = try Int64.fetchOne(db, sql: "SELECT id FROM metric WHERE name = ?", arguments: [name])
        try db.execute(sql: "DELETE FROM latent_metric WHERE metric = ?", arguments: [known])
        for (latent, _) in values { _ = try self.latent(latent, in: db) }
        try insert(values, of: Metric(id: known ?? insertMetric(name, in: db), name: name), in: db)
      }
    }
    knownMetrics.withLock { $0 = nil }
  }
}

extension StoreWriter {
  /// Adds a metric beyond the columns to latents that have been added before. Those that are not in `values` lack it.
  public func add(metric name: String, values: some Sequence<(latent: Int, value: Double)>) throws(StorageError) {
    try transaction("latent_metric") { db in
      try insert(values, of: Metric(id: insertMetric(name, in: db), name: name), in: db)
    }
  }
}

/// Adds the name of a metric and returns its number.
private func insertMetric(_ name: String, in db: Database) throws -> Int64 {
  guard !name.isEmpty, !name.contains("]"), name.count <= 200 else {
    throw StorageError.invalidRecord(
      table: "metric", detail: "the name \"\(name.prefix(200))\" is empty, too long or holds a ]")
  }
  try db.execute(sql: "INSERT INTO metric (name) VALUES (?)", arguments: [name])
  return db.lastInsertedRowID
}

private func insert(_ values: some Sequence<(latent: Int, value: Double)>, of metric: Metric, in db: Database) throws {
  let statement = try db.makeStatement(sql: "INSERT INTO latent_metric (metric, latent, value) VALUES (?, ?, ?)")
  for (latent, value) in values {
    guard value.isFinite else {
      throw StorageError.invalidRecord(
        table: "latent_metric", detail: "\(metric.name) of latent \(latent) is \(value), not a finite number")
    }
    try statement.execute(arguments: [metric.id, latent, value])
  }
}
