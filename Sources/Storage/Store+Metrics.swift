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

  /// All metrics. They are read once, since nothing changes them in a finished store.
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
  /// Saves metrics, each in place of an earlier one of its name; latents that are not among the values lack it.
  /// - Throws: `invalidRecord` for an empty name and for values that are not finite, `readOnly` and others.
  public func save(metrics: [(name: String, values: [(latent: Int, value: Double)])]) throws(StorageError) {
    try write { db in
      for (name, values) in metrics {
        try db.execute(
          sql: "DELETE FROM latent_metric WHERE metric IN (SELECT id FROM metric WHERE name = ?)", arguments: [name])
        try db.execute(sql: "DELETE FROM metric WHERE name = ?", arguments: [name])
        for (latent, _) in values { _ = try self.latent(latent, in: db) }
        try insert(metric: name, values: values, in: db)
      }
    }
    knownMetrics.withLock { $0 = nil }
  }
}

/// Writes a metric that is not there yet.
private func insert(metric name: String, values: some Sequence<(latent: Int, value: Double)>, in db: Database) throws {
  guard !name.isEmpty, !name.contains("]"), name.count <= 200 else {
    throw StorageError.invalidRecord(
      table: "metric", detail: "the name \"\(name.prefix(200))\" is empty, too long or holds a ]")
  }
  try db.execute(sql: "INSERT INTO metric (name) VALUES (?)", arguments: [name])
  let id = db.lastInsertedRowID
  let statement = try db.makeStatement(sql: "INSERT INTO latent_metric (metric, latent, value) VALUES (?, ?, ?)")
  for (latent, value) in values {
    guard value.isFinite else {
      throw StorageError.invalidRecord(
        table: "latent_metric", detail: "\(name) of latent \(latent) is \(value), not a finite number")
    }
    try statement.execute(arguments: [id, latent, value])
  }
}

extension StoreWriter {
  /// Adds a metric beyond the columns to latents that have been added before. Those that are not in `values` lack it.
  public func add(metric name: String, values: some Sequence<(latent: Int, value: Double)>) throws(StorageError) {
    try transaction("latent_metric") { db in try insert(metric: name, values: values, in: db) }
  }
}
