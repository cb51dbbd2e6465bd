// A cursor over the bytes of a mapped file. It checks every read and every length against the end of the file, and an
// error names the place. All formats read here are little-endian, and so are all machines that this program runs on.

/// A checked cursor over untrusted bytes.
struct ByteReader {
  let bytes: UnsafeRawBufferPointer
  /// The path, which only error messages use.
  let path: String
  private(set) var offset = 0

  init(_ bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  /// The number of bytes left.
  var remaining: Int { bytes.count - offset }

  /// Reads one fixed-width integer or float pattern.
  mutating func read<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type, _ place: @autoclosure () -> String
  ) throws(InferenceError) -> T {
    guard remaining >= MemoryLayout<T>.size else { throw truncated(place(), needed: "\(MemoryLayout<T>.size)") }
    let value = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
    offset += MemoryLayout<T>.size
    return T(littleEndian: value)
  }

  /// Reads a 64-bit count and checks that this many items of at least `itemSize` bytes can follow.
  mutating func readCount(itemSize: Int, _ place: @autoclosure () -> String) throws(InferenceError) -> Int {
    let value = try read(UInt64.self, place())
    guard value <= UInt64(remaining / itemSize) else {
      throw truncated(place(), needed: "\(value) items of at least \(itemSize)")
    }
    return Int(value)
  }

  /// Skips `count` bytes and returns their range in the file.
  mutating func take(_ count: Int, _ place: @autoclosure () -> String) throws(InferenceError) -> Range<Int> {
    guard count >= 0, count <= remaining else { throw truncated(place(), needed: "\(count)") }
    offset += count
    return offset - count..<offset
  }

  /// Reads a string that follows its 64-bit length.
  /// - Throws: `InferenceError.fileMalformed` if it runs past the end, is longer than `limit` or is not UTF-8.
  mutating func readString(limit: Int = .max, _ place: @autoclosure () -> String) throws(InferenceError) -> String {
    let length = try readCount(itemSize: 1, place())
    guard length <= limit else {
      throw .fileMalformed(path: path, place: place(), expected: "at most \(limit) bytes", found: "\(length)")
    }
    let range = try take(length, place())
    guard let text = String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self) else {
      throw .fileMalformed(path: path, place: place(), expected: "UTF-8 text", found: "other bytes")
    }
    return text
  }

  private func truncated(_ place: String, needed: String) -> InferenceError {
    .fileMalformed(
      path: path, place: "\(place) (byte \(offset))", expected: "\(needed) bytes", found: "\(remaining) to the end")
  }
}
