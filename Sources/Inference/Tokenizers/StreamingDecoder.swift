// Turns tokens into text as they arrive, but never half a character: bytes wait until their character is whole. The
// pieces of a stream add up to the decoding of the whole.

/// Collects the bytes of tokens and returns whole characters (Unicode scalars).
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private var pending: [UInt8] = []

  /// Makes a decoder for the beginning of a stream.
  public init(tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
  }

  /// Returns the text that is complete after `id`; it is empty if the text ends within a character.
  public mutating func append(_ id: Int32) -> String {
    append(bytes: tokenizer.bytes(of: id))
  }

  /// Returns what is left at the end: U+FFFD for an unfinished character.
  public mutating func finish() -> String {
    defer { pending.removeAll() }
    return String(decoding: pending, as: UTF8.self)
  }

  mutating func append(bytes: [UInt8]) -> String {
    pending += bytes
    let ready = pending.count - Self.unfinished(pending)
    defer { pending.removeFirst(ready) }
    return String(decoding: pending[..<ready], as: UTF8.self)
  }

  /// The number of bytes at the end that may still become a character: a lead byte with fewer bytes than it announces.
  static func unfinished(_ bytes: [UInt8]) -> Int {
    for back in 1...3 where back <= bytes.count {
      let lead = bytes[bytes.count - back]
      if lead & 0xC0 == 0x80 { continue }
      let length =
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
      guard back < length else { return 0 }
      guard back > 1 else { return 1 }
      // Some second bytes are forbidden: overlong forms, surrogates, scalars beyond U+10FFFF.
      let second = bytes[bytes.count - back + 1]
      let allowed: ClosedRange<UInt8> =
        switch lead {
        case 0xE0: 0xA0...0xBF
        case 0xED: 0x80...0x9F
        case 0xF0: 0x90...0xBF
        case 0xF4: 0x80...0x8F
        default: 0x80...0xBF
        }
      return allowed.contains(second) ? back : 0
    }
    return 0
  }
}
