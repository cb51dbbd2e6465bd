// Cuts text into the pieces within which byte pairs are merged, by hand-written scanners over UTF-8: one function a
// family, its pattern written above it. Adding a tokenizer: one case here, named as tokenizer.ggml.pre names it.
// Refuses: patterns that no test covers.

/// The ways of cutting, by their names in `tokenizer.ggml.pre`.
enum PreTokenizer: String, CaseIterable, Sendable {
  case smollm

  /// Calls `piece` with the pieces of `text`, in order; they cover it without gap.
  /// - Parameter text: valid UTF-8.
  func split(_ text: UnsafeBufferPointer<UInt8>, _ piece: (Range<Int>) -> Void) {
    var scanner = PreTokenScanner(text)
    while scanner.position < text.count {
      let start = scanner.position
      switch self {
      case .smollm: scanner.skipSmolLMPiece()
      }
      piece(start..<scanner.position)
    }
  }
}

/// What the patterns tell apart.
enum ScalarClass {
  /// `\p{L}`
  case letter
  /// `\p{N}`
  case number
  /// `\s`: the property White_Space.
  case space
  case other

  init(_ scalar: Unicode.Scalar) {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = scalar.properties.isWhitespace ? .space : .other
    }
  }

  /// The classes of ASCII, which need no look-up.
  static let ascii: [ScalarClass] = (0..<0x80).map { ScalarClass(Unicode.Scalar(UInt8($0))) }
}

/// A cursor over UTF-8 text that looks at one scalar's class at a time.
struct PreTokenScanner {
  private let text: UnsafeBufferPointer<UInt8>
  private(set) var position = 0

  init(_ text: UnsafeBufferPointer<UInt8>) {
    self.text = text
  }

  /// SmolLM and StarCoder: each `\p{N}` alone, and between them GPT-2's pattern
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  /// A number ends the text for the patterns before it: spaces in front of one stay together.
  mutating func skipSmolLMPiece() {
    guard let (first, length) = scalarClass(at: position) else { return }
    if text[position] == UInt8(ascii: "'"), let contraction = contractionLength() {
      position += contraction
      return
    }
    // ` ?` in front of letters or others.
    if text[position] == UInt8(ascii: " "), let (next, _) = scalarClass(at: position + 1),
      next == .letter || next == .other
    {
      position += 1
      skipAll(next)
      return
    }
    switch first {
    case .number: position += length
    case .letter, .other: skipAll(first)
    case .space: skipSpaces()
    }
  }

  /// `\s+(?!\S)|\s+`: all spaces at the end or before a number; else all but the last, but at least one.
  private mutating func skipSpaces() {
    let start = position
    var last = position
    while let (kind, length) = scalarClass(at: position), kind == .space {
      last = position
      position += length
    }
    guard let (next, _) = scalarClass(at: position), next != .number, last > start else { return }
    position = last
  }

  private mutating func skipAll(_ kind: ScalarClass) {
    while let (next, length) = scalarClass(at: position), next == kind { position += length }
  }

  /// Bytes of `'s|'t|'re|'ve|'m|'ll|'d` at the position.
  private func contractionLength() -> Int? {
    guard position + 1 < text.count else { return nil }
    switch text[position + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
    default:
      guard position + 2 < text.count else { return nil }
      switch (text[position + 1], text[position + 2]) {
      case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
        (UInt8(ascii: "l"), UInt8(ascii: "l")):
        return 3
      default: return nil
      }
    }
  }

  /// The class and the bytes of the scalar at `index`; `nil` at the end.
  private func scalarClass(at index: Int) -> (ScalarClass, Int)? {
    guard index < text.count else { return nil }
    let first = text[index]
    if first < 0x80 { return (ScalarClass.ascii[Int(first)], 1) }
    let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    var value = UInt32(first) & (0x7F >> UInt32(length))
    for next in index + 1..<min(index + length, text.count) { value = value << 6 | UInt32(text[next] & 0x3F) }
    return (Unicode.Scalar(value).map(ScalarClass.init) ?? .other, length)
  }
}
