// The lines of published files that a store was made from, as they were. Tables of the store round activations and have no
// place for every field; whoever writes the files again takes these lines and what the user has added since. A store from
// before has no such table.

import Foundation
import GRDB

/// Some whole lines of a published file.
public struct PublishedLines: Sendable, Equatable {
  /// What the lines describe, for instance "features".
  public var kind: String
  /// The name of the file, without what says how it was packed.
  public var file: String
  /// The lines, packed by gzip, each with a line feed at its end.
  public var content: Data

  public init(kind: String, file: String, content: Data) {
    (self.kind, self.file, self.content) = (kind, file, content)
  }
}

extension Store {
  /// Whether the store keeps lines of published files.
  public func keepsPublishedLines() throws(StorageError) -> Bool {
    try read { db in
      try db.tableExists("published") && Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM published)") ?? false
    }
  }

  /// Gives the kept lines of one kind to `take`, in their order. One row is in memory at a time.
  public func publishedLines(kind: String, _ take: (PublishedLines) throws -> Void) throws {
    var last: Int64 = -1
    while true {
      let row: (id: Int64, lines: PublishedLines)? = try read { db in
        guard try db.tableExists("published") else { return nil }
        let row = try Row.fetchOne(
          db, sql: "SELECT id, file, content FROM published WHERE id > ? AND kind = ? ORDER BY id LIMIT 1",
          arguments: [last, kind])
        guard let row else { return nil }
        let reader = RowReader(row: row, table: "published")
        return (
          Int64(try reader.int(0, in: 0...Int.max)),
          PublishedLines(kind: kind, file: try reader.text(1), content: try reader.blob(2))
        )
      }
      guard let row else { return }
      try take(row.lines)
      last = row.id
    }
  }
}

extension StoreWriter {
  /// Keeps lines of a published file.
  public func add(published: PublishedLines) throws(StorageError) {
    try transaction("published") { db in
      try db.execute(
        sql: "INSERT INTO published (kind, file, content) VALUES (?, ?, ?)",
        arguments: [published.kind, published.file, published.content])
    }
  }

  /// Adds directions of the residual stream.
  public func add(directions: some Sequence<DirectionRecord>) throws(StorageError) {
    try transaction("direction") { db in for direction in directions { try direction.insert(in: db) } }
  }
}
