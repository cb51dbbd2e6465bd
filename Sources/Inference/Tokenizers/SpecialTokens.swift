// Finds added tokens (`<|im_start|>`, …) in text before it is cut into pieces, in the order of the library: first all
// leftmost-longest matches, one after the other; then those of them that stand between words and are wanted; then the
// white space that they swallow. Source: find_matches of tokenizers/src/tokenizer/added_vocabulary.rs.

/// A token that is found in text as a whole.
struct AddedToken: Equatable, Sendable {
  var id: Int32
  /// The text by which it is found.
  var bytes: [UInt8]
  /// Whether it is a marker of the model, which plain text never becomes.
  var isControl: Bool
  /// Whether it swallows the white space before it or after it, and whether it must stand between words.
  var stripsLeft = false
  var stripsRight = false
  var isSingleWord = false
  /// Whether it is searched in normalized text and not in the original text.
  var isNormalized = false
}

/// The added tokens of a vocabulary.
struct SpecialTokens: Sendable {
  /// What happens to a token found in a text.
  enum Reading: Sendable {
    case token
    /// Its text stays text, and no shorter token is searched in it.
    case text
    /// It does not count, but a shorter token at this place may.
    case nothing
  }

  private let tokens: [AddedToken]
  private var texts: ByteStrings
  /// The lengths of the tokens that begin with a byte, longest first.
  private var lengths = [[Int]](repeating: [], count: 256)

  /// - Parameter tokens: if two have the same text, the first counts.
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
  }

  /// The token with exactly this name.
  func named(_ name: String) -> AddedToken? {
    var name = name
    return name.withUTF8 { texts.find($0) }.map { tokens[$0] }
  }

  /// Cuts `text` at the added tokens that it contains.
  /// - Parameters:
  ///   - reading: says what happens to a token at a place.
  ///   - plain: is called with the text between them, in order and never empty.
  ///   - special: is called with each token found, and the place where its text begins.
  func split(
    _ text: UnsafeBufferPointer<UInt8>, reading: (AddedToken, Range<Int>) -> Reading, plain: (Range<Int>) -> Void,
    special: (Int32, Int) -> Void
  ) {
    var start = 0
    var position = 0
    while position < text.count, !tokens.isEmpty {
      guard let (token, isWanted) = match(text, at: position, reading) else {
        position += 1
        continue
      }
      let range = position..<position + token.bytes.count
      position = range.upperBound
      guard isWanted, !token.isSingleWord || Self.standsAlone(text, range) else { continue }
      // White space that the token before swallowed stays swallowed; a token of which nothing is left does not count.
      let left = token.stripsLeft ? max(start, Self.spaceStart(text, before: range.lowerBound)) : range.lowerBound
      let right = token.stripsRight ? Self.spaceEnd(text, after: range.upperBound) : range.upperBound
      guard left < right else { continue }
      if start < left { plain(start..<left) }
      special(token.id, range.lowerBound)
      start = right
    }
    if start < text.count { plain(start..<text.count) }
  }

  /// The longest token at `position`, and whether it is read as a token.
  private func match(
    _ text: UnsafeBufferPointer<UInt8>, at position: Int, _ reading: (AddedToken, Range<Int>) -> Reading
  ) -> (AddedToken, Bool)? {
    for length in lengths[Int(text[position])] where length <= text.count - position {
      let range = position..<position + length
      guard let index = texts.find(UnsafeBufferPointer(rebasing: text[range])) else { continue }
      switch reading(tokens[index], range) {
      case .token: return (tokens[index], true)
      case .text: return (tokens[index], false)
      case .nothing: continue
      }
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

  /// Whether `\w` matches.
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: scalar.properties.isAlphabetic || scalar.properties.isJoinControl
    }
  }
}
