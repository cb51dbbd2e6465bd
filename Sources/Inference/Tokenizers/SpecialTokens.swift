// Finding added tokens (`<|im_start|>`, …) in text before it is cut into pieces: at each place the longest one.
// Control tokens are looked for only on request; user-defined ones always, as the formats mean them.

/// A token that is found in text as a whole.
struct AddedToken: Equatable, Sendable {
  var id: Int32
  /// The text by which it is found.
  var bytes: [UInt8]
  /// A marker of the model, which plain text never becomes.
  var isControl: Bool
  /// Whether it swallows the white space before it, after it; whether it must stand between words.
  var stripsLeft = false
  var stripsRight = false
  var isSingleWord = false
  /// Whether it is looked for in normalized text rather than in the text as it came.
  var isNormalized = false
}

/// The added tokens of a vocabulary.
struct SpecialTokens: Sendable {
  private let tokens: [AddedToken]
  private var texts: ByteStrings
  /// Lengths of the tokens that begin with a byte, longest first.
  private var lengths = [[Int]](repeating: [], count: 256)
  private let hasUserDefined: Bool

  init(_ tokens: [AddedToken]) {
    let tokens = tokens.filter { !$0.bytes.isEmpty }
    var ends: [Int] = []
    var end = 0
    for token in tokens {
      end += token.bytes.count
      ends.append(end)
      let first = Int(token.bytes[0])
      if !lengths[first].contains(token.bytes.count) { lengths[first].append(token.bytes.count) }
    }
    for first in lengths.indices { lengths[first].sort(by: >) }
    texts = ByteStrings(storage: tokens.flatMap(\.bytes), ends: ends)
    texts.index { _ in true }
    self.tokens = tokens
    hasUserDefined = tokens.contains { !$0.isControl }
  }

  var isEmpty: Bool { tokens.isEmpty }

  /// The token of exactly that name.
  func named(_ name: String) -> AddedToken? {
    var name = name
    return name.withUTF8 { texts.find($0) }.map { tokens[$0] }
  }

  /// Cuts `text` at the added tokens in it.
  /// - Parameters:
  ///   - control: whether control tokens count too.
  ///   - plain: called with what stands between, in order and never empty, and where it begins.
  ///   - special: called with each token found.
  func split(
    _ text: UnsafeBufferPointer<UInt8>, control: Bool, plain: (UnsafeBufferPointer<UInt8>, Int) -> Void,
    special: (Int32) -> Void
  ) {
    var start = 0
    var position = 0
    if !isEmpty && (control || hasUserDefined) {
      while position < text.count {
        guard let found = match(text, at: position, control: control) else {
          position += 1
          continue
        }
        let end = position + found.bytes.count
        let left = max(start, found.stripsLeft ? Self.spaceStart(text, before: position) : position)
        if start < left { plain(UnsafeBufferPointer(rebasing: text[start..<left]), start) }
        special(found.id)
        start = found.stripsRight ? Self.spaceEnd(text, after: end) : end
        position = max(end, start)
      }
    }
    if start < text.count { plain(UnsafeBufferPointer(rebasing: text[start...]), start) }
  }

  private func match(_ text: UnsafeBufferPointer<UInt8>, at position: Int, control: Bool) -> AddedToken? {
    for length in lengths[Int(text[position])] where length <= text.count - position {
      guard let index = texts.find(UnsafeBufferPointer(rebasing: text[position..<position + length])) else { continue }
      let token = tokens[index]
      if token.isControl && !control { continue }
      if token.isSingleWord && !Self.standsAlone(text, position..<position + length) { continue }
      return token
    }
    return nil
  }

  private static func spaceStart(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Int {
    var start = end
    while let (scalar, length) = UTF8Cursor.scalar(text, before: start), scalar.properties.isWhitespace {
      start -= length
    }
    return start
  }

  private static func spaceEnd(_ text: UnsafeBufferPointer<UInt8>, after start: Int) -> Int {
    var end = start
    while let (scalar, length) = UTF8Cursor.scalar(text, at: end), scalar.properties.isWhitespace { end += length }
    return end
  }

  private static func standsAlone(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    let neighbours = [
      UTF8Cursor.scalar(text, before: range.lowerBound), UTF8Cursor.scalar(text, at: range.upperBound),
    ]
    return !neighbours.contains { $0.map { isWord($0.0) } ?? false }
  }

  /// `\w`
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: scalar.properties.isAlphabetic || scalar.properties.isJoinControl
    }
  }
}
