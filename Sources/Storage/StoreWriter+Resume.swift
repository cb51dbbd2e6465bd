// What a writer needs that goes on after its program was killed: the unfinished file says from what it is made and how far
// its maker has come, and its tokens, sequences and numbers of contexts are read again. `together` makes rows and progress
// one step. A key that names a record (`claim`) is known to the file too, so that a record that comes twice is found whenever.

import Foundation
import GRDB

extension StoreWriter {
  private static let (identityKey, progressKey) = ("unfinished_identity", "unfinished_progress")

  /// Whether the file at `path` is an unfinished store that was made from the same.
  static func isUnfinished(_ path: String, identity: String) -> Bool {
    guard FileIdentity(at: path) != nil,
      let queue = try? DatabaseQueue(path: path, configuration: Store.configuration(readOnly: false))
    else { return false }
    let found = try? queue.read { db in
      try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [identityKey])
    }
    let isClosed = (try? queue.close()) != nil
    return isClosed && found == identity
  }

  static func beginResumable(_ identity: String, in db: Database) throws {
    try db.execute(sql: "INSERT INTO meta (key, value) VALUES (?, ?)", arguments: [identityKey, identity])
  }

  /// Makes `claim` possible.
  public func beginClaims() throws(StorageError) {
    try transaction("claimed") { db in
      try db.execute(
        sql: "CREATE TABLE IF NOT EXISTS claimed (name TEXT PRIMARY KEY, place TEXT NOT NULL) STRICT, WITHOUT ROWID")
    }
  }

  /// Sets figures of latents that have been added and lack them.
  public func fill(_ latents: some Sequence<LatentRecord>) throws(StorageError) {
    try transaction("latent") { db in
      let statement = try db.cachedStatement(
        sql: """
          UPDATE latent SET max_activation = coalesce(max_activation, ?), frequency = coalesce(frequency, ?) WHERE id = ?
          """)
      for latent in latents {
        for case let value? in [latent.maxActivation, latent.frequency] where !value.isFinite {
          throw StorageError.invalidRecord(table: "latent", detail: "a figure of latent \(latent.id) is \(value)")
        }
        try statement.execute(arguments: [latent.maxActivation, latent.frequency, latent.id])
      }
    }
  }

  /// Removes what only an unfinished store has.
  static func endResumable(in db: Database) throws {
    try db.execute(sql: "DELETE FROM meta WHERE key IN (?, ?)", arguments: [identityKey, progressKey])
    try db.execute(sql: "DROP TABLE IF EXISTS claimed; DROP INDEX IF EXISTS example_sequence;")
  }

  /// Reads what the writer keeps in memory out of an unfinished file.
  func readHeld() throws(StorageError) {
    try transaction("store") { db in
      var tokens: [Int32: TokenRecord] = [:]
      let rows = try Row.fetchCursor(db, sql: "SELECT id, bytes, special FROM token")
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "token")
        let token = TokenRecord(
          id: try reader.id(0), bytes: Array(try reader.blob(1)), isSpecial: try reader.bool(2))
        tokens[token.id] = token
      }
      let read = tokens
      vocabulary.withLock { $0 = read }
    }
    try heldSequences { sequence in sequenceLengths.withLock { $0[sequence.id] = sequence.tokenIDs.count } }
  }

  /// Goes through the sequences that have been added.
  public func heldSequences(_ body: (SequenceRecord) throws -> Void) throws(StorageError) {
    try transaction("sequence") { db in
      let rows = try Row.fetchCursor(db, sql: "SELECT id, token_ids, corpus, template_mask FROM sequence")
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "sequence")
        try body(SequenceRecord(id: try reader.id(0), reader, from: 1))
      }
    }
  }

  /// The tokens that have been added, by id.
  public var heldTokens: [Int32: TokenRecord] { vocabulary.withLock { $0 } }

  /// The number of contexts of each latent in each band that have been added.
  public func heldContextCounts() throws(StorageError) -> [Int: [Int: Int]] {
    var counts: [Int: [Int: Int]] = [:]
    try transaction("example") { db in
      let rows = try Row.fetchCursor(db, sql: "SELECT latent, quantile, count(*) FROM example GROUP BY 1, 2")
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "example")
        counts[try reader.int(0), default: [:]][try reader.int(1)] = try reader.int(2)
      }
    }
    return counts
  }

  /// The latents that have been added, each with its largest activation.
  public func heldLatents() throws(StorageError) -> [Int: Double?] {
    var latents: [Int: Double?] = [:]
    try transaction("latent") { db in
      let rows = try Row.fetchCursor(db, sql: "SELECT id, max_activation FROM latent")
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "latent")
        latents.updateValue(try reader.optionalDouble(1), forKey: try reader.int(0))
      }
    }
    return latents
  }

  /// How far the maker has come, as it wrote it last; nil at the beginning.
  public func progress() throws(StorageError) -> String? {
    var progress: String?
    try transaction("meta") { db in
      progress = try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [Self.progressKey])
    }
    return progress
  }

  /// Writes how far the maker has come.
  public func set(progress: String) throws(StorageError) {
    try transaction("meta") { db in
      try db.execute(
        sql: "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        arguments: [Self.progressKey, progress])
    }
  }

  /// Remembers that a record has this name; `beginClaims` comes first.
  /// - Parameters:
  ///   - name: the name, compared byte by byte.
  ///   - place: where the record is, for a message.
  /// - Returns: the place of the record that has the name already; nil if there is none.
  public func claim(_ name: String, at place: String) throws(StorageError) -> String? {
    var earlier: String?
    try transaction("claimed") { db in
      let find = try db.cachedStatement(sql: "SELECT place FROM claimed WHERE name = ?")
      earlier = try String.fetchOne(find, arguments: [name])
      guard earlier == nil else { return }
      try db.cachedStatement(sql: "INSERT INTO claimed (name, place) VALUES (?, ?)").execute(arguments: [name, place])
    }
    return earlier
  }

  /// Gives latents without a largest activation that of their contexts.
  public func fillMaxima() throws(StorageError) {
    try transaction("latent") { db in
      try db.execute(
        sql: """
          UPDATE latent SET max_activation = (SELECT max(max_activation) FROM example WHERE latent = id)
          WHERE max_activation IS NULL
          """)
    }
  }

  /// Sets what was not known of the pair when writing began.
  public func correct(nLatents: Int, dModel: Int, vocabSize: Int) throws(StorageError) {
    try transaction("model_pair") { db in
      try db.execute(
        sql: "UPDATE model_pair SET n_latents = ?, d_model = ?, vocab_size = ?",
        arguments: [nLatents, dModel, vocabSize])
    }
  }
}
