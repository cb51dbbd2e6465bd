// SentencePiece writes a space as "▁" (U+2581). Text is brought into this form before it is looked up, so a "▁" that a
// user writes comes back as a space, as in every tokenizer of this kind.

/// Translates "▁" into a space.
enum PieceAlphabet {
  /// Appends `text`, with each "▁" replaced by a space.
  static func decode(_ text: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
    var index = 0
    while index < text.count {
      if isMark(text, at: index) {
        bytes.append(UInt8(ascii: " "))
        index += 3
      } else {
        bytes.append(text[index])
        index += 1
      }
    }
  }

  /// Whether a "▁" begins at `index`.
  static func isMark(_ text: UnsafeRawBufferPointer, at index: Int) -> Bool {
    text[index] == 0xE2 && index + 2 < text.count && text[index + 1] == 0x96 && text[index + 2] == 0x81
  }
}
