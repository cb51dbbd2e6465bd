// Reads the readable rows of a table with damaged pages. It searches forwards up to the damage, backwards down to it,
// and in between by halves. Rows that break a rule of the table are counted and left out.

import GRDB

/// One table of a damaged store.
struct SalvagedTable {
  let name: String
  /// The columns of its key, in their order.
  let key: [String]
  /// Whether the first column of the key is a number, so that parts of the table can be asked for.
  var isNumbered = true
  /// An index that holds whole rows and may still have rows that the table itself has lost.
  var index: String?

  /// All tables except the pair's, each after those to which it refers.
  static let all = [
    SalvagedTable(name: "meta", key: ["key"], isNumbered: false),
    SalvagedTable(name: "token", key: ["id"]), SalvagedTable(name: "latent", key: ["id"]),
    SalvagedTable(name: "metric", key: ["id"]), SalvagedTable(name: "latent_metric", key: ["metric", "latent"]),
    SalvagedTable(name: "sequence", key: ["id"]), SalvagedTable(name: "example", key: ["latent", "quantile", "rank"]),
    SalvagedTable(name: "histogram", key: ["latent", "corpus"]),
    SalvagedTable(name: "logit", key: ["latent", "direction"]),
    SalvagedTable(name: "neighbour", key: ["latent", "kind", "other"]),
    SalvagedTable(name: "tag", key: ["name", "latent"], isNumbered: false, index: "tag_latent"),
    SalvagedTable(name: "note", key: ["latent"]), SalvagedTable(name: "explanation", key: ["id"]),
    SalvagedTable(name: "experiment", key: ["id"]), SalvagedTable(name: "journal", key: ["id"]),
    SalvagedTable(name: "difference", key: ["section"], isNumbered: false),
    SalvagedTable(name: "direction", key: ["id"]), SalvagedTable(name: "published", key: ["id"]),
  ]

  /// Copies every row that can be read.
  /// - Returns: a description of what was lost; nil if nothing was.
  /// - Throws: the errors of the target. Damage of the source is not an error.
  func copy(from source: Database, to target: Database) throws -> String? {
    // A store from before a table was introduced has no rows of it.
    guard let columns = try? columns(of: source, sharedWith: target), !columns.isEmpty else { return nil }
    var copying = try Copying(table: self, columns: columns, source: source, target: target)
    var isWhole = try copying.rows("NOT INDEXED", "ORDER BY \(key.joined(separator: ", "))")
    if !isWhole {
      let first = copying.lastKey
      copying.lastKey = nil
      _ = try copying.rows("NOT INDEXED", "ORDER BY \(key.map { "\($0) DESC" }.joined(separator: ", "))")
      if isNumbered {
        // If the table's first page is broken, reading forwards has read nothing.
        let low = first ?? 0
        if let high = copying.lastKey {
          isWhole = try low >= high || copying.middle(low...high)
        } else {
          try copying.onwards(from: low)
        }
      }
    }
    if let index { _ = try copying.rows("INDEXED BY \(index)", "") }
    var parts: [String] = []
    if !isWhole { parts.append("some rows cannot be read") }
    if copying.refused > 0 { parts.append("\(copying.refused) rows break a rule of the table") }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  private func columns(of source: Database, sharedWith target: Database) throws -> [String] {
    let there = Set(try source.columns(in: name).map(\.name))
    return try target.columns(in: name).map(\.name).filter(there.contains)
  }

  /// The progress of one copy.
  private struct Copying {
    let table: SalvagedTable
    let select: String
    let source: Database
    let insert: Statement
    /// The first column of the key of the row that was read last.
    var lastKey: Int64?
    var refused = 0
    /// How often parts have been asked for. It is limited, so that a table of nothing but damage comes to an end.
    private var asked = 0
    private static let mostAsked = 1 << 20

    init(table: SalvagedTable, columns: [String], source: Database, target: Database) throws {
      self.table = table
      self.source = source
      let list = columns.map { "\"\($0)\"" }.joined(separator: ", ")
      select = "SELECT \(table.key[0]), \(list) FROM \(table.name)"
      insert = try target.makeStatement(
        sql: """
          INSERT OR IGNORE INTO \(table.name) (\(list)) VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))
          """)
    }

    /// Copies the rows of a query until its end or until damage.
    /// - Returns: whether the query reached its end.
    mutating func rows(_ access: String, _ rest: String) throws -> Bool {
      guard let rows = try? Row.fetchCursor(source, sql: "\(select) \(access) \(rest)") else { return false }
      while true {
        let row: Row?
        do { row = try rows.next() } catch { return false }
        guard let row else { return true }
        lastKey = Int64.fromDatabaseValue(row[0]) ?? lastKey
        do { try insert.execute(arguments: StatementArguments(row.databaseValues.dropFirst())) } catch let error
          as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT
        {
          refused += 1
        }
      }
    }

    /// How many keys are looked at beyond the last one that could be read; it is more than a page has rows.
    private static let window: Int64 = 1 << 10

    /// Copies what can be read from a key on if the end of the table is broken and nobody knows its last key.
    mutating func onwards(from key: Int64) throws {
      var start = key
      repeat {
        lastKey = nil
        _ = try middle(start...start + Self.window - 1)
        start += Self.window
      } while lastKey != nil
    }

    /// Copies what can be read between two keys, by halves.
    /// - Returns: whether everything could be read.
    mutating func middle(_ keys: ClosedRange<Int64>) throws -> Bool {
      asked += 1
      guard asked < Self.mostAsked else { return false }
      let name = table.key[0]
      if try rows("NOT INDEXED", "WHERE \(name) BETWEEN \(keys.lowerBound) AND \(keys.upperBound)") { return true }
      guard keys.lowerBound < keys.upperBound else { return false }
      let half = keys.lowerBound + (keys.upperBound - keys.lowerBound) / 2
      let lower = try middle(keys.lowerBound...half)
      return try middle(half + 1...keys.upperBound) && lower
    }
  }
}
