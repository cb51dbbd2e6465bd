// A file mapped read-only into memory, shared by whoever holds the object.
// Owns: the mapping (for fuzzing: a copy of bytes) and the open file, from init to deinit. Refuses: directories, pipes and
// devices, empty and unreadable files. Our own writers never change a file in place, but rename a new one over it, which
// a mapping does not notice. Others may shorten or overwrite what is mapped here: reads then see zeros or new bytes
// (CMapping), and `check()` says so (MappedFile+Check).

import CMapping
import Glibc

/// A regular file of at least one byte, mapped read-only.
public final class MappedFile: Sendable {
  /// The path as given.
  public let path: String

  /// The file's bytes; valid as long as this object lives.
  // Safe to share between threads: never written to, set once in init, and given back only in deinit, when nobody
  // holds the object any more.
  public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  /// The open file, by which its state is asked for whatever its name has become; -1 for a copy.
  let descriptor: Int32
  /// What the file was when it was mapped.
  let stamp: FileStamp
  /// The guard against the file's being shortened.
  // Safe to share: CMapping's own, set once in init; what it points to is read and written atomically.
  nonisolated(unsafe) let mappingGuard: OpaquePointer?

  var isMapping: Bool { descriptor >= 0 }

  /// The number of bytes, at least 1.
  public var count: Int { bytes.count }

  /// Maps the file at `path`. Costs no reading: pages come in when they are touched.
  /// - Throws: `InferenceError.fileUnreadable` with the system's reason.
  public init(path: String) throws(InferenceError) {
    self.path = path
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .fileUnreadable(path: path, reason: systemReason()) }
    var isMapped = false
    defer { if !isMapped { close(descriptor) } }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .fileUnreadable(path: path, reason: systemReason()) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw .fileUnreadable(path: path, reason: "it is a directory")
    default: throw .fileUnreadable(path: path, reason: "it is not a regular file")
    }
    let size = Int(status.st_size)
    guard size > 0 else { throw .fileUnreadable(path: path, reason: "it is empty") }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw .fileUnreadable(path: path, reason: systemReason())
    }
    isMapped = true
    bytes = UnsafeRawBufferPointer(start: start, count: size)
    self.descriptor = descriptor
    stamp = FileStamp(status)
    mappingGuard = cm_guard_mapping(start, size)
  }

  /// A copy of `content` in place of a file of that name. It ends where its allocation ends, so that an address
  /// sanitizer sees what reads beyond it; behind a mapping stand the page's zeros.
  init(path: String, content: UnsafeRawBufferPointer) throws(InferenceError) {
    guard content.count > 0 else { throw .fileUnreadable(path: path, reason: "it is empty") }
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 16)
    copy.copyMemory(from: content)
    self.path = path
    bytes = UnsafeRawBufferPointer(copy)
    (descriptor, stamp, mappingGuard) = (-1, FileStamp(stat()), nil)
  }

  deinit {
    if isMapping {
      cm_unguard(mappingGuard)
      munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
      close(descriptor)
    } else {
      bytes.deallocate()
    }
  }
}

/// The system's words for the current `errno`.
func systemReason(_ code: Int32 = errno) -> String {
  String(cString: strerror(code))
}

extension MappedFile {
  /// Whether something other than a folder is at `path`, links followed.
  static func exists(_ path: String) -> Bool { kind(path).map { $0 != S_IFDIR } ?? false }

  /// Whether a folder is at `path`, links followed.
  static func isFolder(_ path: String) -> Bool { kind(path) == S_IFDIR }

  private static func kind(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }
}
