// A published examples.db: an SQLite file with the contexts in which latents are strong, as the authors' pipelines write
// it. `ExamplesSchema` has its two schemas. Blobs hold int32 and fp32, little endian, or int64 and fp64; the content
// shows which (`NumberWidths`). quantile_idx is kept as it is: a fraction of the latent's maximum (0 up to 25 %, 1 up to
// 50, 2 up to 75, 3 up to 95, 4 above, 5 beyond the recorded maximum).

import Foundation
import GRDB

/// An examples database, opened read-only.
public final class PublishedExamples: Sendable {
  public let path: String
  private let queue: DatabaseQueue
  let schema: ExamplesSchema

  /// The columns that are read, with what each says; documents print this list. Other columns are ignored.
  public static let columns: [(name: String, note: String)] = [
    (
      "sequences.sequence_idx, sequences.sequence_uid",
      "The sequence's key, an integer or a text; texts compare by their scalars."
    ),
    (
      "sequences.token_ids",
      "A blob of int32, or of int64 where sequences.sequence_length or zeros in every second 4-byte word say so."
    ),
    ("sequences.dataset_name", "The corpus, if there is such a column."),
    ("quantile_examples.feature_idx, examples.latent_idx", "The latent; rows of examples without one are left out."),
    ("quantile_examples.quantile_idx, examples.quantile_idx", "The band, 0 to 5; 4 where it is NULL."),
    ("quantile_examples.activation, examples.score", "The strongest activation, a number."),
    ("examples.example_id", "The example's key."),
    (
      "config.storage_format",
      "sparse or dense, which the columns of activation_details show too; another one is refused."
    ),
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

  /// Opens a database in a time that does not depend on its size.
  /// - Throws: `StorageError` for a file that is missing, is not SQLite, or has other tables.
  public init(path: String) throws(StorageError) {
    self.path = path
    do {
      queue = try DatabaseQueue(
        path: try StoreFile(at: path, applicationID: nil).readingAddress,
        configuration: Store.configuration(readOnly: true))
      schema = try queue.read { db in
        guard let schema = try ExamplesSchema(of: db) else {
          throw StorageError.examplesInvalid(
            path: path, row: "its tables",
            detail:
              "they are neither sequences, quantile_examples and activation_details nor sequences, examples and details"
          )
        }
        return schema
      }
    } catch let error as ExamplesSchema.UnknownForm {
      throw .examplesInvalid(
        path: path, row: "config, storage_format",
        detail: "it is \(error.name.prefix(80)), and sparse or dense can be read")
    } catch StorageError.notSQLite {
      throw .examplesInvalid(path: path, row: "its first bytes", detail: "they are not those of an SQLite file")
    } catch {
      throw .translating(error, path: path)
    }
  }

  /// The numbers of sequences and examples. Cost: a pass over their smallest indexes.
  public func counts() throws(StorageError) -> (sequences: Int, examples: Int) {
    try read { db in
      (
        try Int.fetchOne(db, sql: "SELECT count(*) FROM sequences") ?? 0,
        try Int.fetchOne(db, sql: schema.countSQL) ?? 0
      )
    }
  }

  /// The number of examples that belong to no latent, as those of methods without a dictionary do; they are left out.
  public func countWithoutLatent() throws(StorageError) -> Int {
    try read { db in try Int.fetchOne(db, sql: schema.withoutLatentSQL) ?? 0 }
  }

  /// The largest activation of each latent with an example, in scaled units. Cost: a pass over the examples' heads.
  /// - Throws: `StorageError.examplesInvalid` for a latent or an activation that is not a number.
  public func maxima() throws(StorageError) -> [Int: Double] {
    try read { db in
      var maxima: [Int: Double] = [:]
      let rows = try Row.fetchCursor(db, sql: schema.maximaSQL)
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "examples")
        try wrapped("the examples of latent \(row[0] as DatabaseValue)") {
          maxima[try reader.int(0)] = try reader.double(1)
        }
      }
      return maxima
    }
  }

  /// The largest token id of all sequences; −1 if there are none. Cost: a pass over the sequences.
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
  // MARK: Reading

  func read<Value>(_ body: (Database) throws -> Value) throws(StorageError) -> Value {
    do { return try queue.read(body) } catch { throw .translating(error, path: path) }
  }

  func refuse(_ place: String, _ detail: String) -> StorageError {
    .examplesInvalid(path: path, row: place, detail: detail)
  }

  func wrapped<Value>(_ place: String, _ body: () throws -> Value) throws -> Value {
    do { return try body() } catch let error as BadValue { throw refuse(place, error.detail) }
  }

  func integers(_ row: RowReader, _ index: Int, width: Int, _ place: String) throws -> [Int32] {
    guard width == 8 else { return try list(row, index, place) }
    let wide: [Int64] = try list(row, index, place)
    return try wide.map { value in
      guard let value = Int32(exactly: value) else { throw refuse(place, "\(name(row, index)) hold \(value)") }
      return value
    }
  }

  func floats(_ row: RowReader, _ index: Int, width: Int, _ place: String) throws -> [Float] {
    guard width == 8 else { return try list(row, index, place) }
    let wide: [Double] = try list(row, index, place)
    return wide.map { Float($0) }
  }

  private func name(_ row: RowReader, _ index: Int) -> String { Array(row.row.columnNames)[index] }

  /// The numbers of a blob.
  private func list<Number: BitwiseCopyable>(_ row: RowReader, _ index: Int, _ place: String) throws -> [Number] {
    let data = try wrapped(place) { try row.blob(index) }
    let width = MemoryLayout<Number>.size
    guard data.count.isMultiple(of: width) else {
      throw refuse(place, "\(name(row, index)) has \(data.count) bytes, which is not a multiple of \(width)")
    }
    return data.withUnsafeBytes { bytes in
      (0..<bytes.count / width).map { bytes.loadUnaligned(fromByteOffset: $0 * width, as: Number.self) }
    }
  }
}
