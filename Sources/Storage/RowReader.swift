// Checked reading of one row of a file that somebody else may have written: stored values become Swift values by column
// index. Another type, a missing value and a number out of range are errors. GRDB's own subscripts trap on those, so
// they are not used on stored data.

import Foundation
import GRDB

struct RowReader {
  let row: Row
  /// The table, which errors name.
  let table: String

  func bad(_ index: Int, _ detail: String) -> BadValue {
    BadValue(table: table, detail: "column \(Array(row.columnNames)[index]) \(detail)")
  }

  private func storage(_ index: Int) -> DatabaseValue.Storage {
    let value: DatabaseValue = row[index]
    return value.storage
  }

  func isNull(_ index: Int) -> Bool {
    if case .null = storage(index) { true } else { false }
  }

  func int(_ index: Int, in range: ClosedRange<Int> = 0...Int(Int32.max)) throws -> Int {
    guard case .int64(let value) = storage(index) else { throw bad(index, "is not an integer") }
    guard let value = Int(exactly: value), range.contains(value) else {
      throw bad(index, "is \(value), which is out of range")
    }
    return value
  }

  /// The id of a token or a sequence. A latent's is an `int`.
  func id(_ index: Int) throws -> Int32 { Int32(try int(index)) }

  /// The same as `int` in a third of the time, for lists of all latents. SQLite converts values of another type to numbers; a
  /// number that cannot be an id is still an error.
  func listedID(_ index: Int) throws -> Int {
    guard let value: Int64 = row[index], let id = Int(exactly: value), LatentRecord.possibleIDs.contains(id) else {
      throw bad(index, "is not an id")
    }
    return id
  }

  func bool(_ index: Int) throws -> Bool { try int(index, in: 0...1) == 1 }

  func optionalInt(_ index: Int) throws -> Int? { isNull(index) ? nil : try int(index) }

  func double(_ index: Int) throws -> Double {
    switch storage(index) {
    case .double(let value) where value.isFinite: return value
    case .int64(let value): return Double(value)
    default: throw bad(index, "is not a finite number")
    }
  }

  /// The same as `double`, but with the conversion of `listedID`.
  func listedDouble(_ index: Int) throws -> Double {
    guard let value: Double = row[index], value.isFinite else { throw bad(index, "is not a finite number") }
    return value
  }

  func optionalDouble(_ index: Int) throws -> Double? { isNull(index) ? nil : try double(index) }

  func text(_ index: Int) throws -> String {
    guard case .string(let value) = storage(index) else { throw bad(index, "is not a text") }
    return value
  }

  func optionalText(_ index: Int) throws -> String? { isNull(index) ? nil : try text(index) }

  func blob(_ index: Int) throws -> Data {
    guard case .blob(let value) = storage(index) else { throw bad(index, "is not a blob") }
    return value
  }

  func ids(_ index: Int) throws -> [Int32] {
    guard let numbers = Blob.readIDs(try blob(index)) else { throw bad(index, "is not a list of ids") }
    return numbers
  }

  /// Values with their own scale, or shares of the given scale.
  func values(_ index: Int, count: Int, scale: Float? = nil) throws -> [Float] {
    let data = try blob(index)
    let numbers = scale.map { Blob.readShares(data, of: $0) } ?? Blob.readScaled(data)
    guard let numbers else { throw bad(index, "is not a list of finite values") }
    guard numbers.count == count else { throw bad(index, "has \(numbers.count) values where \(count) belong") }
    return numbers
  }
}
