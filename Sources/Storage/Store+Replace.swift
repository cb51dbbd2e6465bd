// Puts another store in the place of this one, in a single transaction. The file stays the same file: programs that
// have it open see the old content until the transaction ends and the new content after it, and what they commit before
// it is not lost. Another file under the same name would share its log with the old one, which some of them still read
// (https://www.sqlite.org/howtocorrupt.html, section 4.2).

import CSQLite
import Foundation
import GRDB

extension Store {
  /// Replaces all of this store by the content of `source`. All other use of this object then throws `replaced`.
  /// - Parameters:
  ///   - source: a whole store that nobody else uses.
  ///   - whenLocked: is called once nobody can write to this store any more, so what it reads of this store is the last
  ///     state. It may write to `source` through the connection that it is given.
  /// - Throws: the errors of `whenLocked`; `busy` if another program keeps writing; `diskFull` and others. In all these
  ///   cases this store is unchanged.
  func replaceContent(from source: DatabaseQueue, whenLocked: (Database) throws -> Void) throws {
    try openWriter().writeWithoutTransaction { destination in
      try source.writeWithoutTransaction { source in
        guard let (from, to) = Self.both(source.sqliteConnection, destination.sqliteConnection) else {
          throw StorageError.busy(path: path)
        }
        try Self.copy(from: from, to: to) {
          let generation = try read(Self.generation(in:))
          try whenLocked(source)
          try source.execute(sql: "PRAGMA user_version = \((generation + 1) & Int(Int32.max))")
        }
      }
    }
  }

  /// Begins a transaction that keeps everybody else away from a store, without a log, if no other program uses its log.
  /// - Returns: whether the transaction has begun; if not, nothing has changed.
  static func lockAlone(_ db: Database) throws -> Bool {
    do {
      // Only the last program that uses the log can leave it; doing so brings the log into the file.
      guard try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE") == "delete" else { return false }
      try db.execute(sql: "BEGIN EXCLUSIVE")
    } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
      return false
    }
    // Another program may have begun a log in between.
    if try String.fetchOne(db, sql: "PRAGMA journal_mode") == "delete" { return true }
    try db.execute(sql: "ROLLBACK")
    return false
  }

  private static func both<T>(_ first: T?, _ second: T?) -> (T, T)? {
    if let first, let second { (first, second) } else { nil }
  }

  private static func copy(from: OpaquePointer, to: OpaquePointer, whenLocked: () throws -> Void) throws {
    try withoutActuallyEscaping(whenLocked) { whenLocked in
      var call = Call(body: whenLocked)
      let code = withUnsafeMutablePointer(to: &call) { call in
        crosscope_sqlite_copy(
          from, to,
          { context in
            guard let call = context?.assumingMemoryBound(to: Call.self) else { return 1 }
            do { try call.pointee.body() } catch {
              call.pointee.error = error
              return 1
            }
            return 0
          }, call)
      }
      if let error = call.error { throw error }
      if code != 0 { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
  }

  private struct Call {
    let body: () throws -> Void
    var error: (any Error)?
  }
}

extension Store {
  /// Opens a store and reads from it. If another store takes its place between the two, as a build's does, that one is opened and
  /// read; a place that changes at every attempt is reported after a few of them.
  /// - Throws: the errors of both.
  public static func opened<Value>(
    path: String, access: Access, session: String = UUID().uuidString, reading: (Store) throws -> Value
  ) throws -> (store: Store, value: Value) {
    for _ in 0..<10 {
      let store = try Store(path: path, access: access, session: session)
      do { return (store, try reading(store)) } catch StorageError.replaced { continue }
    }
    let store = try Store(path: path, access: access, session: session)
    return (store, try reading(store))
  }
}
