// A file that appears whole or not at all. It is written without a name in the folder of its destination, so that
// nothing is left if the program is killed, then synchronised, then named. On systems without unnamed files it is a
// temporary file, which is removed unless `commit` succeeds.

import Glibc

/// A new file in the folder of its destination.
///
/// It must not be shared between threads. The temporary file disappears with the object unless `commit` was called.
public final class AtomicFile {
  /// Writes bytes to a descriptor, like write(2); tests replace it to fail on purpose.
  typealias Writer = (Int32, UnsafeRawPointer, Int) -> Int

  /// The destination.
  public let path: String
  private let temporary: String
  private let writer: Writer
  private var descriptor: Int32
  /// Whether the temporary name exists.
  private var isNamed: Bool
  /// O_TMPFILE of open(2), which Swift does not import.
  private static let unnamed = 0o20000000 | O_DIRECTORY

  /// Creates the temporary file.
  /// - Throws: `InferenceError.fileUnwritable`, for example without permission.
  public convenience init(path: String) throws(InferenceError) {
    try self.init(path: path, writer: { Glibc.write($0, $1, $2) })
  }

  init(path: String, writer: @escaping Writer) throws(InferenceError) {
    var status = stat()
    guard stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
      throw .fileUnwritable(path: path, reason: "not a regular file")
    }
    let (folder, name) = Self.split(path)
    self.path = path
    self.writer = writer
    temporary = "\(folder).\(name).\(getpid())-\(UInt32.random(in: 0 ... .max)).tmp"
    descriptor =
      access("/proc/self/fd", X_OK) == 0
      ? open(folder.isEmpty ? "." : folder, Self.unnamed | O_WRONLY | O_CLOEXEC, 0o666) : -1
    isNamed = descriptor < 0
    if isNamed { descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { throw .fileUnwritable(path: path, reason: systemReason()) }
  }

  deinit { abandon() }

  /// Appends bytes.
  /// - Throws: `InferenceError.fileUnwritable`, for example if the disk is full; the temporary file is then removed.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(InferenceError) {
    precondition(descriptor >= 0, "written to after its end: \(path)")
    var rest = bytes[...]
    while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
      let written = writer(descriptor, start, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw failed() }
      rest = rest.dropFirst(written)
    }
  }

  /// Appends bytes.
  /// - Throws: the errors of `write(_:)` for a buffer.
  public func write(_ bytes: [UInt8]) throws(InferenceError) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(InferenceError) in try write(UnsafeRawBufferPointer(buffer)) }
  }

  /// Synchronises the file with the disk and gives it its name, replacing a file of that name.
  /// - Parameter replacing: if false, a file that already has the name is kept, and this throws.
  /// - Throws: `InferenceError.fileUnwritable`; the temporary file is then removed and an old file is unchanged.
  public func commit(replacing: Bool = true) throws(InferenceError) {
    precondition(descriptor >= 0, "committed twice: \(path)")
    guard fsync(descriptor) == 0 else { throw failed() }
    if !isNamed {
      let source = "/proc/self/fd/\(descriptor)"
      guard linkat(AT_FDCWD, source, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0 else { throw failed() }
      isNamed = true
    }
    let closed = close(descriptor)
    descriptor = -1
    // link(2) refuses a name that is taken, in one step; after it succeeds, the temporary name is removed.
    let isThere = closed == 0 && (replacing ? rename(temporary, path) : link(temporary, path)) == 0
    if isThere, !replacing { unlink(temporary) }
    guard isThere else {
      let reason = errno == EEXIST ? "a file of this name is there already" : systemReason()
      unlink(temporary)
      throw .fileUnwritable(path: path, reason: reason)
    }
    // The new name itself must survive a power cut; it is no error if the folder cannot be synchronised.
    let folder = Self.split(path).folder
    let directory = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if directory >= 0 {
      fsync(directory)
      close(directory)
    }
  }

  private func failed() -> InferenceError {
    let reason = systemReason()
    abandon()
    return .fileUnwritable(path: path, reason: reason)
  }

  private func abandon() {
    guard descriptor >= 0 else { return }
    close(descriptor)
    descriptor = -1
    if isNamed { unlink(temporary) }
  }

  /// The folder with its slash (empty if there is none) and the name of the file.
  private static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
    let next = path.utf8.index(after: slash)
    return (String(path[..<next]), String(path[next...]))
  }
}
