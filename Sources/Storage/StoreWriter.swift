// Makes a store in bulk: in a temporary file beside the destination, which takes the destination's place in one moment.
// A lock keeps a second writer away. A file that is not a store is never replaced. Until `finish` returns, a store at
// the destination stays as it is; after any error the temporary file is gone.
// The lock is on a file of its own: closing a descriptor of a database would drop SQLite's locks on it (see StoreFile).

import Foundation
import GRDB
import Glibc
import Synchronization

/// Writes a new store: tokens first, then latents and sequences, then examples and the rest, then `finish`.
///
/// Each `add` is one transaction. The same calls give the same bytes. A release without `finish` abandons the store.
public final class StoreWriter: Sendable {
  /// The absolute path at which the store will be.
  public let path: String
  let pair: ModelPair
  private let temporaryPath: String
  private let lockPath: String
  private let state: Mutex<State>
  /// The vocabulary. `add(tokens:)` fills it; it makes sequences searchable.
  let vocabulary = Mutex<[Int32: TokenRecord]>([:])
  /// The length of every sequence added; the sequence's contexts must lie within it.
  let sequenceLengths = Mutex<[Int32: Int]>([:])
  /// Whether this goes on with the file of a program that was killed.
  public let isResumed: Bool

  private struct State {
    /// The database; nil once the store is finished or abandoned.
    var queue: DatabaseQueue?
    /// The descriptor that holds the lock; −1 once the store is finished or abandoned.
    var lock: CInt
  }

  /// Begins a store in a temporary file in the folder of `path`.
  /// - Parameters:
  ///   - path: the place of the finished store. A store that is there will be replaced; its tags are kept only if the
  ///     caller gives them to `add(annotations:)`.
  ///   - meta: free texts, such as the corpus and its licence.
  /// - Throws: if the file at `path` is not a store, if the folder cannot be written, or if another program is building
  ///   the same store.
  ///   - identity: says from what the store is made, if its maker can resume (StoreWriter+Resume): an unfinished file that
  ///     was made from the same is continued.
  public convenience init(
    replacing path: String, pair: ModelPair, meta: [String: String] = [:], resuming identity: String? = nil
  ) throws(StorageError) {
    try self.init(replacing: path, pair: pair, meta: meta, resuming: identity, maximumPages: nil)
  }

  /// - Parameter maximumPages: the size at which the disk counts as full; for tests.
  init(
    replacing path: String, pair: ModelPair, meta: [String: String], resuming identity: String? = nil,
    maximumPages: Int?
  ) throws(StorageError) {
    let path = StoreFile.absolute(path)
    do { _ = try StoreFile(at: path) } catch {
      switch error {
      case .missing, .empty, .truncated: break
      default: throw error
      }
    }
    let folder = StoreFile.folder(of: path)
    let beside = folder + "/." + (path as NSString).lastPathComponent
    (temporaryPath, lockPath) = (beside + ".partial", beside + ".lock")
    let lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard lock >= 0 else { throw .system(errno, path: errno == ENOENT ? folder : lockPath) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      Glibc.close(lock)
      throw .system(code, path: temporaryPath)
    }
    // The writer that held the lock until now may have removed this very file.
    var opened = stat()
    guard fstat(lock, &opened) == 0, FileIdentity(at: lockPath) == FileIdentity(opened) else {
      Glibc.close(lock)
      throw .busy(path: temporaryPath)
    }
    self.path = path
    self.pair = pair
    state = Mutex(State(queue: nil, lock: lock))
    let unfinished = beside + ".partial"
    isResumed = identity.map { Self.isUnfinished(unfinished, identity: $0) } ?? false
    if !isResumed { Self.remove(temporaryPath) }
    do {
      var configuration = Store.configuration(readOnly: false)
      configuration.label = "crosscope.store.writer"
      let queue = try DatabaseQueue(path: temporaryPath, configuration: configuration)
      state.withLock { $0.queue = queue }
      try queue.writeWithoutTransaction { db in
        // After any failure the file is thrown away, so it needs no waiting for the disk; nor does it need a journal on
        // disk, unless a killed program resumes.
        try db.execute(
          sql: """
            PRAGMA auto_vacuum = NONE; PRAGMA journal_mode = \(identity == nil ? "MEMORY" : "TRUNCATE"); PRAGMA synchronous = OFF;
            PRAGMA secure_delete = OFF; PRAGMA cache_size = -65536; PRAGMA locking_mode = EXCLUSIVE;
            PRAGMA application_id = \(Schema.applicationID);
            """)
        if let maximumPages { try db.execute(sql: "PRAGMA max_page_count = \(maximumPages)") }
      }
      if !isResumed {
        try Schema.migrator.migrate(queue)
        // The index is made when all rows are there, since filling it row by row takes several times as long.
        try queue.write { try $0.execute(sql: "DROP INDEX example_sequence") }
      }
    } catch {
      throw abandon(error, table: "store")
    }
    guard !isResumed else {
      try readHeld()
      return
    }
    try transaction("model_pair") { db in
      try Self.insert(pair, meta: meta, in: db)
      if let identity { try Self.beginResumable(identity, in: db) }
    }
  }

  deinit { discard() }

  /// Gives up: the temporary file is removed and the destination stays as it is. After `finish` this does nothing.
  public func discard() {
    state.withLock { state in
      if let queue = state.queue { try? queue.close() }  // The file is deleted whether or not it closes well.
      state.queue = nil
      guard state.lock >= 0 else { return }
      Self.remove(temporaryPath)
      unlink(lockPath)
      Glibc.close(state.lock)
      state.lock = -1
    }
  }

  /// Runs `body` in one transaction, which is that of `together` if there is one. After an error the writer is abandoned.
  func transaction(_ table: String, _ body: (Database) throws -> Void) throws(StorageError) {
    guard let queue = state.withLock({ $0.queue }) else {
      throw .invalidRecord(table: table, detail: "the store has been finished or abandoned")
    }
    var isInner = false
    do {
      try queue.unsafeReentrantWrite { db in
        isInner = db.isInsideTransaction
        guard !isInner else { return try body(db) }
        try db.inTransaction {
          try body(db)
          return .commit
        }
      }
    } catch {
      // The outer transaction ends first, since its connection cannot be closed from within.
      throw isInner ? translated(error, table: table) : abandon(error, table: table)
    }
  }

  /// Runs `body`, whose additions happen all or not at all. After an error the writer is abandoned.
  public func together(_ body: () throws -> Void) throws {
    guard let queue = state.withLock({ $0.queue }) else {
      throw StorageError.invalidRecord(table: "store", detail: "the store has been finished or abandoned")
    }
    do {
      try queue.unsafeReentrantWrite { db in
        try db.inTransaction {
          try body()
          return .commit
        }
      }
    } catch let error as DatabaseError {
      throw abandon(error, table: "store")
    } catch {
      discard()
      throw error
    }
  }

  private func abandon(_ error: any Error, table: String) -> StorageError {
    discard()
    return translated(error, table: table)
  }

  private func translated(_ error: any Error, table: String) -> StorageError {
    if let error = error as? DatabaseError, error.resultCode == .SQLITE_CONSTRAINT {
      return .invalidRecord(table: table, detail: error.message ?? "it breaks a rule of the table")
    }
    return .translating(error, path: path)
  }

  /// Completes the store and puts it in its place, in one step that either happens or does not.
  ///
  /// If there is no store yet, or nobody else uses it, the new file takes the name. A store in use gets the new content
  /// in one transaction (`Store.replaceContent`), so that programs which have it open neither read wrong data nor lose
  /// what they write.
  /// - Parameter carry: is given the user's work in the last state of the store being replaced, and says which of it
  ///   goes into the new store. The journal goes with it.
  /// - Throws: for instance `diskFull`; `busy` if another program keeps writing to the former store; the errors of
  ///   `carry`.
  public func finish(carrying carry: (UserAnnotations) throws -> UserAnnotations? = { _ in nil }) throws {
    try complete { queue in
      guard let former = try former() else { return try takeName(queue) }
      guard former.isWritable else { throw StorageError.readOnly(path: path) }
      // The store is closed, since this program itself must not be one that uses it.
      former.close()
      if try replaceAlone(queue, carry) { return }
      try replaceInUse(Store(path: path, access: .readWrite), queue, carry)
    }
  }

  /// Completes the store and gives it the name of the file at the destination, which is kept under another name. The
  /// caller holds a lock on that file, and no program uses its log.
  func finish(keepingFormerAs kept: String) throws {
    try complete { queue in
      if link(path, kept) != 0 {
        // Some file systems allow no second name for a file. There, the name is free for a moment.
        guard rename(path, kept) == 0 else { throw StorageError.system(errno, path: kept) }
      }
      do { try takeName(queue) } catch {
        if FileIdentity(at: path) == nil { rename(kept, path) } else { unlink(kept) }
        throw error
      }
    }
  }

  /// Writes what must come last, and then calls `place`, which puts the file where it belongs.
  private func complete(_ place: (DatabaseQueue) throws -> Void) throws {
    try transaction("sequence_search") { db in
      for table in ["sequence_search", "note_search", "explanation_search"] {
        try db.execute(sql: "INSERT INTO \(table) (\(table)) VALUES ('optimize')")
      }
      try Self.endResumable(in: db)
      try db.execute(sql: Schema.contextIndex)
    }
    guard let queue = state.withLock({ $0.queue }) else { throw StorageError.busy(path: path) }
    do {
      try queue.writeWithoutTransaction { db in
        let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        // Indexes filled in another order than their own are half empty. Above this size the time matters more.
        if pages < 1 << 16 { try db.execute(sql: "VACUUM") }
        try db.execute(sql: "PRAGMA journal_mode = DELETE")
      }
      try place(queue)
    } catch let error where error is StorageError || error is DatabaseError {
      throw abandon(error, table: "store")
    } catch {
      discard()
      throw error
    }
    discard()
  }

  /// The store at the destination; nil if there is none, or if it could not be opened.
  private func former() throws(StorageError) -> Store? {
    do { return try Store(path: path, access: .readWrite) } catch {
      switch error {
      case .missing, .empty, .truncated: return nil
      default: throw error
      }
    }
  }

  /// Gives the new file the name of a store whose log no other program uses, under a lock that keeps everybody away.
  /// - Returns: whether nobody else used the store; if not, nothing has changed.
  private func replaceAlone(
    _ queue: DatabaseQueue, _ carry: (UserAnnotations) throws -> UserAnnotations?
  ) throws -> Bool {
    let former = try DatabaseQueue(path: path, configuration: Store.configuration(readOnly: false))
    return try former.writeWithoutTransaction { db in
      guard try Store.lockAlone(db) else { return false }
      defer { try? db.execute(sql: "ROLLBACK") }
      try queue.writeWithoutTransaction { try take(from: db, to: $0, carry) }
      try takeName(queue)
      return true
    }
  }

  private func replaceInUse(
    _ former: Store, _ queue: DatabaseQueue, _ carry: (UserAnnotations) throws -> UserAnnotations?
  ) throws {
    try former.replaceContent(from: queue) { db in
      let reader = try DatabaseQueue(path: path, configuration: Store.configuration(readOnly: true))
      try reader.read { try take(from: $0, to: db, carry) }
    }
    former.close()
  }

  /// Copies what `carry` selects from a store to which nobody can write any more, and the differences of its models.
  private func take(
    from former: Database, to db: Database, _ carry: (UserAnnotations) throws -> UserAnnotations?
  ) throws {
    if try Store.comparesSameModels(former, db) { try Store.copyDifferences(from: former, to: db) }
    guard let carried = try carry(UserAnnotations(in: former)) else { return }
    try requireSameCrosscoder(carried)
    let journal = try Journal.rows(in: former)
    try db.inTransaction {
      try carried.insert(in: db)
      try Journal.insert(journal, in: db)
      return .commit
    }
  }

  /// Gives the temporary file the name of the destination, where there is no store.
  private func takeName(_ queue: DatabaseQueue) throws {
    try queue.close()
    state.withLock { $0.queue = nil }
    // No connection to the file is left, so it may be opened and closed.
    try Self.synchronize(temporaryPath, O_RDWR)
    // The log of a store that is gone would be taken for the new store's log.
    for suffix in Self.logs { unlink(path + suffix) }
    guard rename(temporaryPath, path) == 0 else { throw StorageError.system(errno, path: path) }
    // The store is already in place. If the folder's entry does not reach the disk at once, that is not an error.
    try? Self.synchronize(StoreFile.folder(of: path), O_RDONLY | O_DIRECTORY)
  }

  private static func synchronize(_ path: String, _ flags: CInt) throws(StorageError) {
    let descriptor = open(path, flags | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(errno, path: path) }
    defer { Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .system(errno, path: path) }
  }

  private static let logs = ["-journal", "-wal", "-shm"]

  private static func remove(_ path: String) {
    for suffix in [""] + logs { unlink(path + suffix) }
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
