// A file mapped read-only into memory and shared by all holders of the object. Mapping and open file last from init to
// deinit; for fuzzing the object holds a copy of bytes. This program never changes a file in place but renames a new
// one over it, which a mapping does not notice. Other programs may shorten or overwrite a mapped file: reads then see
// zeros or new bytes (CMapping), and `check()` reports it (MappedFile+Check).

import CMapping
import Glibc

/// A regular file of at least one byte, mapped read-only.
public final class MappedFile: Sendable {
  /// The path as given.
  public let path: String

  /// The file's bytes, which are valid while this object lives.
  // Sharing between threads is safe: init sets the pointer once, nobody writes to the bytes, and deinit unmaps them when
  // nobody holds the object any more.
  public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  /// The open file, through which its state can be read whatever its name leads to now; -1 for a copy.
  let descriptor: Int32
  /// The state of the file when it was mapped.
  let stamp: FileStamp
  /// The guard against the file being shortened.
  // Sharing is safe: init sets the pointer once, and CMapping reads and writes what it points to atomically.
  nonisolated(unsafe) let mappingGuard: OpaquePointer?

  var isMapping: Bool { descriptor >= 0 }

  /// The number of bytes, at least 1.
  public var count: Int { bytes.count }

  /// Maps the file at `path`. Nothing is read yet: pages are loaded when they are first used.
  /// - Throws: `InferenceError.fileUnreadable` with the system's reason.
  public init(path: String) throws(InferenceError) {
    self.path = path
    // O_NONBLOCK keeps the opening of a pipe from waiting for a writer.
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

  /// Holds a copy of `content` as if it were a file of that name. The copy ends where its allocation ends, so that an
  /// address sanitizer sees reads beyond it; after the end of a mapping the rest of the page is readable.
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

/// The system's description of an error, by default of the current `errno`.
func systemReason(_ code: Int32 = errno) -> String {
  String(cString: strerror(code))
}

extension MappedFile {
  /// Whether `path` exists and is not a folder; links are followed.
  static func exists(_ path: String) -> Bool { kind(path).map { $0 != S_IFDIR } ?? false }

  /// Whether `path` is a folder; links are followed.
  static func isFolder(_ path: String) -> Bool { kind(path) == S_IFDIR }

  private static func kind(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }
}
