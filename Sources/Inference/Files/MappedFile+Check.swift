// Whether a mapped file is still what it was when it was mapped. A name that leads to another file now, or to none, is no
// change: the mapping keeps the file that was opened.

import CMapping
import Glibc

/// How a file changed while it was read.
public enum FileChange: String, Sendable {
  case shortened, changed
  /// Another file has its name: what is read by name is not what is mapped.
  case replaced
}

/// What tells a file from what it was before: where it is kept, its size and its last change.
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
  /// As `MappedFile.checking`, of a read of several files.
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
  /// Makes sure that all bytes read so far are the file's as it was opened. Costs a system call.
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

  /// A result of reading the file, unless that changed meanwhile: then also an error is no more than what came of it.
  /// - Throws: `InferenceError.fileChanged`, or what `body` throws.
  func checking<Result>(_ body: () throws(InferenceError) -> Result) throws(InferenceError) -> Result {
    try [self].checking(body)
  }

  /// Makes sure as well that its path still leads to it, so that what others read by that path is the same.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkName() throws(InferenceError) {
    try check()
    var status = stat()
    guard isMapping, stat(path, &status) == 0 else { return }
    guard FileStamp(status) == stamp else { throw .fileChanged(path: path, how: .replaced) }
  }
}
