// Text on its way through a tokenizer's normalizer. Each byte keeps the place in the original text from which it comes.
// Three changes are known: composition (NFC), a text put in front, and replacement of one text by another. Composition
// is the standard library's, because Foundation's on Linux cuts scalars to 16 bits.

@_spi(_Unicode) import Swift

/// Changed text and the origin of its bytes.
struct AlignedText {
  private(set) var bytes: [UInt8]
  /// For each byte, the offset in the original text from which it was made.
  private(set) var origins: [Int]

  init(_ text: UnsafeBufferPointer<UInt8>) {
    bytes = Array(text)
    origins = Array(text.indices)
  }

  /// Puts `prefix` in front of a text that is not empty.
  mutating func prepend(_ prefix: [UInt8]) {
    guard let first = origins.first else { return }
    bytes.insert(contentsOf: prefix, at: 0)
    origins.insert(contentsOf: repeatElement(first, count: prefix.count), at: 0)
  }

  /// Replaces every `pattern`, which is not empty, by `content`, from left to right.
  mutating func replace(_ pattern: [UInt8], by content: [UInt8]) {
    guard let first = pattern.first, bytes.contains(first) else { return }
    var (result, places): ([UInt8], [Int]) = ([], [])
    result.reserveCapacity(bytes.count)
    places.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      if bytes[index] == first, bytes[index...].starts(with: pattern) {
        result += content
        places += repeatElement(origins[index], count: content.count)
        index += pattern.count
      } else {
        result.append(bytes[index])
        places.append(origins[index])
        index += 1
      }
    }
    (bytes, origins) = (result, places)
  }

  /// Brings the text into Normalization Form C (Unicode Standard Annex 15).
  mutating func compose() {
    // No scalar below U+0300 composes with the one before it, and the lead bytes of all those are below 0xCC.
    guard bytes.contains(where: { $0 >= 0xCC }) else { return }
    var (result, places): ([UInt8], [Int]) = ([], [])
    result.reserveCapacity(bytes.count)
    places.reserveCapacity(bytes.count)
    var start = 0
    while start < bytes.count {
      var end = start + UTF8Cursor.length(bytes[start])
      while end < bytes.count, bytes[end] >= 0xCC { end += UTF8Cursor.length(bytes[end]) }
      end = min(end, bytes.count)
      let before = bytes[start..<end]
      let after = before.contains { $0 >= 0xCC } ? Self.composed(before) : Array(before)
      let head = zip(before, after).prefix { $0 == $1 }.count
      result += after
      for index in after.indices {
        // The equal beginning, and rests of equal length, are aligned; other bytes come from about the same place.
        let place = index < head ? index : min(index, before.count - 1)
        places.append(origins[start + place])
      }
      start = end
    }
    (bytes, origins) = (result, places)
  }

  private static func composed(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in String(decoding: text, as: UTF8.self)._nfc {
      result += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
    }
    return result
  }
}

/// Where the bytes of a piece of changed text come from.
struct TextOrigin {
  private var base: Int
  private var start = 0
  private var places: [Int]?

  /// The origin of a text that begins at `base`; `places` has the offset of each byte after it if the text was changed.
  init(base: Int, places: [Int]?) {
    self.base = base
    self.places = places
  }

  /// The offset in the original text of a byte of the piece.
  subscript(index: Int) -> Int { base + (places?[start + index] ?? start + index) }

  /// The origin of the part that begins at `index` of the piece.
  func from(_ index: Int) -> TextOrigin {
    var origin = self
    origin.start += index
    return origin
  }

  /// The origin of the piece after another change.
  func through(_ text: AlignedText) -> TextOrigin { TextOrigin(base: 0, places: text.origins.map { self[$0] }) }
}
