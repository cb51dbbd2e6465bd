// A published examples.db: the contexts in which latents are strong, as the authors' pipelines write them (SQLite).
//   older: sequences(sequence_idx, token_ids), quantile_examples(feature_idx, quantile_idx, activation, sequence_idx),
//          activation_details(feature_idx, sequence_idx, positions, activation_values)
//   newer: sequences(sequence_uid, token_ids, …, dataset_name), examples(example_id, sequence_uid, score, latent_idx,
//          quantile_idx), activation_details(example_id, [positions,] activation_values); without positions a value a token
// Blobs: int32 and fp32, little endian, or int64 and fp64, which what is read shows (`NumberWidths`). Positions may be in any order. quantile_idx is kept as it is: a fraction of the
// latent's maximum (0 up to 25 %, 1 to 50, 2 to 75, 3 to 95, 4 above, 5 beyond the recorded maximum).
// Owns: both schemas, read in one ordered pass each, details looked up by their key. Refuses, naming the row: blobs of odd
// length or unequal number, values that are no activations, positions outside, rows that name rows that are not there.

import Foundation
import GRDB

/// An examples database, opened read-only.
public final class PublishedExamples: Sendable {
  public let path: String
  private let queue: DatabaseQueue
  private let schema: Schema

  /// What is read of each table, for documents: the column and what it says. Other columns are left alone.
  public static let columns: [(name: String, note: String)] = [
    (
      "sequences.sequence_idx, sequences.sequence_uid",
      "The sequence's key, an integer or a text; texts compare by their scalars."
    ),
    (
      "sequences.token_ids",
      "A blob of int32, or of int64 where sequences.sequence_length or zeros in every second 4-byte word say so."
    ),
    ("sequences.dataset_name", "The corpus, where there is such a column."),
    ("quantile_examples.feature_idx, examples.latent_idx", "The latent; rows of examples without one are left out."),
    ("quantile_examples.quantile_idx, examples.quantile_idx", "The band, 0 to 5; 4 where it is NULL."),
    ("quantile_examples.activation, examples.score", "The strongest activation, a number."),
    ("examples.example_id", "The example's key."),
    (
      "activation_details.positions",
      "A blob of int32 or int64, told apart by the activations' length, in any order; without it there is an activation a "
        + "token."
    ),
    (
      "activation_details.activation_values",
      "A blob of fp32, or of fp64 where it is twice as long as it would be; not negative."
    ),
  ]

  private enum Schema: Sendable {
    case older
    /// `key`: sequence_uid or sequence_idx; `hasPositions`, `hasDataset`: columns that some databases lack.
    case newer(key: String, hasPositions: Bool, hasDataset: Bool)
  }

  /// Opens a database in a time that does not depend on its size.
  /// - Throws: `StorageError` for a file that is missing, no SQLite, or has other tables.
  public init(path: String) throws(StorageError) {
    self.path = path
    do {
      queue = try DatabaseQueue(
        path: try StoreFile(at: path, applicationID: nil).readingAddress,
        configuration: Store.configuration(readOnly: true))
      schema = try queue.read { db in
        func columns(_ table: String) throws -> Set<String> {
          try db.tableExists(table) ? Set(try db.columns(in: table).map(\.name)) : []
        }
        let (sequences, details) = (try columns("sequences"), try columns("activation_details"))
        let heads: Set = ["feature_idx", "quantile_idx", "sequence_idx"]
        if sequences.isSuperset(of: ["sequence_idx", "token_ids"]),
          try columns("quantile_examples").isSuperset(of: heads),
          details.isSuperset(of: ["feature_idx", "sequence_idx", "positions", "activation_values"])
        {
          return .older
        }
        let examples = try columns("examples")
        for key in ["sequence_uid", "sequence_idx"]
        where sequences.isSuperset(of: [key, "token_ids"])
          && examples.isSuperset(of: ["example_id", key, "score", "latent_idx", "quantile_idx"])
          && details.isSuperset(of: ["example_id", "activation_values"])
        {
          return .newer(
            key: key, hasPositions: details.contains("positions"), hasDataset: sequences.contains("dataset_name"))
        }
        throw StorageError.examplesInvalid(
          path: path, row: "its tables",
          detail: "neither sequences, quantile_examples and activation_details nor sequences, examples and details")
      }
    } catch StorageError.notSQLite {
      throw .examplesInvalid(path: path, row: "its first bytes", detail: "not those of an SQLite file")
    } catch {
      throw .translating(error, path: path)
    }
  }

  /// How many sequences and examples there are. Cost: a pass over their smallest indexes.
  public func counts() throws(StorageError) -> (sequences: Int, examples: Int) {
    try read { db in
      let examples =
        switch schema {
        case .older: "SELECT count(*) FROM quantile_examples"
        case .newer: "SELECT count(*) FROM examples WHERE latent_idx IS NOT NULL"
        }
      return (
        try Int.fetchOne(db, sql: "SELECT count(*) FROM sequences") ?? 0, try Int.fetchOne(db, sql: examples) ?? 0
      )
    }
  }

  /// The largest activation of each latent that has an example, in scaled units. Cost: a pass over the examples without
  /// their details.
  /// - Throws: `StorageError.examplesInvalid` for a number that is none.
  public func maxima() throws(StorageError) -> [Int32: Double] {
    try read { db in
      let sql =
        switch schema {
        case .older: "SELECT feature_idx, max(activation) FROM quantile_examples GROUP BY feature_idx"
        case .newer: "SELECT latent_idx, max(score) FROM examples WHERE latent_idx IS NOT NULL GROUP BY latent_idx"
        }
      var maxima: [Int32: Double] = [:]
      let rows = try Row.fetchCursor(db, sql: sql)
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "examples")
        try wrapped("the examples of latent \(row[0] as DatabaseValue)") {
          maxima[try reader.id(0)] = try reader.double(1)
        }
      }
      return maxima
    }
  }

  /// The largest token id of all sequences, −1 without any. Cost: a pass over the sequences.
  /// - Throws: `StorageError.examplesInvalid` naming the row.
  public func largestToken() throws(StorageError) -> Int32 {
    var largest: Int32 = -1
    try read { db in
      let width = try tokenWidth(db)
      let rows = try Row.fetchCursor(db, sql: "SELECT token_ids FROM sequences")
      while let row = try rows.next() {
        let ids = try integers(RowReader(row: row, table: "sequences"), 0, width: width, "sequences")
        largest = max(largest, ids.max() ?? -1)
      }
    }
    return largest
  }

  // MARK: Sequences

  /// Reads every sequence, in the order of their keys. Sequences without tokens are left out.
  /// - Parameters:
  ///   - corpus: what to call the corpus of those that do not say.
  ///   - batch: how many at most are handed over at once.
  ///   - take: given the sequences, with the ids that `examples` will name; ids are the database's own where they are
  ///     small enough, else counted from 0.
  /// - Throws: `StorageError.examplesInvalid` naming the row, or what `take` throws.
  public func readSequences(
    corpus: String, batch: Int = 2000, _ take: ([SequenceRecord]) throws(StorageError) -> Void
  ) throws(StorageError) -> SequenceNumbers {
    var numbers = SequenceNumbers()
    let (key, dataset) =
      switch schema {
      case .older: ("sequence_idx", "NULL")
      case .newer(let key, _, let hasDataset): (key, hasDataset ? "dataset_name" : "NULL")
      }
    try read { db in
      let width = try tokenWidth(db)
      let rows = try Row.fetchCursor(
        db, sql: "SELECT \(key), token_ids, \(dataset) FROM sequences ORDER BY \(key)")
      var records: [SequenceRecord] = []
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "sequences")
        let place = "sequences, \(key) \(row[0] as DatabaseValue)"
        let ids = try integers(reader, 1, width: width, place)
        if let bad = ids.first(where: { $0 < 0 }) { throw refuse(place, "token_ids hold \(bad)") }
        guard !ids.isEmpty else { continue }
        let number = try numbers.add(row[0] as DatabaseValue, length: ids.count, refuse: { refuse(place, $0) })
        let name = try reader.isNull(2) ? corpus : wrapped(place) { try reader.text(2) }
        records.append(SequenceRecord(id: number, tokenIDs: ids, corpus: name))
        if records.count == batch {
          try take(records)
          records.removeAll(keepingCapacity: true)
        }
      }
      if !records.isEmpty { try take(records) }
    }
    return numbers
  }

  // MARK: Examples

  /// Reads every example, latent after latent, each latent's strongest band first, in a band the strongest example first.
  /// - Parameters:
  ///   - nLatents: examples of other latents are an error.
  ///   - batch: at least this many are handed over at once, whole latents.
  /// - Returns: how many examples had no activations recorded and were left out.
  /// - Throws: `StorageError.examplesInvalid` naming the row, or what `take` throws.
  public func readExamples(
    nLatents: Int, sequences: SequenceNumbers, batch: Int = 20000,
    _ take: ([ExampleRecord]) throws(StorageError) -> Void
  ) throws(StorageError) -> Int {
    var withoutDetails = 0
    try read { db in
      let widths = try detailWidths(db)
      let rows = try Row.fetchCursor(db, sql: headSQL)
      let details = try db.makeStatement(sql: detailSQL)
      var (batched, latent): ([ExampleRecord], [ExampleRecord]) = ([], [])
      func close() throws {
        latent.sort { ($1.quantile, $1.peak, $0.sequence) < ($0.quantile, $0.peak, $1.sequence) }
        var rank = 0
        for index in latent.indices {
          rank = index > 0 && latent[index].quantile == latent[index - 1].quantile ? rank + 1 : 0
          latent[index].rank = rank
        }
        batched += latent
        latent.removeAll(keepingCapacity: true)
        if batched.count >= batch {
          try take(batched)
          batched.removeAll(keepingCapacity: true)
        }
      }
      while let row = try rows.next() {
        let head = RowReader(row: row, table: "examples")
        // feature, quantile, sequence, key of the details
        let place = "example of latent \(row[0] as DatabaseValue) in sequence \(row[2] as DatabaseValue)"
        let number = try wrapped(place) { try head.int(0, in: 0...max(0, nLatents - 1)) }
        let quantile = try wrapped(place) { try head.int(1, in: 0...5) }
        guard let (sequence, length) = sequences[row[2] as DatabaseValue] else {
          throw refuse(place, "there is no such sequence")
        }
        if let last = latent.last, last.latent != number { try close() }
        let found = try Row.fetchOne(
          details, arguments: isOlder ? [row[0] as DatabaseValue, row[2] as DatabaseValue] : [row[3] as DatabaseValue])
        guard let found else {
          withoutDetails += 1
          continue
        }
        let (positions, values) = try activations(
          RowReader(row: found, table: "activation_details"), length, widths, place)
        guard !positions.isEmpty else {
          withoutDetails += 1
          continue
        }
        latent.append(
          ExampleRecord(
            latent: Int32(number), quantile: quantile, rank: 0, sequence: sequence, positions: positions,
            values: values))
      }
      try close()
      if !batched.isEmpty { try take(batched) }
    }
    return withoutDetails
  }

  private var isOlder: Bool { if case .older = schema { true } else { false } }

  private var headSQL: String {
    switch schema {
    case .older:
      // In the order of the primary key's prefix, which needs no sorting.
      "SELECT feature_idx, quantile_idx, sequence_idx, NULL FROM quantile_examples ORDER BY feature_idx"
    case .newer(let key, _, _):
      """
      SELECT latent_idx, coalesce(quantile_idx, 4), \(key), example_id FROM examples
      WHERE latent_idx IS NOT NULL ORDER BY latent_idx
      """
    }
  }

  private var detailSQL: String {
    switch schema {
    case .older:
      "SELECT positions, activation_values FROM activation_details WHERE feature_idx = ? AND sequence_idx = ?"
    case .newer(_, let hasPositions, _):
      "SELECT \(hasPositions ? "positions" : "NULL"), activation_values FROM activation_details WHERE example_id = ?"
    }
  }

  /// Positions rising and the activation at each; those of 0 are left out.
  private func activations(
    _ row: RowReader, _ length: Int, _ widths: NumberWidths, _ place: String
  ) throws -> (positions: [Int32], values: [Float]) {
    let values = try floats(row, 1, width: widths.value, place)
    if let bad = values.first(where: { !$0.isFinite || $0 < 0 }) {
      throw refuse(place, "activation_values hold \(bad), not an activation")
    }
    var pairs: [(position: Int32, value: Float)]
    if row.isNull(0) {
      guard values.count == length else {
        throw refuse(place, "\(values.count) activation_values for \(length) tokens")
      }
      pairs = values.enumerated().map { (Int32($0), $1) }
    } else {
      let positions = try integers(row, 0, width: widths.position, place)
      guard positions.count == values.count else {
        throw refuse(place, "\(positions.count) positions for \(values.count) activation_values")
      }
      if let bad = positions.first(where: { $0 < 0 || Int($0) >= length }) {
        throw refuse(place, "position \(bad) is outside a sequence of \(length) tokens")
      }
      pairs = Array(zip(positions, values)).map { (position: $0, value: $1) }
      if zip(positions, positions.dropFirst()).contains(where: { $0 >= $1 }) {
        pairs.sort { $0.position < $1.position }
        if let twice = zip(pairs, pairs.dropFirst()).first(where: { $0.position == $1.position }) {
          throw refuse(place, "position \(twice.0.position) twice")
        }
      }
    }
    pairs.removeAll { $0.value == 0 }
    return (pairs.map(\.position), pairs.map(\.value))
  }

  // MARK: Reading

  private func read<Value>(_ body: (Database) throws -> Value) throws(StorageError) -> Value {
    do { return try queue.read(body) } catch { throw .translating(error, path: path) }
  }

  private func refuse(_ place: String, _ detail: String) -> StorageError {
    .examplesInvalid(path: path, row: place, detail: detail)
  }

  private func wrapped<Value>(_ place: String, _ body: () throws -> Value) throws -> Value {
    do { return try body() } catch let error as BadValue { throw refuse(place, error.detail) }
  }

  private func integers(_ row: RowReader, _ index: Int, width: Int, _ place: String) throws -> [Int32] {
    guard width == 8 else { return try list(row, index, place) }
    let wide: [Int64] = try list(row, index, place)
    return try wide.map { value in
      guard let value = Int32(exactly: value) else { throw refuse(place, "\(name(row, index)) hold \(value)") }
      return value
    }
  }

  private func floats(_ row: RowReader, _ index: Int, width: Int, _ place: String) throws -> [Float] {
    guard width == 8 else { return try list(row, index, place) }
    let wide: [Double] = try list(row, index, place)
    return wide.map { Float($0) }
  }

  private func name(_ row: RowReader, _ index: Int) -> String { Array(row.row.columnNames)[index] }

  /// A blob of numbers.
  private func list<Number: BitwiseCopyable>(_ row: RowReader, _ index: Int, _ place: String) throws -> [Number] {
    let data = try wrapped(place) { try row.blob(index) }
    let width = MemoryLayout<Number>.size
    guard data.count.isMultiple(of: width) else {
      throw refuse(place, "\(name(row, index)) has \(data.count) bytes, not a multiple of \(width)")
    }
    return data.withUnsafeBytes { bytes in
      (0..<bytes.count / width).map { bytes.loadUnaligned(fromByteOffset: $0 * width, as: Number.self) }
    }
  }
}

/// The store's numbers of a database's sequences, and their lengths.
public struct SequenceNumbers: Sendable {
  /// A key by its bytes: texts that only look the same are two.
  private struct Key: Hashable {
    let isText: Bool
    let value: DatabaseValue

    init(_ value: DatabaseValue) {
      guard case .string(let text) = value.storage else {
        (isText, self.value) = (false, value)
        return
      }
      (isText, self.value) = (true, Data(text.utf8).databaseValue)
    }
  }

  private var numbers: [Key: (number: Int32, length: Int)] = [:]
  /// Whether keys are too large to be numbers of the store.
  private var counts = false

  init() {}

  /// How many there are.
  public var count: Int { numbers.count }

  subscript(key: DatabaseValue) -> (number: Int32, length: Int)? { numbers[Key(key)] }

  mutating func add(_ key: DatabaseValue, length: Int, refuse: (String) -> StorageError) throws -> Int32 {
    // Keys come in rising order: once one does not fit, no later one will, and the count stays above what was given.
    var number = Int32(clamping: numbers.count)
    if !counts, let own = Int64.fromDatabaseValue(key).flatMap(Int32.init(exactly:)), own >= 0, own < Int32.max / 2 {
      number = own
    } else {
      if !counts { counts = true }
      number = Int32.max / 2 + number
    }
    guard numbers.updateValue((number, length), forKey: Key(key)) == nil else { throw refuse("twice") }
    return number
  }
}

extension ExampleRecord {
  /// The largest activation.
  fileprivate var peak: Float { values.max() ?? 0 }
}
