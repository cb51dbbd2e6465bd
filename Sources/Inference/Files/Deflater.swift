// Packs bytes by gzip with the system's zlib, a piece at a time or at once. The header has neither time nor name, so that the
// same bytes give the same file.

import CZlib

/// A gzip member that is being made.
public final class Deflater {
  // zlib remembers the address of its stream, so the stream lives outside Swift's values.
  private let stream: UnsafeMutablePointer<z_stream>
  private static let piece = 1 << 16

  /// - Parameter level: 1 is the fastest, 9 the smallest.
  /// - Throws: `InferenceError.memoryShort` if zlib gets no memory.
  public init(level: Int32 = 6) throws(InferenceError) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard zlib_open_gzip_writer(stream, level) == Z_OK else {
      throw .memoryShort(
        what: "the buffers of zlib", needed: 1 << 18, available: 0, limit: "", remedy: "close other programs")
    }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Takes further bytes.
  /// - Parameter last: whether nothing follows them.
  /// - Returns: the packed bytes that are ready.
  public func pack(_ bytes: [UInt8], last: Bool = false) -> [UInt8] {
    var packed: [UInt8] = []
    var source = bytes
    source.withUnsafeMutableBufferPointer { source in
      stream.pointee.next_in = source.baseAddress
      stream.pointee.avail_in = UInt32(source.count)
      var piece = [UInt8](repeating: 0, count: Self.piece)
      var room: UInt32 = 0
      repeat {
        piece.withUnsafeMutableBufferPointer { target in
          stream.pointee.next_out = target.baseAddress
          stream.pointee.avail_out = UInt32(target.count)
          deflate(stream, last ? Z_FINISH : Z_NO_FLUSH)
          room = stream.pointee.avail_out
        }
        packed += piece[..<(Self.piece - Int(room))]
      } while room == 0
    }
    return packed
  }

  /// All bytes as one gzip member.
  public static func gzip(_ bytes: [UInt8], level: Int32 = 6) throws(InferenceError) -> [UInt8] {
    try Deflater(level: level).pack(bytes, last: true)
  }
}

extension Inflater {
  /// The lines of a gzip member that this program has packed, with the line feeds at their ends.
  /// - Parameter limit: the most bytes that may come out.
  /// - Throws: `InferenceError.fileMalformed` if it is damaged or holds more.
  public static func gunzip(_ packed: [UInt8], path: String, place: String, limit: Int) throws(InferenceError)
    -> [UInt8]
  {
    try packed.withUnsafeBufferPointer { (source) throws(InferenceError) in
      let inflater = try Inflater(.gzip, UnsafeRawBufferPointer(source), path: path, place: place)
      var bytes: [UInt8] = []
      let piece = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 16)
      defer { piece.deallocate() }
      while true {
        let got = try inflater.read(into: UnsafeMutableRawBufferPointer(piece))
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: piece[..<got]))
        guard bytes.count <= limit else {
          throw .fileMalformed(path: path, place: place, expected: "at most \(limit) bytes", found: "more")
        }
        if got < 1 << 16 { return bytes }
      }
    }
  }
}
