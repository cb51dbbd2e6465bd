// Checks whether a mapped file has changed since it was mapped. If its name now leads to another file, or to none, that
// is no change: the mapping keeps the file that was opened.

import CMapping
import Glibc

/// How a file changed while it was read.
public enum FileChange: String, Sendable {
  case shortened, changed
  /// Another file has its name, so reading by name no longer gives what is mapped.
  case replaced
}

/// The properties that show whether a file is the same as before: its place on disk, its size and its last change.
struct FileStamp: Equatable, Sendable {
  let device: UInt64
  let inode: UInt64
  let size: Int
  let seconds: Int
  let nanoseconds: Int

  init(_ status: stat) {
    (device, inode, size) = (UInt64(status.st_dev), UInt64(status.st_ino), Int(status.st_size))
    (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }
}

extension [MappedFile] {
  /// The same as `MappedFile.checking`, for a read of several files.
  func checking<Result>(_ body: () throws(InferenceError) -> Result) throws(InferenceError) -> Result {
    func check() throws(InferenceError) { for file in self { try file.check() } }
    let result: Result
    do {
      result = try body()
    } catch {
      try check()
      throw error
    }
    try check()
    return result
  }
}

extension MappedFile {
  /// Checks that all bytes read so far belong to the file as it was opened. This costs a system call.
  /// - Throws: `InferenceError.fileChanged`.
  public func check() throws(InferenceError) {
    guard isMapping else { return }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .fileUnreadable(path: path, reason: systemReason()) }
    if cm_is_cut(mappingGuard) || status.st_size < stamp.size {
      throw .fileChanged(path: path, how: .shortened)
    }
    guard FileStamp(status) == stamp else { throw .fileChanged(path: path, how: .changed) }
  }

  /// Returns the result of reading the file, unless the file changed meanwhile: then an error of the read itself does
  /// not matter.
  /// - Throws: `InferenceError.fileChanged`, or the error of `body`.
  func checking<Result>(_ body: () throws(InferenceError) -> Result) throws(InferenceError) -> Result {
    try [self].checking(body)
  }

  /// Also checks that the file's path still leads to it, so that others who read by this path get the same bytes.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkName() throws(InferenceError) {
    try check()
    var status = stat()
    guard isMapping, stat(path, &status) == 0 else { return }
    guard FileStamp(status) == stamp else { throw .fileChanged(path: path, how: .replaced) }
  }
}
