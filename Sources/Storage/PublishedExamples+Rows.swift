// The rows of a published examples.db as records of a store, each table read in one ordered pass; the details of an
// example are looked up by their key. An error names the row: blobs of odd length or unequal number, values that are not
// activations, positions outside of their sequence, and references to rows that do not exist are errors.

import Foundation
import GRDB

extension PublishedExamples {
  /// Reads every sequence, in the order of their keys. Sequences without tokens are left out.
  /// - Parameters:
  ///   - corpus: the name of the corpus for sequences that do not name one.
  ///   - batch: the most sequences that `take` gets at once.
  ///   - take: gets the sequences, with the ids that `readExamples` will use. These are the database's own if they are
  ///     small enough, else they are counted.
  /// - Throws: `StorageError.examplesInvalid` naming the row; the errors of `take`.
  public func readSequences(
    corpus: String, batch: Int = 2000, _ take: ([SequenceRecord]) throws(StorageError) -> Void
  ) throws(StorageError) -> SequenceNumbers {
    var numbers = SequenceNumbers()
    try read { db in
      let key = schema.sequenceKey
      let width = try tokenWidth(db)
      let rows = try Row.fetchCursor(
        db, sql: "SELECT \(key), token_ids, \(schema.dataset) FROM sequences ORDER BY \(key)")
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

  /// Reads every example, latent after latent, with the strongest band first and in a band the strongest example first.
  /// - Parameters:
  ///   - nLatents: the number of latents; an example of any other latent is an error.
  ///   - batch: the least number of examples that `take` gets at once; a latent is never split.
  /// - Returns: the number of examples that had no activations and were left out.
  /// - Throws: `StorageError.examplesInvalid` naming the row; the errors of `take`.
  public func readExamples(
    nLatents: Int, sequences: SequenceNumbers, batch: Int = 20000,
    _ take: ([ExampleRecord]) throws(StorageError) -> Void
  ) throws(StorageError) -> Int {
    var withoutDetails = 0
    try read { db in
      let widths = try detailWidths(db)
      let rows = try Row.fetchCursor(db, sql: schema.headSQL)
      let details = try db.makeStatement(sql: schema.detailSQL)
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
        let place = "example of latent \(row[0] as DatabaseValue) in sequence \(row[2] as DatabaseValue)"
        let number = try wrapped(place) { try head.int(0, in: 0...max(0, nLatents - 1)) }
        let quantile = try wrapped(place) { try head.int(1, in: 0...5) }
        guard let (sequence, length) = sequences[row[2] as DatabaseValue] else {
          throw refuse(place, "there is no such sequence")
        }
        if let last = latent.last, last.latent != number { try close() }
        let found = try Row.fetchOne(
          details, arguments: StatementArguments(schema.detailKeys.map { row[$0] as DatabaseValue }))
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
            latent: number, quantile: quantile, rank: 0, sequence: sequence, positions: positions,
            values: values))
      }
      try close()
      if !batched.isEmpty { try take(batched) }
    }
    return withoutDetails
  }

  /// Rising positions and the activation at each; activations of 0 are left out.
  private func activations(
    _ row: RowReader, _ length: Int, _ widths: NumberWidths, _ place: String
  ) throws -> (positions: [Int32], values: [Float]) {
    let values = try floats(row, 1, width: widths.value, place)
    if let bad = values.first(where: { !$0.isFinite || $0 < 0 }) {
      throw refuse(place, "activation_values hold \(bad), which is not an activation")
    }
    var pairs: [(position: Int32, value: Float)]
    if row.isNull(0) {
      guard values.count == length else {
        throw refuse(place, "there are \(values.count) activation_values for \(length) tokens")
      }
      pairs = values.enumerated().map { (Int32($0), $1) }
    } else {
      let positions = try integers(row, 0, width: widths.position, place)
      guard positions.count == values.count else {
        throw refuse(place, "there are \(positions.count) positions for \(values.count) activation_values")
      }
      if let bad = positions.first(where: { $0 < 0 || Int($0) >= length }) {
        throw refuse(place, "position \(bad) is outside a sequence of \(length) tokens")
      }
      pairs = Array(zip(positions, values)).map { (position: $0, value: $1) }
      if zip(positions, positions.dropFirst()).contains(where: { $0 >= $1 }) {
        pairs.sort { $0.position < $1.position }
        if let twice = zip(pairs, pairs.dropFirst()).first(where: { $0.position == $1.position }) {
          throw refuse(place, "position \(twice.0.position) comes twice")
        }
      }
    }
    pairs.removeAll { $0.value == 0 }
    return (pairs.map(\.position), pairs.map(\.value))
  }
}

/// The ids that the store gives to the sequences of a database, and the sequences' lengths.
public struct SequenceNumbers: Sendable {
  /// A key compared by its bytes, so that texts which only look the same are two keys.
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
  /// Whether ids are counted because a key was not small enough.
  private var counts = false

  init() {}

  /// The number of sequences.
  public var count: Int { numbers.count }

  subscript(key: DatabaseValue) -> (number: Int32, length: Int)? { numbers[Key(key)] }

  mutating func add(_ key: DatabaseValue, length: Int, refuse: (String) -> StorageError) throws -> Int32 {
    // Keys come in rising order: after one that does not fit none does, and counted ids lie above those given before.
    var number = Int32(clamping: numbers.count)
    if !counts, let own = Int64.fromDatabaseValue(key).flatMap(Int32.init(exactly:)), own >= 0, own < Int32.max / 2 {
      number = own
    } else {
      counts = true
      number = Int32.max / 2 + number
    }
    guard numbers.updateValue((number, length), forKey: Key(key)) == nil else { throw refuse("the key comes twice") }
    return number
  }
}

extension ExampleRecord {
  /// The largest activation.
  fileprivate var peak: Float { values.max() ?? 0 }
}
