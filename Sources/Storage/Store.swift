// An open store: one SQLite file, its readers and its writer. A file that is not a whole store of this or an earlier
// version is an error. Reading changes nothing: the file enters write-ahead mode with the first write and leaves it
// when the last writer closes, so that a store is always one file.

import CSQLite
import Foundation
import GRDB
import Synchronization

/// A store of latents, contexts, tags and experiments, safe to use from any thread.
///
/// Its functions block for the time of a query; call them away from the main actor if that may be long. A long query of
/// a cancelled task ends within milliseconds with `StorageError.cancelled`.
public final class Store: Sendable {
  /// The purpose for which the store is opened.
  public enum Access: Sendable { case readOnly, readWrite }

  /// The absolute path of the file.
  public let path: String
  /// Whether tags, notes and experiments can be saved: the store is open for writing; file and folder allow it.
  public let isWritable: Bool
  /// The session to which edits through this object belong; `undo` reverses only edits of the same session.
  public let session: String

  private let readers: DatabasePool
  private let identity: FileIdentity
  /// How often another store had taken this one's place when this object opened it; −1 until it is known.
  private let generation = Atomic(-1)
  private let connections: Mutex<Connections>
  /// The vocabulary's bytes for the text search; nil until a search needs them.
  let textOfTokens = Mutex<[Int32: [UInt8]]?>(nil)
  /// The latents that have a text in their contexts, for the last few texts.
  let foundInContexts = Mutex<[TextPattern: SQLCondition]>([:])
  /// The metrics beyond the columns, by name in their order; nil until they are needed.
  let knownMetrics = Mutex<[Metric]?>(nil)

  /// Connections that are made when they are first needed.
  private struct Connections {
    var writer: DatabaseQueue?
    var watcher: DatabaseQueue?
  }

  /// Opens a store in a time that does not depend on its size.
  ///
  /// A store in a place that cannot be written can still be opened; see `isWritable`.
  /// - Parameter session: continues a session, as when a replaced store is opened again; by default a new one begins.
  /// - Throws: the reason why `path` is not a store that this version can read.
  public convenience init(
    path: String, access: Access, session: String = UUID().uuidString
  ) throws(StorageError) {
    try self.init(path: path, access: access, session: session, migrator: Schema.migrator)
  }

  init(
    path givenPath: String, access: Access, session: String = UUID().uuidString, migrator: DatabaseMigrator
  ) throws(StorageError) {
    self.session = session
    let (file, readers) = try Self.open(givenPath)
    path = file.path
    identity = file.identity
    isWritable = access == .readWrite && file.isWritable
    connections = Mutex(Connections())
    self.readers = readers
    try checkSchema(migrator)
    generation.store(try read(Self.generation(in:)), ordering: .relaxed)
  }

  /// Opens a file for reading, and makes sure that the file and the log belong to one store: a writer may give the name
  /// to another file between the two (`StoreWriter`).
  private static func open(_ path: String) throws(StorageError) -> (StoreFile, DatabasePool) {
    for _ in 0..<5 {
      let file = try StoreFile(at: path)
      do {
        let readers = try DatabasePool(path: file.readingAddress, configuration: configuration(readOnly: true))
        // The first read opens the log.
        _ = try readers.read { try Int.fetchOne($0, sql: "PRAGMA schema_version") }
        if FileIdentity(at: file.path) == file.identity { return (file, readers) }
        try readers.close()
      } catch {
        throw .translating(error, path: file.path)
      }
    }
    throw .busy(path: path)
  }

  deinit { close() }

  /// Closes all connections. What remains is one file without a log, unless another program has it open.
  ///
  /// Any later use of the store throws. The store closes itself when it is released.
  public func close() {
    let (writer, watcher) = connections.withLock { connections in
      defer { connections = Connections() }
      return (connections.writer, connections.watcher)
    }
    // An error here leaves a log beside the file, which the next opening reads: nothing is lost.
    try? watcher?.close()
    try? readers.close()
    // Leaving the log deletes it by its name, which is another file's log if this file has lost its name.
    if isSameFile {
      // A program that was killed may have left a log. With the log in it, a copy of the file is a copy of the store.
      let writer = writer ?? (isWritable && StoreFile.hasLog(path) ? try? openWriter() : nil)
      try? writer?.writeWithoutTransaction { db in
        try db.checkpoint(.truncate)
        try db.execute(sql: "PRAGMA journal_mode = DELETE")
      }
    }
    try? writer?.close()
    connections.withLock { $0.writer = nil }
  }

  private func checkSchema(_ migrator: DatabaseMigrator) throws(StorageError) {
    let (known, applied, tables) = try read { db in
      (
        migrator.migrations, try migrator.appliedIdentifiers(db),
        try String.fetchSet(db, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
      )
    }
    let unknown = applied.subtracting(known)
    guard unknown.isEmpty else { throw .newerSchema(path: path, migrations: unknown.sorted()) }
    guard !applied.isEmpty else { throw .damaged(path: path, detail: "there is no record of its version") }
    let missing = Set(known).subtracting(applied)
    if isWritable, !missing.isEmpty {
      let queue = try openWriter()
      do { try migrator.migrate(queue) } catch { throw .translating(error, path: path) }
    }
    guard isWritable || missing.subtracting(Schema.additions).isEmpty else { throw .olderSchema(path: path) }
    if let missing = Schema.tables.subtracting(tables).min() {
      throw .damaged(path: path, detail: "table \(missing) is missing")
    }
  }

  // MARK: Transactions

  /// Runs `body` on a reader, in one transaction.
  /// - Throws: `StorageError.replaced` if the store has been replaced since it was opened, so that the data of another
  ///   store is never taken for this one's.
  func read<T>(_ body: (Database) throws -> T) throws(StorageError) -> T {
    do {
      return try readers.read { db in
        guard try isSameStore(db) else { throw StorageError.replaced(path: path) }
        return try body(db)
      }
    } catch {
      throw failure(error)
    }
  }

  /// Runs `body` on the writer, in one transaction: all of it happens, or nothing.
  /// - Throws: `StorageError.replaced` for the same reason as `read`, before anything has changed.
  func write<T>(_ body: (Database) throws -> T) throws(StorageError) -> T {
    let queue = try openWriter()
    do {
      return try queue.write { db in
        guard try isSameStore(db) else { throw StorageError.replaced(path: path) }
        // What is written to a file without a name is lost.
        guard isSameFile else { throw StorageError.missing(path: path) }
        return try body(db)
      }
    } catch {
      throw failure(error)
    }
  }

  /// SQLite reports a file that somebody removed as unreadable, and one that lost its name as not writable.
  private func failure(_ error: any Error) -> StorageError {
    let error = StorageError.translating(error, path: path)
    guard !isSameFile else { return error }
    return switch error {
    case .inputOutput where FileIdentity(at: path) == nil: .missing(path: path)
    case .readOnly: .replaced(path: path)
    default: error
    }
  }

  /// Whether the content is still this store's. It is asked in a transaction, so that what follows in it reads that
  /// very content. A file that has lost its name, with none in its place, still holds this store.
  private func isSameStore(_ db: Database) throws -> Bool {
    let known = generation.load(ordering: .relaxed)
    guard known >= 0 else { return true }
    return try Self.generation(in: db) == known && (FileIdentity(at: path) ?? identity) == identity
  }

  /// Limits the store to so many pages, as if the disk were full; for tests. With fewer than it has, it cannot grow.
  func setMaximumPages(_ pages: Int) throws(StorageError) {
    let queue = try openWriter()
    do {
      try queue.writeWithoutTransaction { db in _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages)") }
    } catch {
      throw .translating(error, path: path)
    }
  }

  func openWriter() throws(StorageError) -> DatabaseQueue {
    guard isWritable else { throw .readOnly(path: path) }
    let path = path
    return try connections.withLock { connections throws(StorageError) -> DatabaseQueue in
      if let writer = connections.writer { return writer }
      // The name leads to the new file, while the readers still see the old one.
      guard isSameFile else {
        throw FileIdentity(at: path) == nil ? .missing(path: path) : .replaced(path: path)
      }
      do {
        let writer = try DatabaseQueue(path: path, configuration: Self.configuration(readOnly: false))
        // GRDB's own way into this mode creates and drops a table, which makes every other program read the schema
        // again, and lets commits return before the disk has them; here, a saved tag survives a power cut.
        let mode = try writer.writeWithoutTransaction { db in
          try db.execute(sql: "PRAGMA synchronous = FULL")
          return try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
        }
        guard mode == "wal" else { throw StorageError.busy(path: path) }
        connections.writer = writer
        return writer
      } catch {
        throw failure(error)
      }
    }
  }

  // MARK: Looking at what others do

  /// Whether the name still leads to the file that was opened. This asks only the folder.
  var isSameFile: Bool { FileIdentity(at: path) == identity }

  /// How often another store has taken this one's place. `replaceContent` counts it in the file's header, which is part
  /// of every transaction (https://www.sqlite.org/pragma.html#pragma_user_version).
  static func generation(in db: Database) throws -> Int {
    try Int.fetchOne(db.cachedStatement(sql: "PRAGMA user_version")) ?? 0
  }

  /// What a connection that never writes sees of the store: a number that changes with every commit of another
  /// connection, and whether another content has taken the place of this one.
  func look() throws(StorageError) -> (commits: Int, isReplaced: Bool) {
    let path = path
    do {
      let watcher = try connections.withLock { connections in
        if let watcher = connections.watcher { return watcher }
        let watcher = try DatabaseQueue(path: path, configuration: Self.configuration(readOnly: true))
        connections.watcher = watcher
        return watcher
      }
      return try watcher.read { db in
        // https://www.sqlite.org/pragma.html#pragma_data_version
        let commits = try Int.fetchOne(db.cachedStatement(sql: "PRAGMA data_version")) ?? 0
        return (commits, try !isSameStore(db))
      }
    } catch {
      throw .translating(error, path: path)
    }
  }
}

// MARK: Settings of a connection

extension Store {
  /// The settings of every connection to a store, which make it safe for a file that somebody else wrote.
  static func configuration(readOnly: Bool) -> Configuration {
    var configuration = Configuration()
    configuration.readonly = readOnly
    configuration.label = "crosscope.store"
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase { db in
      guard let connection = db.sqliteConnection else { return }
      let code = crosscope_sqlite_defend(connection)
      guard code == 0 else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
      try db.execute(sql: "PRAGMA cell_size_check = ON")
      // GRDB runs a read on the thread of the waiting task. Writers are never interrupted, so that a change is
      // complete.
      if readOnly { crosscope_sqlite_ask(connection) { _ in Task.isCancelled ? 1 : 0 } }
    }
    return configuration
  }
}
