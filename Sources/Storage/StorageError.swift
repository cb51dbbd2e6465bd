// What can go wrong with a store, with one case for each cause. The texts take one line each. SQLite's result codes are
// translated here, so that no error of GRDB or Foundation leaves the module.

import GRDB
import Glibc

/// Why a store could not be opened, read or written. `description` is one line that ends in what to do.
public enum StorageError: Error, Equatable, Sendable, CustomStringConvertible {
  case missing(path: String)
  /// The path leads to a directory, a device or a pipe.
  case notAFile(path: String)
  case empty(path: String)
  case notSQLite(path: String)
  /// The file is SQLite, but has another `application_id`.
  case otherApplication(path: String, applicationID: UInt32)
  /// The file is shorter than its own header says, both in bytes.
  case truncated(path: String, expected: Int, found: Int)
  /// The file was written by a later version of this program, which made these migrations.
  case newerSchema(path: String, migrations: [String])
  /// The file was written by an earlier version and opened read-only, so that it cannot be brought up to date.
  case olderSchema(path: String)
  /// Something in the file is not as this program writes it.
  case damaged(path: String, detail: String)
  case notPermitted(path: String)
  /// The store was opened read-only, or the file or its folder cannot be written.
  case readOnly(path: String)
  /// Another program holds the store.
  case busy(path: String)
  /// The task that was reading has been cancelled.
  case cancelled(path: String)
  /// Another store has taken the place of this one since it was opened, as a build or an import does.
  case replaced(path: String)
  case diskFull(path: String)
  case inputOutput(path: String, detail: String)
  /// An edit cannot be `what` (undone, redone), because another session has changed the same thing later.
  case editedSince(edit: String, what: String, subject: String, by: String)
  case noSuchLatent(id: Int, count: Int)
  case noSuchExperiment(id: Int64)
  /// There is no metric of that name beside the columns; `known` are the metrics that the store has.
  case noSuchMetric(name: String, known: [String])
  /// A row of a published file with examples breaks the format.
  case examplesInvalid(path: String, row: String, detail: String)
  /// A filter cannot be understood; `position` counts characters from 0.
  case filter(position: Int, message: String)
  case invalidTag(name: String, reason: String)
  /// A record that was given to be written breaks a rule of the store.
  case invalidRecord(table: String, detail: String)
  /// Tags and notes belong to the latents of one crosscoder; these come from another.
  case annotationsOfAnotherCrosscoder(path: String)

  public var description: String {
    switch self {
    case .missing(let path): "\(path): there is no such file; check the name, or make one with `crosscope build`"
    case .notAFile(let path): "\(path): this is not a regular file; give the .crosscope file itself"
    case .empty(let path): "\(path): the file is empty; build or copy it again"
    case .notSQLite(let path): "\(path): this is not a crosscope store (it is no SQLite file); give a .crosscope file"
    case .otherApplication(let path, let id):
      "\(path): this is an SQLite file of another program (application id \(id)); give a .crosscope file"
    case .truncated(let path, let expected, let found):
      "\(path): the file is cut short (\(found) of \(expected) bytes are there); copy or build it again"
    case .newerSchema(let path, let migrations):
      "\(path): it was written by a newer crosscope (\(migrations.joined(separator: ", "))); update crosscope to read it"
    case .olderSchema(let path):
      "\(path): it was written by an older crosscope; open it once without --read-only to bring it up to date"
    case .damaged(let path, let detail):
      "\(path): it is damaged (\(detail)); `crosscope check --repair` keeps what can be read, or copy or build it again"
    case .notPermitted(let path): "\(path): permission is denied; check the owner and mode of the file and its folder"
    case .readOnly(let path): "\(path): it cannot be written; open it without --read-only in a folder you may write"
    case .busy(let path): "\(path): it is in use by another program; close that one, or try again"
    case .cancelled(let path): "\(path): reading was cancelled; ask again"
    case .replaced(let path): "\(path): another store has taken its place; open it again"
    case .diskFull(let path): "\(path): the disk is full; free some space and try again"
    case .inputOutput(let path, let detail): "\(path): \(detail); check the disk and try again"
    case .editedSince(let edit, let what, let subject, let by):
      "\(edit) is not \(what): \(subject) was changed elsewhere since (\(by)); edit it by hand"
    case .noSuchExperiment(let id): "there is no experiment \(id); `crosscope experiments STORE` lists all"
    case .noSuchLatent(let id, let count):
      count > 0
        ? "there is no latent \(id); this store has latents 0 to \(count - 1)"
        : "there is no latent \(id); this store has no latents"
    case .noSuchMetric(let name, let known):
      known.isEmpty
        ? "there is no metric \"\(name)\"; this store has none beyond its columns (see `crosscope latents --help`)"
        : "there is no metric \"\(name)\"; this store has \(known.joined(separator: ", "))"
    case .examplesInvalid(let path, let row, let detail):
      "\(path): \(row): \(detail); use a whole examples.db that belongs to this crosscoder"
    case .filter(let position, let message): "filter, character \(position + 1): \(message)"
    case .invalidTag(let name, let reason): "tag \"\(name)\": \(reason); choose another name"
    case .invalidRecord(let table, let detail): "\(table): \(detail); correct what is written to the store"
    case .annotationsOfAnotherCrosscoder(let path):
      "\(path): its tags and notes are about another crosscoder's latents; write the new store to another name"
    }
  }
}

/// A stored value that differs from what the schema promises. It becomes `StorageError.damaged` once the path is known.
struct BadValue: Error {
  var table: String
  var detail: String
}

extension StorageError {
  /// Translates any error met while working on `path` into an error of this module.
  static func translating(_ error: any Error, path: String) -> StorageError {
    switch error {
    case let error as StorageError: error
    case let error as BadValue: .damaged(path: path, detail: "table \(error.table): \(error.detail)")
    case let error as DatabaseError: translating(error, path: path)
    default: .damaged(path: path, detail: oneLine(String(describing: error)))
    }
  }

  private static func translating(_ error: DatabaseError, path: String) -> StorageError {
    let text = oneLine(error.message ?? error.resultCode.description)
    return switch error.resultCode {
    case .SQLITE_NOTADB: .notSQLite(path: path)
    case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL: .busy(path: path)
    case .SQLITE_INTERRUPT: .cancelled(path: path)
    case .SQLITE_FULL: .diskFull(path: path)
    case .SQLITE_READONLY: .readOnly(path: path)
    case .SQLITE_PERM, .SQLITE_AUTH: .notPermitted(path: path)
    case .SQLITE_IOERR: .inputOutput(path: path, detail: text)
    case .SQLITE_CANTOPEN: .inputOutput(path: path, detail: "it cannot be opened (\(text))")
    default: .damaged(path: path, detail: text)
    }
  }

  /// The error for a failed system call on `path`.
  static func system(_ code: CInt, path: String) -> StorageError {
    switch code {
    case ENOENT: .missing(path: path)
    case EACCES, EPERM: .notPermitted(path: path)
    case EROFS: .readOnly(path: path)
    case ENOSPC, EDQUOT: .diskFull(path: path)
    case EISDIR: .notAFile(path: path)
    case EWOULDBLOCK: .busy(path: path)
    default: .inputOutput(path: path, detail: String(cString: strerror(code)))
    }
  }

  private static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
