// The changes to text between added tokens before it is cut into pieces: composition (Qwen), and SentencePiece's way of
// writing spaces. This file has their order; `AlignedText` makes them.

/// The changes that a tokenizer makes to text.
struct Normalizer: Equatable, Sendable {
  /// One change.
  enum Step: Equatable, Sendable {
    /// The text is brought into Normalization Form C.
    case compose
    /// A text is put before every stretch.
    case prepend([UInt8])
    /// One text is replaced by another.
    case replace([UInt8], by: [UInt8])
  }

  var steps: [Step] = []

  /// The mark "▁" (U+2581), which SentencePiece writes for a space.
  static let mark = Array("▁".utf8)
  static let space = [UInt8(ascii: " ")]

  /// Whether every space becomes "▁".
  var marksSpaces: Bool { steps.contains(.replace(Self.space, by: Self.mark)) }

  /// Whether the result never contains a space.
  var leavesNoSpace: Bool {
    guard let last = steps.lastIndex(where: { if case .replace(Self.space, by: _) = $0 { true } else { false } })
    else { return false }
    return steps[last...].allSatisfy { step in
      switch step {
      case .compose: true
      case .prepend(let text), .replace(_, by: let text): !text.contains(UInt8(ascii: " "))
      }
    }
  }

  /// Passes `body` the text in which normalized added tokens are searched, and the places in `text` from which its
  /// bytes come; nil if the text did not change.
  func normalize(_ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>, [Int]?) -> Void) {
    guard !text.isEmpty, !steps.isEmpty, steps != [.compose] || text.contains(where: { $0 >= 0xCC }) else {
      return body(text, nil)
    }
    var aligned = AlignedText(text)
    for step in steps {
      switch step {
      case .compose: aligned.compose()
      case .prepend(let prefix): aligned.prepend(prefix)
      case .replace(let pattern, by: let content): aligned.replace(pattern, by: content)
      }
    }
    aligned.bytes.withUnsafeBufferPointer { body($0, aligned.origins) }
  }

  /// The normalized form of `bytes`.
  func normalized(_ bytes: [UInt8]) -> [UInt8] {
    var result = bytes
    bytes.withUnsafeBufferPointer { normalize($0) { text, _ in result = Array(text) } }
    return result
  }
}
