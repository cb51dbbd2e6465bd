// Reads what belongs to one latent: contexts, logit lens, histograms, neighbours; and the vocabulary to show them with.
// Each query uses the prefix of a primary key, so none scans a table. Positions and ids outside of their range are
// errors.

import Foundation
import GRDB

extension Store {
  /// The pair of models that the store is about.
  public func modelPair() throws(StorageError) -> ModelPair {
    try read { db in
      guard let row = try Row.fetchOne(db, sql: "SELECT \(ModelPair.columnList) FROM model_pair") else {
        throw BadValue(table: "model_pair", detail: "it has no row")
      }
      return try ModelPair(RowReader(row: row, table: "model_pair"))
    }
  }

  /// The key of the strength from which answers steered in mode add stop being text. `calibrate` finds it.
  public static let coherenceLimit = "coherence_limit"

  /// That strength; nil if it was not calibrated, or if the stored text is not a strength.
  public func knownCoherenceLimit() throws(StorageError) -> Double? {
    try meta()[Self.coherenceLimit].flatMap(Double.init).flatMap { $0.isFinite && $0 > 0 ? $0 : nil }
  }

  /// Sets one of the store's free texts.
  /// - Throws: `readOnly` and others.
  public func setMeta(_ key: String, _ value: String) throws(StorageError) {
    try write { db in
      try db.execute(
        sql: "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        arguments: [key, value])
    }
  }

  /// The store's free texts by key, such as the corpus and its licence.
  public func meta() throws(StorageError) -> [String: String] {
    try read { db in
      var meta: [String: String] = [:]
      let rows = try Row.fetchCursor(db, sql: "SELECT key, value FROM meta")
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "meta")
        meta[try reader.text(0)] = try reader.text(1)
      }
      return meta
    }
  }

  /// Everything about a latent, read in one transaction.
  /// - Parameter contextLimit: the most contexts to read; the strongest band comes first.
  /// - Throws: `StorageError.noSuchLatent` for an id that the store does not have.
  public func page(of latent: Int, contextLimit: Int = 100) throws(StorageError) -> LatentPage {
    try read { db in
      let record = try self.latent(latent, in: db)
      let contexts = try Self.contexts(of: latent, quantile: nil, limit: contextLimit, in: db)
      let logits = try Self.logits(of: latent, in: db)
      var ids = Set(contexts.flatMap(\.sequence.tokenIDs))
      for lens in logits { ids.formUnion((lens.promoted + lens.suppressed).map(\.token)) }
      return LatentPage(
        latent: record, tags: try Self.tags(of: latent, in: db), note: try Self.note(of: latent, in: db),
        explanations: try Self.explanations(of: latent, in: db), contexts: contexts,
        contextCount: try Self.contextCount(of: latent, in: db), logits: logits,
        histograms: try Self.histograms(of: latent, in: db), neighbours: try Self.neighbours(of: latent, in: db),
        relatives: try self.relatives(of: record, in: db),
        tokens: try Self.tokens(ids, in: db))
    }
  }

  /// A latent's contexts, strongest band first, then by rank.
  /// - Parameter quantile: the only band to read; nil for all.
  public func contexts(of latent: Int, quantile: Int? = nil, limit: Int = 100) throws(StorageError) -> [Context] {
    try read { db in try Self.contexts(of: latent, quantile: quantile, limit: limit, in: db) }
  }

  /// The histograms of these latents. Latents without any are left out.
  public func histograms(of latents: [Int]) throws(StorageError) -> [Int: [HistogramRecord]] {
    try read { db in
      var result: [Int: [HistogramRecord]] = [:]
      for latent in latents {
        let own = try Self.histograms(of: latent, in: db)
        if !own.isEmpty { result[latent] = own }
      }
      return result
    }
  }

  /// One sequence.
  /// - Throws: `StorageError.damaged` if there is none with this id.
  public func sequence(_ id: Int32) throws(StorageError) -> SequenceRecord {
    try read { db in
      guard let sequence = try Self.sequence(atOrAfter: id, in: db), sequence.id == id else {
        throw BadValue(table: "sequence", detail: "it has no row \(id)")
      }
      return sequence
    }
  }

  /// The vocabulary's entries for these ids. Ids that the store does not know are left out.
  public func tokens(_ ids: some Sequence<Int32>) throws(StorageError) -> [Int32: TokenRecord] {
    try read { db in try Self.tokens(Set(ids), in: db) }
  }

  // MARK: Reading inside a transaction

  /// The sequence with this id or the next larger one; nil after the last.
  static func sequence(atOrAfter id: Int32, in db: Database) throws -> SequenceRecord? {
    let statement = try db.cachedStatement(
      sql: "SELECT id, token_ids, corpus, template_mask FROM sequence WHERE id >= ? ORDER BY id LIMIT 1")
    guard let row = try Row.fetchOne(statement, arguments: [id]) else { return nil }
    let reader = RowReader(row: row, table: "sequence")
    return try SequenceRecord(id: reader.id(0), reader, from: 1)
  }

  static func contexts(of latent: Int, quantile: Int?, limit: Int, in db: Database) throws -> [Context] {
    let statement = try db.cachedStatement(
      sql: """
        SELECT e.quantile, e.rank, e.sequence, e.max_activation, e.positions, e."values",
          s.token_ids, s.corpus, s.template_mask
        FROM example e LEFT JOIN sequence s ON s.id = e.sequence
        WHERE e.latent = ?1 AND e.quantile BETWEEN ?2 AND ?3 ORDER BY e.quantile DESC, e.rank LIMIT ?4
        """)
    let rows = try Row.fetchCursor(statement, arguments: [latent, quantile ?? 0, quantile ?? 5, limit])
    var contexts: [Context] = []
    while let row = try rows.next() {
      contexts.append(try Context(latent: latent, RowReader(row: row, table: "example"), from: 0))
    }
    return contexts
  }

  private static func contextCount(of latent: Int, in db: Database) throws -> Int {
    let statement = try db.cachedStatement(sql: "SELECT count(*) FROM example WHERE latent = ?")
    return try Int.fetchOne(statement, arguments: [latent]) ?? 0
  }

  private static func logits(of latent: Int, in db: Database) throws -> [LogitLensRecord] {
    let statement = try db.cachedStatement(
      sql: """
        SELECT direction, promoted_ids, promoted_values, suppressed_ids, suppressed_values
        FROM logit WHERE latent = ?
        """)
    let rows = try Row.fetchCursor(statement, arguments: [latent])
    var logits: [LogitLensRecord] = []
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "logit")
      guard let direction = LogitDirection(rawValue: try reader.text(0)) else {
        throw reader.bad(0, "is an unknown direction")
      }
      func scores(_ index: Int) throws -> [TokenScore] {
        let ids = try reader.ids(index)
        return zip(ids, try reader.values(index + 1, count: ids.count)).map { TokenScore(token: $0, value: $1) }
      }
      logits.append(
        LogitLensRecord(latent: latent, direction: direction, promoted: try scores(1), suppressed: try scores(3)))
    }
    return logits
  }

  static func histograms(of latent: Int, in db: Database) throws -> [HistogramRecord] {
    let statement = try db.cachedStatement(sql: "SELECT corpus, low, high, counts FROM histogram WHERE latent = ?")
    let rows = try Row.fetchCursor(statement, arguments: [latent])
    var histograms: [HistogramRecord] = []
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "histogram")
      histograms.append(
        HistogramRecord(
          latent: latent, corpus: try reader.text(0), low: try reader.double(1), high: try reader.double(2),
          counts: try reader.ids(3)))
    }
    return histograms
  }

  static func neighbours(of latent: Int, in db: Database) throws -> [NeighbourRecord] {
    let statement = try db.cachedStatement(
      sql: "SELECT kind, other, cosine FROM neighbour WHERE latent = ? ORDER BY kind, cosine DESC, other")
    let rows = try Row.fetchCursor(statement, arguments: [latent])
    var neighbours: [NeighbourRecord] = []
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "neighbour")
      guard let kind = NeighbourKind(rawValue: try reader.text(0)) else { throw reader.bad(0, "is an unknown kind") }
      neighbours.append(
        NeighbourRecord(latent: latent, kind: kind, other: try reader.int(1), cosine: try reader.double(2)))
    }
    return neighbours
  }

  static func tokens(_ ids: Set<Int32>, in db: Database) throws -> [Int32: TokenRecord] {
    let list = Self.list(ids)
    let rows = try Row.fetchCursor(
      db, sql: "SELECT id, bytes, special FROM token WHERE id IN (\(list.sql))",
      arguments: StatementArguments(list.arguments))
    var tokens: [Int32: TokenRecord] = [:]
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "token")
      let id = try reader.id(0)
      tokens[id] = TokenRecord(id: id, bytes: Array(try reader.blob(1)), isSpecial: try reader.bool(2))
    }
    return tokens
  }
}

// MARK: Rows

extension SequenceRecord {
  /// Reads three columns from `index` on: token_ids, corpus, template_mask.
  init(id: Int32, _ row: RowReader, from index: Int) throws {
    let tokenIDs = try row.ids(index)
    guard let mask = Blob.readMask(try row.blob(index + 2), count: tokenIDs.count) else {
      throw row.bad(index + 2, "is not a mask of \(tokenIDs.count) tokens")
    }
    self.init(id: id, tokenIDs: tokenIDs, corpus: try row.text(index + 1), templateMask: mask)
  }
}

extension Context {
  /// Reads nine columns from `start` on: quantile, rank, sequence, max_activation, positions, values, and the
  /// sequence's three.
  init(latent: Int, _ row: RowReader, from start: Int) throws {
    let id = try row.id(start + 2)
    guard !row.isNull(start + 6) else { throw row.bad(start + 2, "names sequence \(id), which is not there") }
    let sequence = try SequenceRecord(id: id, row, from: start + 6)
    guard let positions = Blob.readPositions(try row.blob(start + 4), below: sequence.tokenIDs.count) else {
      throw row.bad(start + 4, "does not hold rising positions below \(sequence.tokenIDs.count)")
    }
    let scale = Float(try row.double(start + 3))
    guard scale.isFinite, scale > 0 else { throw row.bad(start + 3, "is not an activation") }
    let values = try row.values(start + 5, count: positions.count, scale: scale)
    guard let peak = values.firstIndex(of: scale), values.allSatisfy({ $0 >= 0 }) else {
      throw row.bad(start + 3, "is not the largest of the values")
    }
    self.init(
      example: ExampleRecord(
        latent: latent, quantile: try row.int(start, in: 0...5), rank: try row.int(start + 1), sequence: id,
        positions: positions, values: values),
      sequence: sequence, maxActivation: scale, peak: Int(positions[peak]))
  }
}
