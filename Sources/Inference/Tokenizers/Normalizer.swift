// What happens to plain text before it is cut into pieces: composition (Qwen), and SentencePiece's spaces.

import Foundation

/// The changes that a tokenizer makes to text.
struct Normalizer: Equatable, Sendable {
  /// Where SentencePiece puts a space in front of plain text.
  enum SpacePrefix: Sendable {
    case none
    /// In front of every stretch of text between added tokens.
    case eachStretch
    /// The same, but not in front of a space.
    case eachStretchUnlessSpaced
    /// In front of the text as a whole, but not of a space.
    case firstUnlessSpaced
  }

  /// Whether text becomes NFC.
  var composes = false
  /// Whether "▁" is a space.
  var readsMarksAsSpaces = false
  var spacePrefix = SpacePrefix.none

  /// Gives `body` the text in which normalized added tokens are looked for.
  func normalize(_ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    guard !text.isEmpty else { return body(text) }
    var changed: [UInt8]?
    // Below U+0300 nothing composes; all of that is below the lead byte 0xCC.
    if composes, text.contains(where: { $0 >= 0xCC }) {
      changed = Array(String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8)
    }
    if readsMarksAsSpaces, PieceAlphabet.hasMark(UnsafeRawBufferPointer(text)) {
      var bytes: [UInt8] = []
      (changed ?? Array(text)).withUnsafeBytes { PieceAlphabet.decode($0, into: &bytes) }
      changed = bytes
    }
    if spacePrefix == .eachStretch { changed = [UInt8(ascii: " ")] + (changed ?? Array(text)) }
    if let changed { changed.withUnsafeBufferPointer(body) } else { body(text) }
  }

  /// Gives `body` normalized text as it is cut into pieces.
  /// - Parameter isFirst: whether it begins the whole text.
  func prefix(_ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    let isWanted = spacePrefix == .eachStretchUnlessSpaced || spacePrefix == .firstUnlessSpaced && isFirst
    guard isWanted, let first = text.first, first != UInt8(ascii: " ") else { return body(text) }
    ([UInt8(ascii: " ")] + Array(text)).withUnsafeBufferPointer(body)
  }
}
