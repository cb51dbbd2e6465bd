// What programs wrote about latents: explanations, each with its source and with how well it told contexts apart.
// Saving one replaces the earlier one and updates the text search. Texts longer than a page can show are errors.

import Foundation
import GRDB

extension Store {
  /// The longest explanation, in bytes of UTF-8.
  public static let longestExplanation = 1 << 14

  /// The source of summaries that are made of tokens alone; see `ExplanationRecord.source`.
  public static let tokenSource = "tokens"

  /// One text for each of these latents that says what it is about: an explanation, else the summary of its tokens.
  /// Latents with neither are left out.
  public func summaries(of latents: some Sequence<Int>) throws(StorageError) -> [Int: String] {
    try read { db in
      let statement = try db.cachedStatement(
        sql: "SELECT text FROM explanation WHERE latent = ? ORDER BY source = '\(Self.tokenSource)', source LIMIT 1")
      var result: [Int: String] = [:]
      for latent in latents {
        guard let row = try Row.fetchOne(statement, arguments: [latent]) else { continue }
        result[latent] = try RowReader(row: row, table: "explanation").text(0)
      }
      return result
    }
  }

  /// All explanations of a latent, by their sources.
  public func explanations(of latent: Int) throws(StorageError) -> [ExplanationRecord] {
    try read { db in try Self.explanations(of: latent, in: db) }
  }

  /// The latents that a source has explained.
  public func latentsExplained(by source: String) throws(StorageError) -> Set<Int> {
    try read { db in
      let rows = try Row.fetchCursor(db, sql: "SELECT latent FROM explanation WHERE source = ?", arguments: [source])
      var latents: Set<Int> = []
      while let row = try rows.next() { latents.insert(try RowReader(row: row, table: "explanation").int(0)) }
      return latents
    }
  }

  /// Saves explanations, each in place of an earlier one with its latent and source. Either all are saved or none.
  /// - Throws: `noSuchLatent`, `invalidRecord`, `readOnly` and others.
  public func save(explanations: [ExplanationRecord]) throws(StorageError) {
    try write { db in
      for explanation in explanations {
        _ = try latent(explanation.latent, in: db)
        try explanation.insert(in: db)
      }
    }
  }

  /// Draws sequences without repetition; there are fewer if the store has no more.
  /// - Parameters:
  ///   - excluded: sequences that must not be taken.
  ///   - generator: makes the choice; the same generator gives the same sequences.
  public func sequences(
    count: Int, excluding excluded: Set<Int32>, using generator: inout some RandomNumberGenerator
  ) throws(StorageError) -> [SequenceRecord] {
    var seen = excluded
    var result: [SequenceRecord] = []
    var numbers: [Int32] = []
    let last = try read { db in try Int32.fetchOne(db, sql: "SELECT max(id) FROM sequence") ?? -1 }
    guard last >= 0 else { return [] }
    // Ids may have gaps: a number that falls into one takes the next id. The number of tries is bounded.
    for _ in 0..<20 * max(count, 1) { numbers.append(Int32.random(in: 0...last, using: &generator)) }
    for number in numbers where result.count < count {
      let id = try read { db in
        try Int32.fetchOne(db, sql: "SELECT id FROM sequence WHERE id >= ? ORDER BY id LIMIT 1", arguments: [number])
      }
      guard let id, seen.insert(id).inserted else { continue }
      result.append(try sequence(id))
    }
    return result
  }

  static func explanations(of latent: Int, in db: Database) throws -> [ExplanationRecord] {
    let statement = try db.cachedStatement(
      sql: "SELECT source, text, detection_score, details FROM explanation WHERE latent = ? ORDER BY source")
    let rows = try Row.fetchCursor(statement, arguments: [latent])
    var explanations: [ExplanationRecord] = []
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "explanation")
      explanations.append(
        ExplanationRecord(
          latent: latent, source: try reader.text(0), text: try reader.text(1),
          detectionScore: try reader.optionalDouble(2), details: try reader.optionalText(3)))
    }
    return explanations
  }
}

extension LatentPage {
  /// What the latent is about in one text; see `Store.summaries(of:)`.
  public var summary: String? {
    (explanations.first { $0.source != Store.tokenSource } ?? explanations.first)?.text
  }
}

extension ExplanationRecord {
  /// Writes the row and its entry in the text search, in place of the row with the same latent and source.
  func insert(in db: Database) throws {
    guard !source.isEmpty, !text.isEmpty, text.utf8.count <= Store.longestExplanation else {
      throw StorageError.invalidRecord(
        table: "explanation", detail: "it is empty, or longer than \(Store.longestExplanation) bytes")
    }
    if let score = detectionScore {
      guard (0...1).contains(score) else {
        throw StorageError.invalidRecord(table: "explanation", detail: "detection score \(score) is not in 0…1")
      }
    }
    let old = try db.cachedStatement(sql: "SELECT id, text FROM explanation WHERE latent = ? AND source = ?")
    if let row = try Row.fetchOne(old, arguments: [latent, source]) {
      let reader = RowReader(row: row, table: "explanation")
      let id = try reader.int(0)
      try db.cachedStatement(sql: "DELETE FROM explanation_search WHERE rowid = ?").execute(arguments: [id])
      try db.cachedStatement(sql: "DELETE FROM explanation WHERE id = ?").execute(arguments: [id])
    }
    try db.cachedStatement(
      sql: "INSERT INTO explanation (latent, source, text, detection_score, details) VALUES (?, ?, ?, ?, ?)"
    ).execute(arguments: [latent, source, text, detectionScore, details])
    let id = db.lastInsertedRowID
    try db.cachedStatement(sql: "INSERT INTO explanation_search (rowid, text) VALUES (?, ?)")
      .execute(arguments: [id, text])
  }
}
