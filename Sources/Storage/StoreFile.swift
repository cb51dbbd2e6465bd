// Looks at the file itself before a database connection is made: its path and its 100-byte header
// (https://www.sqlite.org/fileformat.html#the_database_header). A file that is not a whole store of ours is an error
// here, so that the error says what is wrong and SQLite never sees a directory or the file of another program.
// The file is never opened directly: closing it again would drop the locks that this process's connections hold on it
// (https://www.sqlite.org/howtocorrupt.html, section 2.2). SQLite reads the header, stat tells the rest.

import CSQLite
import Foundation
import GRDB
import Glibc

struct StoreFile {
  /// The absolute path; symbolic links are followed if the file exists.
  let path: String
  /// Whether the header says that changes go to a write-ahead log.
  let usesWAL: Bool
  /// The file that has the name now.
  let identity: FileIdentity

  /// Looks at the file. The cost does not depend on its size.
  /// - Parameter applicationID: the program whose file it must be; nil for any SQLite file, such as one to import from.
  init(at givenPath: String, applicationID expected: UInt32? = Schema.applicationID) throws(StorageError) {
    let path = Self.absolute(givenPath)
    self.path = path
    var status = stat()
    guard stat(path, &status) == 0 else { throw .system(errno, path: path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    guard status.st_size > 0 else { throw .empty(path: path) }
    identity = FileIdentity(status)

    guard access(path, R_OK) == 0 else { throw .system(errno, path: path) }
    var header = [UInt8](repeating: 0, count: 100)
    var size: Int64 = 0
    let code = crosscope_sqlite_read_head(path, &header, CInt(header.count), &size)
    guard code == 0 else {
      throw .translating(DatabaseError(resultCode: ResultCode(rawValue: code)), path: path)
    }
    let count = Int(min(size, Int64(header.count)))
    let magic = Array("SQLite format 3\0".utf8)
    guard count >= magic.count, Array(header[..<magic.count]) == magic else { throw .notSQLite(path: path) }
    guard count == header.count else { throw .truncated(path: path, expected: header.count, found: count) }

    func number(_ offset: Int) -> UInt32 { header[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
    let applicationID = number(68)
    guard expected == nil || applicationID == expected else {
      throw .otherApplication(path: path, applicationID: applicationID)
    }
    usesWAL = header[18] == 2 || header[19] == 2
    let pageSize = header[16] == 0 && header[17] == 1 ? 65536 : Int(header[16]) << 8 | Int(header[17])
    // The page count is only correct if the writer also set "version valid for" (offset 92). While there is a log, some
    // pages are not in the file yet, so the size is checked only without one.
    if number(24) == number(92), !hasLog {
      let expected = pageSize * Int(number(28))
      guard stat(path, &status) == 0 else { throw .system(errno, path: path) }
      guard status.st_size >= expected else {
        throw .truncated(path: path, expected: expected, found: Int(status.st_size))
      }
    }
  }

  private var hasLog: Bool { Self.hasLog(path) }

  /// Whether changes wait in a log beside the file.
  static func hasLog(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path + "-wal") }

  /// Whether both the file and its folder can be written, which SQLite needs for its journal.
  var isWritable: Bool { access(path, W_OK) == 0 && access(Self.folder(of: path), W_OK) == 0 }

  /// The address to give to SQLite for reading. In a folder that cannot be written, a file in write-ahead mode without
  /// a log opens only as immutable.
  var readingAddress: String {
    guard usesWAL, !hasLog, !isWritable else { return path }
    let safe = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
    return "file:" + (path.addingPercentEncoding(withAllowedCharacters: safe) ?? path) + "?immutable=1"
  }

  static func absolute(_ path: String) -> String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    return path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
  }

  static func folder(of path: String) -> String { (path as NSString).deletingLastPathComponent }
}

/// Identifies a file whatever its name, by the numbers of its device and its inode.
struct FileIdentity: Sendable, Equatable {
  private let device: UInt64
  private let inode: UInt64

  init(_ status: stat) { (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino)) }

  /// The file that has the name now; nil if there is none. This asks the folder and does not open the file.
  init?(at path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }
}
