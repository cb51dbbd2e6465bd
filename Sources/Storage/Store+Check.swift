// Looks at every row of a store and lists what must hold in a whole store, beyond what opening and reading check as
// they go. StoreRepair repairs it. The check reads the whole file, which takes seconds for a large store, and keeps no
// more than a row in memory.

import Foundation
import GRDB

/// Something in a store that is not as it should be.
public struct StoreFinding: Sendable, Equatable, CustomStringConvertible {
  /// The name of the table, or "file".
  public var table: String
  public var detail: String

  public var description: String { "\(table): \(detail)" }
}

extension Store {
  /// Looks for damage: SQLite's own integrity, foreign keys, schema, and the type, length and range of every value.
  /// - Parameter limit: the number of findings after which the check stops.
  /// - Returns: the findings; there are none in a whole store.
  public func check(limit: Int = 100) throws(StorageError) -> [StoreFinding] {
    var findings: [StoreFinding] = []
    do {
      try read { db in
        var check = StoreCheck(db: db, limit: limit)
        check.run()
        findings = check.findings
      }
    } catch {
      // A damaged page can make even the end of reading fail. What was found until then still counts.
      guard !findings.isEmpty else { throw error }
    }
    return findings
  }
}

private struct StoreCheck {
  let db: Database
  let limit: Int
  var findings: [StoreFinding] = []
  private var vocabSize = Int(Int32.max)
  private var nLatents = Int(Int32.max)

  init(db: Database, limit: Int) {
    self.db = db
    self.limit = limit
  }

  mutating func run() {
    checkFile()
    checkPair()
    checkLatents()
    checkMetrics()
    checkPublished()
    checkContexts()
    checkTokenLists()
    checkTexts()
  }

  // MARK: Collecting

  private mutating func found(_ table: String, _ detail: String) {
    if findings.count < limit { findings.append(StoreFinding(table: table, detail: detail)) }
  }

  /// Reports what `body` throws. A page that cannot be read ends one part of the check, not all of it.
  private mutating func report(_ table: String, _ body: (inout Self) throws -> Void) {
    do { try body(&self) } catch let error as BadValue {
      found(error.table, error.detail)
    } catch let error as DatabaseError {
      found(table, error.message ?? error.resultCode.description)
    } catch {
      found(table, String(describing: error))
    }
  }

  /// Calls `body` with each row, whose first columns name the row in a finding.
  private mutating func rows(of table: String, _ sql: String, _ body: (inout Self, RowReader) throws -> Void) {
    report(table) { check in
      let rows = try Row.fetchCursor(check.db, sql: sql)
      while check.findings.count < check.limit, let row = try rows.next() {
        let key: DatabaseValue = row[0]
        do { try body(&check, RowReader(row: row, table: table)) } catch let error as BadValue {
          check.found(table, "row \(key): \(error.detail)")
        }
      }
    }
  }

  private func require(_ condition: Bool, _ row: RowReader, _ detail: @autoclosure () -> String) throws {
    if !condition { throw BadValue(table: row.table, detail: detail()) }
  }

  // MARK: Parts

  private mutating func checkFile() {
    report("file") { check in
      for message in try String.fetchAll(check.db, sql: "PRAGMA integrity_check(20)") where message != "ok" {
        check.found("file", message)
      }
    }
    report("file") { check in
      let rows = try Row.fetchCursor(check.db, sql: "PRAGMA foreign_key_check")
      while check.findings.count < check.limit, let row = try rows.next() {
        let reader = RowReader(row: row, table: "foreign_key_check")
        check.found(try reader.text(0), "a row names a row of table \(try reader.text(2)) that is not there")
      }
    }
    report("file") { check in
      if try Schema.migrator.hasSchemaChanges(check.db) {
        check.found("file", "the tables are not defined as this version defines them")
      }
    }
  }

  private mutating func checkPair() {
    rows(of: "model_pair", "SELECT \(ModelPair.columnList) FROM model_pair") { check, row in
      let pair = try ModelPair(row)
      check.nLatents = pair.nLatents
      check.vocabSize = pair.vocabSize
      let card = try? JSONSerialization.jsonObject(with: Data(pair.card.utf8))
      try check.require(card is [String: Any], row, "the card is not a JSON object")
      for (_, file) in pair.files {
        guard let hash = file?.sha256 else { continue }
        try check.require(hash.count == 64 && hash.allSatisfy(\.isHexDigit), row, "\"\(hash)\" is not a SHA-256")
      }
    }
    report("model_pair") { check in
      if try Int.fetchOne(check.db, sql: "SELECT count(*) FROM model_pair") != 1 {
        check.found("model_pair", "it does not have exactly one row")
      }
    }
  }

  private mutating func checkLatents() {
    rows(of: "latent", "SELECT \(LatentRecord.columnList) FROM latent") { check, row in
      let latent = try LatentRecord(row)
      try check.require(latent.id < check.nLatents, row, "it is not one of \(check.nLatents) latents")
      func within(_ column: LatentColumn, _ range: ClosedRange<Double>) throws {
        guard let value = latent[column] else { return }
        try check.require(range.contains(value), row, "\(column.rawValue) is \(value), which is outside \(range)")
      }
      for column in [LatentColumn.deltaNorm, .frequency, .frequencyPlain, .frequencyChat, .templateShare] {
        try within(column, 0...1)
      }
      try within(.cosBaseChat, -1.001...1.001)
      for column in [LatentColumn.decNormBase, .decNormChat, .maxActivation, .meanActivation] {
        try within(column, 0...Double.greatestFiniteMagnitude)
      }
    }
    report("latent") { check in
      let rank = "SELECT chat_specificity FROM latent WHERE chat_specificity IS NOT NULL"
      if let double = try Int.fetchOne(check.db, sql: "\(rank) GROUP BY chat_specificity HAVING count(*) > 1") {
        check.found("latent", "two latents have chat_specificity \(double)")
      }
    }
  }

  /// A store from before metrics were introduced has no table of them.
  private mutating func checkMetrics() {
    guard (try? db.tableExists("metric")) == true else { return }
    rows(of: "metric", "SELECT id, name FROM metric") { check, row in
      try check.require(!(try row.text(1)).isEmpty, row, "it has no name")
    }
    rows(of: "latent_metric", "SELECT latent, value FROM latent_metric") { _, row in _ = try row.double(1) }
  }

  /// A store from before lines were kept has no table of them.
  private mutating func checkPublished() {
    guard (try? db.tableExists("published")) == true else { return }
    rows(of: "published", "SELECT id, kind, file, content FROM published") { check, row in
      _ = (try row.text(1), try row.text(2))
      let isPacked = try row.blob(3).starts(with: [0x1F, 0x8B])
      try check.require(isPacked, row, "its lines are not packed by gzip")
    }
  }

  private mutating func checkContexts() {
    rows(of: "token", "SELECT id, bytes, special FROM token") { check, row in
      try check.require(try row.int(0) < check.vocabSize, row, "it is outside the vocabulary of \(check.vocabSize)")
      _ = (try row.blob(1), try row.bool(2))
    }
    rows(of: "sequence", "SELECT id, token_ids, corpus, template_mask FROM sequence") { check, row in
      let sequence = try SequenceRecord(id: try row.id(0), row, from: 1)
      let outside = sequence.tokenIDs.first { Int($0) >= check.vocabSize }
      try check.require(outside == nil, row, "token \(outside ?? 0) is outside the vocabulary")
    }
    let examples = """
      SELECT e.latent, e.quantile, e.rank, e.sequence, e.max_activation, e.positions, e."values",
        s.token_ids, s.corpus, s.template_mask
      FROM example e LEFT JOIN sequence s ON s.id = e.sequence
      """
    rows(of: "example", examples) { _, row in
      _ = try Context(latent: try row.int(0), row, from: 1)
    }
  }

  private mutating func checkTokenLists() {
    rows(
      of: "logit",
      """
      SELECT latent, promoted_ids, promoted_values, suppressed_ids, suppressed_values, direction FROM logit
      """
    ) { check, row in
      for index in [1, 3] {
        let ids = try row.ids(index)
        _ = try row.values(index + 1, count: ids.count)
        try check.require(ids.allSatisfy { Int($0) < check.vocabSize }, row, "a token is outside the vocabulary")
      }
      try check.require(LogitDirection(rawValue: try row.text(5)) != nil, row, "its direction is unknown")
    }
    rows(of: "histogram", "SELECT latent, corpus, low, high, counts FROM histogram") { check, row in
      _ = (try row.text(1), try row.ids(4))
      try check.require(try row.double(2) <= row.double(3), row, "the edges do not rise")
    }
    rows(of: "neighbour", "SELECT latent, kind, other, cosine FROM neighbour") { check, row in
      try check.require(NeighbourKind(rawValue: try row.text(1)) != nil, row, "its kind is unknown")
      try check.require(abs(try row.double(3)) <= 1.001, row, "the cosine is outside -1...1")
    }
  }

  private mutating func checkTexts() {
    rows(of: "tag", "SELECT latent, name FROM tag") { check, row in
      let name = try row.text(1)
      try check.require((try? Store.tagNames([name])) == [name], row, "its name is no name for a tag")
    }
    rows(of: "note", "SELECT latent, text FROM note") { _, row in _ = try row.text(1) }
    rows(of: "explanation", "SELECT id, source, text, detection_score, details FROM explanation") { check, row in
      _ = (try row.text(1), try row.text(2))
      let score = try row.optionalDouble(3)
      try check.require(score.map { (0...1).contains($0) } ?? true, row, "the detection score is outside of 0…1")
      let details = try row.optionalText(4).map { try? JSONSerialization.jsonObject(with: Data($0.utf8)) }
      try check.require(details.map { $0 is [String: Any] } ?? true, row, "the details are not a JSON object")
    }
    rows(of: "experiment", "SELECT id, interventions, parameters, outputs, versions FROM experiment") { check, row in
      for index in 1...4 {
        let document = Data(try row.text(index).utf8)
        let json = try? JSONSerialization.jsonObject(with: document, options: .fragmentsAllowed)
        try check.require(json != nil, row, "column \(index) is not JSON")
      }
    }
    rows(of: "journal", "SELECT id, changes, undone FROM journal") { check, row in
      let changes = try? JSONDecoder().decode([AnnotationChange].self, from: Data(try row.text(1).utf8))
      try check.require(changes != nil, row, "it holds no list of changes")
      _ = try row.bool(2)
    }
  }
}
