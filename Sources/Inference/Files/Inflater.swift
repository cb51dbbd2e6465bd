// Inflates a member of a zip archive or a gzip file from memory, a piece at a time, with the system's zlib. What comes
// out can be a thousand times as long as what went in, so the caller says how much it takes, and never gets more.

import CZlib

/// A stream of inflated bytes.
public final class Inflater {
  /// How the bytes were packed.
  public enum Form: Sendable {
    /// Deflate data without a header, as in zip archives.
    case raw
    /// Gzip: one member or several, one after another.
    case gzip

    fileprivate var windowBits: Int32 { self == .raw ? -15 : 15 + 16 }
  }

  // zlib remembers the address of its stream, so the stream lives outside Swift's values.
  private let stream: UnsafeMutablePointer<z_stream>
  private let source: UnsafeRawBufferPointer
  private let form: Form
  private let path: String
  private let place: String
  private var ended = false
  /// The number of packed bytes that have been read.
  public private(set) var consumed = 0

  /// Opens a stream over `source`, which must stay valid while this object lives.
  /// - Parameter place: what is unpacked, for messages.
  /// - Throws: `InferenceError.memoryShort` if zlib gets no memory.
  public init(
    _ form: Form, _ source: UnsafeRawBufferPointer, path: String, place: String
  ) throws(InferenceError) {
    (self.form, self.source, self.path, self.place) = (form, source, path, place)
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard zlib_open(stream, form.windowBits) == Z_OK else {
      throw .memoryShort(
        what: "the buffers of zlib", needed: 1 << 16, available: 0, limit: "", remedy: "close other programs")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Unpacks the next bytes into `target` and fills it unless the stream ends.
  /// - Returns: the number of bytes; 0 only at the end.
  /// - Throws: `InferenceError.fileMalformed` if the data are damaged or cut off.
  public func read(into target: UnsafeMutableRawBufferPointer) throws(InferenceError) -> Int {
    var written = 0
    while written < target.count, !ended {
      // zlib counts in 32 bits.
      let input = min(source.count - consumed, 1 << 30)
      let room = min(target.count - written, 1 << 30)
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: source.baseAddress.map { ($0 + consumed).assumingMemoryBound(to: UInt8.self) })
      stream.pointee.avail_in = UInt32(input)
      stream.pointee.next_out = target.baseAddress.map { ($0 + written).assumingMemoryBound(to: UInt8.self) }
      stream.pointee.avail_out = UInt32(room)
      let status = inflate(stream, Z_NO_FLUSH)
      let progress = input - Int(stream.pointee.avail_in) + room - Int(stream.pointee.avail_out)
      consumed += input - Int(stream.pointee.avail_in)
      written += room - Int(stream.pointee.avail_out)
      switch status {
      case Z_STREAM_END:
        // Further gzip members belong to the same content.
        ended = form == .raw || consumed == source.count
        if !ended, inflateReset(stream) != Z_OK { throw damaged("a gzip member", "other bytes") }
      case Z_OK where progress > 0: break
      case Z_OK, Z_BUF_ERROR: throw damaged("more packed bytes", "the end of them")
      default:
        throw damaged("deflate data", stream.pointee.msg.map { String(cString: $0) } ?? "other bytes")
      }
    }
    return written
  }

  private func damaged(_ expected: String, _ found: String) -> InferenceError {
    .fileMalformed(path: path, place: "\(place), packed byte \(consumed)", expected: expected, found: found)
  }
}
