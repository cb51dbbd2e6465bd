// A file that appears whole or not at all: written in its destination's folder without a name, so that nothing is left of
// it if the program is killed, synchronised, then named. Where the system has no files without names it has a temporary
// one. Owns: that file; removes it unless `commit` succeeded. Refuses nothing but what the system refuses.

import Glibc

/// A new file in the destination's folder.
///
/// Not for sharing between threads; the temporary file is removed when the object goes without `commit`.
public final class AtomicFile {
  /// How bytes reach a descriptor, as write(2); tests replace it to fail on purpose.
  typealias Writer = (Int32, UnsafeRawPointer, Int) -> Int

  /// The destination.
  public let path: String
  private let temporary: String
  private let writer: Writer
  private var descriptor: Int32
  /// Whether the temporary name is there.
  private var isNamed: Bool
  /// open(2)'s O_TMPFILE, which Swift does not see.
  private static let unnamed = 0o20000000 | O_DIRECTORY

  /// Creates the temporary file.
  /// - Throws: `InferenceError.fileUnwritable`, such as without permission.
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
  /// - Throws: `InferenceError.fileUnwritable`, such as for a full disk; the temporary file is then gone.
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
  /// - Throws: as `write(_:)` of a buffer.
  public func write(_ bytes: [UInt8]) throws(InferenceError) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(InferenceError) in try write(UnsafeRawBufferPointer(buffer)) }
  }

  /// Synchronises the file with the disk and gives it its name, in place of a file that bears it.
  /// - Parameter replacing: false leaves a file that bears the name already as it is, and throws.
  /// - Throws: `InferenceError.fileUnwritable`; the temporary file is then gone and an old file untouched.
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
    // A second name for the same file is refused where the name is taken, in one step; then the first name goes.
    let isThere = closed == 0 && (replacing ? rename(temporary, path) : link(temporary, path)) == 0
    if isThere, !replacing { unlink(temporary) }
    guard isThere else {
      let reason = errno == EEXIST ? "a file of this name is there already" : systemReason()
      unlink(temporary)
      throw .fileUnwritable(path: path, reason: reason)
    }
    // The new name itself must survive a power cut; a folder that cannot be synchronised is no error.
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

  /// The folder with its slash (empty if none) and the file's name.
  private static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
    let next = path.utf8.index(after: slash)
    return (String(path[..<next]), String(path[next...]))
  }
}
