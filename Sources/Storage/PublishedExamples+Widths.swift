// Finds out how wide the numbers in an examples database are. Its blobs do not say it: pipelines that use numpy's
// defaults write int64 where the authors' write int32, and fp64 where they write fp32. The two are told apart by values
// that only one of them can mean. Tokens of 2 bytes are an error; any other row that does not fit is an error where it
// is read.

import Foundation
import GRDB

/// The number of bytes of one number, by kind.
struct NumberWidths: Equatable {
  var position = 4
  var value = 4
}

extension PublishedExamples {
  /// The number of rows that are looked at.
  private static let sample = 4096

  /// The bytes of a token id, found by the sequences' lengths if the database has them. Otherwise it is 8 if every
  /// second 4-byte word of all sequences is 0 and other words are not.
  func tokenWidth(_ db: Database) throws -> Int {
    if let told = try toldTokenWidth(db) { return told }
    let rows = try Row.fetchCursor(db, sql: "SELECT token_ids FROM sequences LIMIT \(Self.sample)")
    var hasIDs = false
    while let row = try rows.next() {
      guard let words = Self.words(row[0]), words.count.isMultiple(of: 2) else { return 4 }
      for pair in stride(from: 0, to: words.count, by: 2) {
        guard words[pair + 1] == 0 else { return 4 }
        hasIDs = hasIDs || words[pair] != 0
      }
    }
    return hasIDs ? 8 : 4
  }

  /// The bytes of a token id if the lengths of all sequences agree on it; nil otherwise.
  private func toldTokenWidth(_ db: Database) throws -> Int? {
    guard try db.columns(in: "sequences").contains(where: { $0.name == "sequence_length" }) else { return nil }
    let sql = "SELECT length(token_ids), sequence_length FROM sequences LIMIT \(Self.sample)"
    var widths = Set<Int>()
    let rows = try Row.fetchCursor(db, sql: sql)
    while let row = try rows.next() {
      guard let bytes = Int.fromDatabaseValue(row[0]), let count = Int.fromDatabaseValue(row[1]), count > 0,
        bytes % count == 0
      else { return nil }
      widths.insert(bytes / count)
    }
    guard widths.count == 1, let width = widths.first else { return nil }
    guard width != 2 else {
      throw StorageError.examplesInvalid(
        path: path, row: "sequences", detail: "token_ids hold 2 bytes for each token, not 4 or 8")
    }
    return [4, 8].contains(width) ? width : nil
  }

  /// The bytes of a position and of an activation, found by their lengths if these differ. Otherwise it is 8 if
  /// positions read as int32 would come twice in every row.
  func detailWidths(_ db: Database) throws -> NumberWidths {
    guard try db.columns(in: "activation_details").contains(where: { $0.name == "positions" }) else {
      return NumberWidths(value: try denseWidth(db))
    }
    let rows = try Row.fetchCursor(
      db, sql: "SELECT positions, activation_values FROM activation_details LIMIT \(Self.sample)")
    var votes: [NumberWidths] = []
    while let row = try rows.next() {
      guard let positions = Self.words(row[0]), let values = Self.words(row[1]), positions.count > 1 else { continue }
      if positions.count == 2 * values.count {
        votes.append(NumberWidths(position: 8))
      } else if values.count == 2 * positions.count {
        votes.append(NumberWidths(value: 8))
      } else if positions.count == values.count, positions.count > 2 {
        let isWide =
          positions.count.isMultiple(of: 2)
          && stride(from: 1, to: positions.count, by: 2).allSatisfy { positions[$0] == 0 }
        votes.append(isWide ? NumberWidths(position: 8, value: 8) : NumberWidths())
      }
    }
    guard let first = votes.first, votes.allSatisfy({ $0 == first }) else { return NumberWidths() }
    return first
  }

  /// The bytes of an activation if there is one for each token.
  private func denseWidth(_ db: Database) throws -> Int {
    guard
      let key = ["sequence_uid", "sequence_idx"].first(where: {
        (try? db.columns(in: "examples").map(\.name))?.contains($0) == true
      })
    else { return 4 }
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT length(token_ids), length(activation_values) FROM activation_details
        JOIN examples USING (example_id) JOIN sequences USING (\(key)) LIMIT \(Self.sample)
        """)
    let tokens = try tokenWidth(db)
    var found = Set<Int>()
    while let row = try rows.next() {
      guard let ids: Int = row[0], let values: Int = row[1], ids > 0 else { continue }
      found.insert(values == 8 * (ids / tokens) ? 8 : 4)
    }
    return found == [8] ? 8 : 4
  }

  /// The 4-byte words of a blob; nil for any other value.
  private static func words(_ value: DatabaseValue) -> [UInt32]? {
    guard case .blob(let data) = value.storage, data.count.isMultiple(of: 4) else { return nil }
    return data.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
    }
  }
}
