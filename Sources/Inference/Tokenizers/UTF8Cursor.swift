// Looks at single scalars of valid UTF-8, forwards and backwards.

/// Finds the scalars of a buffer of valid UTF-8 by position.
enum UTF8Cursor {
  /// The number of bytes that a lead byte announces.
  static func length(_ lead: UInt8) -> Int { lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4 }

  /// The scalar at `index` and its number of bytes; `nil` at the end.
  static func scalar(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> (Unicode.Scalar, Int)? {
    guard index < text.count else { return nil }
    let first = text[index]
    if first < 0x80 { return (Unicode.Scalar(first), 1) }
    let length = length(first)
    var value = UInt32(first) & (0x7F >> UInt32(length))
    for next in index + 1..<min(index + length, text.count) { value = value << 6 | UInt32(text[next] & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
  }

  /// The scalar that ends at `index` and its number of bytes; `nil` at the beginning.
  static func scalar(_ text: UnsafeBufferPointer<UInt8>, before index: Int) -> (Unicode.Scalar, Int)? {
    guard index > 0 else { return nil }
    var start = index - 1
    while start > 0, index - start < 4, text[start] & 0xC0 == 0x80 { start -= 1 }
    return scalar(text, at: start).map { ($0.0, index - start) }
  }
}
