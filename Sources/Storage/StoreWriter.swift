// Making a store, in bulk.
// Owns: the temporary file beside the destination, its lock, and the one moment at which it takes the destination's
// place. Refuses: to replace a file that is not a store, or a store that another program is writing to.
// Until `finish` returns, a store at the destination stays as it is; after any error the temporary file is gone.

import Foundation
import GRDB
import Glibc
import Synchronization

/// Writes a new store: tokens first, then latents and sequences, then examples and the rest, then `finish`.
///
/// Each `add` is one transaction. The same calls make the same bytes. Release it without `finish` to abandon it.
public final class StoreWriter: Sendable {
  /// Where the store will be, absolute.
  public let path: String
  let pair: ModelPair
  private let temporaryPath: String
  private let state: Mutex<State>
  /// Filled by `add(tokens:)`, read to make sequences searchable.
  let vocabulary = Mutex<[Int32: TokenRecord]>([:])
  /// The length of every sequence added, which its contexts must lie within.
  let sequenceLengths = Mutex<[Int32: Int]>([:])

  private struct State {
    /// nil once finished or abandoned.
    var queue: DatabaseQueue?
    /// Holds the lock of the temporary file.
    var descriptor: CInt
  }

  /// Begins a store in a temporary file in the folder of `path`.
  /// - Parameters:
  ///   - path: where the finished store goes; a store that is there will be replaced, its tags only kept if the
  ///     caller hands them to `add(annotations:)`.
  ///   - meta: free texts, such as the corpus and its licence.
  /// - Throws: if `path` is something else than a store, if the folder cannot be written, or if another program is
  ///   building the same store.
  public convenience init(replacing path: String, pair: ModelPair, meta: [String: String] = [:]) throws(StorageError) {
    try self.init(replacing: path, pair: pair, meta: meta, maximumPages: nil)
  }

  /// - Parameter maximumPages: the size at which the disk counts as full; for tests.
  init(replacing path: String, pair: ModelPair, meta: [String: String], maximumPages: Int?) throws(StorageError) {
    let path = StoreFile.absolute(path)
    do { _ = try StoreFile(at: path) } catch {
      switch error {
      case .missing, .empty, .truncated: break
      default: throw error
      }
    }
    let folder = StoreFile.folder(of: path)
    let temporaryPath = folder + "/." + (path as NSString).lastPathComponent + ".partial"
    let descriptor = open(temporaryPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw .system(errno, path: errno == ENOENT ? folder : temporaryPath) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      Glibc.close(descriptor)
      throw .system(code, path: temporaryPath)
    }
    // The writer that held the lock until now may have put this very file in its place.
    var (opened, named) = (stat(), stat())
    guard fstat(descriptor, &opened) == 0, stat(temporaryPath, &named) == 0, opened.st_ino == named.st_ino else {
      Glibc.close(descriptor)
      throw .busy(path: temporaryPath)
    }
    self.path = path
    self.pair = pair
    self.temporaryPath = temporaryPath
    state = Mutex(State(queue: nil, descriptor: descriptor))
    Self.removeLogs(of: temporaryPath)
    guard ftruncate(descriptor, 0) == 0 else { throw .system(errno, path: temporaryPath) }
    do {
      var configuration = Store.configuration(readOnly: false)
      configuration.label = "crosscope.store.writer"
      let queue = try DatabaseQueue(path: temporaryPath, configuration: configuration)
      state.withLock { $0.queue = queue }
      try queue.writeWithoutTransaction { db in
        // The file is thrown away after any failure, so it needs no journal on disk and no waiting for the disk.
        try db.execute(
          sql: """
            PRAGMA auto_vacuum = NONE; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;
            PRAGMA secure_delete = OFF; PRAGMA cache_size = -65536; PRAGMA locking_mode = EXCLUSIVE;
            PRAGMA application_id = \(Schema.applicationID);
            """)
        if let maximumPages { try db.execute(sql: "PRAGMA max_page_count = \(maximumPages)") }
      }
      try Schema.migrator.migrate(queue)
      // Made again when all rows are there: an index that is filled row by row costs several times as much.
      try queue.write { try $0.execute(sql: "DROP INDEX example_sequence") }
    } catch {
      throw abandon(error, table: "store")
    }
    try transaction("model_pair") { db in try Self.insert(pair, meta: meta, in: db) }
  }

  deinit { discard() }

  /// Gives up: the temporary file goes away, the destination stays as it is. Harmless after `finish`.
  public func discard() {
    state.withLock { state in
      if let queue = state.queue { try? queue.close() }  // The file is deleted whether or not it closes well.
      state.queue = nil
      guard state.descriptor >= 0 else { return }
      unlink(temporaryPath)
      Self.removeLogs(of: temporaryPath)
      Glibc.close(state.descriptor)
      state.descriptor = -1
    }
  }

  /// Runs `body` in one transaction; after an error the writer has been abandoned.
  func transaction(_ table: String, _ body: (Database) throws -> Void) throws(StorageError) {
    guard let queue = state.withLock({ $0.queue }) else {
      throw .invalidRecord(table: table, detail: "the store has been finished or abandoned")
    }
    do { try queue.write(body) } catch { throw abandon(error, table: table) }
  }

  private func abandon(_ error: any Error, table: String) -> StorageError {
    discard()
    if let error = error as? DatabaseError, error.resultCode == .SQLITE_CONSTRAINT {
      return .invalidRecord(table: table, detail: error.message ?? "breaks a rule of the table")
    }
    return .translating(error, path: path)
  }

  /// Completes the store and puts it in its place, in one step that either happens or does not.
  /// - Throws: for instance `diskFull`, or `busy` if another program is writing to the store being replaced.
  public func finish() throws(StorageError) {
    try transaction("sequence_search") { db in
      for table in ["sequence_search", "note_search", "explanation_search"] {
        try db.execute(sql: "INSERT INTO \(table) (\(table)) VALUES ('optimize')")
      }
      try db.execute(sql: Schema.contextIndex)
    }
    guard let queue = state.withLock({ $0.queue }) else { throw .busy(path: path) }
    do {
      try queue.writeWithoutTransaction { db in
        let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        // Indexes filled in another order than theirs are half empty; above this size the time is worth more.
        if pages < 1 << 16 { try db.execute(sql: "VACUUM") }
        try db.execute(sql: "PRAGMA journal_mode = DELETE")
      }
      try queue.close()
      try Self.release(path)
    } catch {
      throw abandon(error, table: "store")
    }
    let descriptor = state.withLock { state in
      state.queue = nil
      return state.descriptor
    }
    guard fsync(descriptor) == 0, rename(temporaryPath, path) == 0 else {
      let error = StorageError.system(errno, path: path)
      discard()
      throw error
    }
    state.withLock { $0.descriptor = -1 }
    Glibc.close(descriptor)
    // The store is in place; that the folder's entry reaches the disk at once is a wish, not a condition.
    let folder = open(StoreFile.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      Glibc.close(folder)
    }
  }

  /// Makes sure that the store at `path`, if any, has no log that would be taken for the new file's.
  private static func release(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path + "-wal") else { return }
    let queue = try DatabaseQueue(path: path, configuration: Store.configuration(readOnly: false))
    // Fails as busy while another program has the store open.
    let mode = try queue.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode = DELETE") }
    try queue.close()
    guard mode == "delete" else { throw StorageError.busy(path: path) }
  }

  private static func removeLogs(of path: String) {
    for suffix in ["-journal", "-wal", "-shm"] { unlink(path + suffix) }
  }

  private static func insert(_ pair: ModelPair, meta: [String: String], in db: Database) throws {
    guard (try? JSONSerialization.jsonObject(with: Data(pair.card.utf8))) is [String: Any] else {
      throw StorageError.invalidRecord(table: "model_pair", detail: "the card is not a JSON object")
    }
    let values: [(any DatabaseValueConvertible)?] =
      [pair.base, pair.chat, pair.layer, pair.dModel, pair.nLatents, pair.vocabSize]
      + pair.files.map(\.file).flatMap { [$0?.path, $0?.sha256] as [(any DatabaseValueConvertible)?] } + [pair.card]
    try db.execute(
      sql: """
        INSERT INTO model_pair (id, \(ModelPair.columnList))
        VALUES (1\(String(repeating: ", ?", count: values.count)))
        """, arguments: StatementArguments(values))
    for (key, value) in meta.sorted(by: { $0.key < $1.key }) {
      try db.execute(sql: "INSERT INTO meta (key, value) VALUES (?, ?)", arguments: [key, value])
    }
  }
}
