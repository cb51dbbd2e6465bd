// The alphabet of GPT-2's byte-level vocabularies, which has a printable scalar for every byte. Bytes that are
// printable in Latin-1 stand for themselves, the 68 others for U+0100 and the scalars after it, in order. Source:
// bytes_to_unicode in the GPT-2 repository (encoder.py).

/// Translates between the alphabet's scalars and bytes.
enum ByteAlphabet {
  /// The byte of each scalar below U+0144, or -1.
  private static let byteOfScalar: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    var next = 0x100
    for byte in 0..<256 {
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: table[byte] = Int16(byte)
      default:
        table[next] = Int16(byte)
        next += 1
      }
    }
    return table
  }()

  /// The scalar of each byte, as UTF-8.
  static let spelling: [[UInt8]] = {
    var table = [[UInt8]](repeating: [], count: 256)
    for (value, byte) in byteOfScalar.enumerated() where byte >= 0 {
      if let scalar = Unicode.Scalar(UInt32(value)) { table[Int(byte)] = UTF8.encode(scalar).map { Array($0) } ?? [] }
    }
    return table
  }()

  /// Appends the bytes that `text` (UTF-8) stands for; text with a scalar outside the alphabet stands for itself.
  static func decode(_ text: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
    let start = bytes.count
    var index = 0
    while index < text.count {
      let first = text[index]
      if first < 0x80 {
        guard case let byte = byteOfScalar[Int(first)], byte >= 0 else { break }
        bytes.append(UInt8(byte))
        index += 1
      } else {
        // All scalars of the alphabet beyond ASCII have two bytes: 110xxxxx 10xxxxxx.
        guard first & 0xE0 == 0xC0, index + 1 < text.count, text[index + 1] & 0xC0 == 0x80,
          case let scalar = Int(first & 0x1F) << 6 | Int(text[index + 1] & 0x3F), scalar < byteOfScalar.count,
          case let byte = byteOfScalar[scalar], byte >= 0
        else { break }
        bytes.append(UInt8(byte))
        index += 2
      }
    }
    guard index < text.count else { return }
    bytes.removeSubrange(start...)
    bytes.append(contentsOf: text)
  }
}
