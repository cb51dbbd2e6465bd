// An open store: one SQLite file, its readers and its writer.
// Owns: opening, the settings of every connection, reading and writing in transactions, closing, noticing changes.
// Refuses: files that are not a whole store of this or an earlier version. Looking changes nothing: the file goes
// into write-ahead mode with the first write, and back when the last writer closes, so a store is always one file.

import CSQLite
import Foundation
import GRDB
import Synchronization

/// A store of latents, contexts, tags and experiments, safe to use from any thread.
///
/// Its functions block for the time of a query; call them away from the main actor where that may be long. A long query
/// of a cancelled task ends within milliseconds with `StorageError.cancelled`.
public final class Store: Sendable {
  /// What the store is opened for.
  public enum Access: Sendable { case readOnly, readWrite }

  /// The absolute path.
  public let path: String
  /// Whether tags, notes and experiments can be saved: opened for writing, and the file and its folder allow it.
  public let isWritable: Bool

  private let readers: DatabasePool
  private let inode: UInt64
  private let connections: Mutex<Connections>
  /// The vocabulary's bytes, for the text search; nil until a search needs it.
  let textOfTokens = Mutex<[Int32: [UInt8]]?>(nil)
  /// Which latents have a text in their contexts, for the last few texts.
  let foundInContexts = Mutex<[TextPattern: SQLCondition]>([:])
  /// Metrics beyond the columns, by name in their order; nil until they are needed.
  let knownMetrics = Mutex<[Metric]?>(nil)

  /// Connections made on first need.
  private struct Connections {
    var writer: DatabaseQueue?
    var watcher: DatabaseQueue?
  }

  /// Opens a store in a time that does not depend on its size.
  ///
  /// A store in a place that cannot be written opens all the same; see `isWritable`.
  /// - Throws: the reason why `path` is not a store that this version can read.
  public convenience init(path: String, access: Access) throws(StorageError) {
    try self.init(path: path, access: access, migrator: Schema.migrator)
  }

  init(path givenPath: String, access: Access, migrator: DatabaseMigrator) throws(StorageError) {
    let file = try StoreFile(at: givenPath)
    let path = file.path
    self.path = path
    inode = file.inode
    isWritable = access == .readWrite && file.isWritable
    connections = Mutex(Connections())
    do {
      readers = try DatabasePool(path: file.readingAddress, configuration: Self.configuration(readOnly: true))
    } catch {
      throw .translating(error, path: path)
    }
    try checkSchema(migrator)
  }

  deinit { close() }

  /// Closes all connections; what is left is one file without a log, unless another program has it open.
  ///
  /// Any later use of the store throws. Called by itself when the store is released.
  public func close() {
    let (writer, watcher) = connections.withLock { connections in
      defer { connections = Connections() }
      return (connections.writer, connections.watcher)
    }
    // An error here leaves a log beside the file, which the next opening reads: nothing is lost, nothing to report.
    try? watcher?.close()
    try? readers.close()
    try? writer?.writeWithoutTransaction { db in
      try db.checkpoint(.truncate)
      try db.execute(sql: "PRAGMA journal_mode = DELETE")
    }
    try? writer?.close()
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
    guard !applied.isEmpty else { throw .damaged(path: path, detail: "no record of its version") }
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
  func read<T>(_ body: (Database) throws -> T) throws(StorageError) -> T {
    do { return try readers.read(body) } catch { throw .translating(error, path: path) }
  }

  /// Runs `body` on the writer, in one transaction: all of it happens, or nothing.
  func write<T>(_ body: (Database) throws -> T) throws(StorageError) -> T {
    guard isWritable else { throw .readOnly(path: path) }
    let queue = try openWriter()
    do { return try queue.write(body) } catch { throw .translating(error, path: path) }
  }

  /// Counts the disk as full when the store has so many pages; for tests. Fewer than it has means no page more.
  func setMaximumPages(_ pages: Int) throws(StorageError) {
    let queue = try openWriter()
    do {
      try queue.writeWithoutTransaction { db in _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages)") }
    } catch {
      throw .translating(error, path: path)
    }
  }

  private func openWriter() throws(StorageError) -> DatabaseQueue {
    let path = path
    return try connections.withLock { connections throws(StorageError) -> DatabaseQueue in
      if let writer = connections.writer { return writer }
      // A path leads to the new file, while the readers still see the old one.
      guard !isReplaced else { throw .replaced(path: path) }
      var configuration = Self.configuration(readOnly: false)
      configuration.journalMode = .wal
      do {
        let writer = try DatabaseQueue(path: path, configuration: configuration)
        connections.writer = writer
        return writer
      } catch {
        throw .translating(error, path: path)
      }
    }
  }

  // MARK: Changes

  /// Whether another file has taken the store's place, as a build does. What is open shows the old content and refuses
  /// edits; open the store again.
  public var isReplaced: Bool { (try? StoreFile(at: path).inode) != inode }

  /// A number that changes whenever any program, this one included, has changed or replaced the store. Costs
  /// microseconds.
  public func version() throws(StorageError) -> Int {
    let path = path
    do {
      let watcher = try connections.withLock { connections in
        if let watcher = connections.watcher { return watcher }
        let watcher = try DatabaseQueue(path: path, configuration: Self.configuration(readOnly: true))
        connections.watcher = watcher
        return watcher
      }
      // https://www.sqlite.org/pragma.html#pragma_data_version: other connections' commits, this one makes none.
      let commits = try watcher.read { try Int.fetchOne($0, sql: "PRAGMA data_version") ?? 0 }
      return 2 * commits + (isReplaced ? 1 : 0)
    } catch {
      throw .translating(error, path: path)
    }
  }

  /// Yields the new version each time it has changed, looking once an interval, until the stream or store is let go.
  ///
  /// Changes made between this call and the first look are reported too.
  public func changes(every interval: Duration = .seconds(1)) -> AsyncStream<Int> {
    let start = try? version()
    return AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
      let task = Task { [weak self] in
        var last = start
        while !Task.isCancelled, self != nil {
          // A store that cannot be read for a moment (locked, replaced) is looked at again after the interval.
          if let version = try? self?.version(), version != last {
            last = version
            continuation.yield(version)
          }
          try? await Task.sleep(for: interval)
        }
        continuation.finish()
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }
}

// MARK: Settings of a connection

extension Store {
  /// Settings of every connection to a store: safe for a file that somebody else wrote.
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
      // GRDB runs a read on the thread of the task that waits for it. Writers are never ended: a change is wanted whole.
      if readOnly { crosscope_sqlite_ask(connection) { _ in Task.isCancelled ? 1 : 0 } }
    }
    return configuration
  }
}
