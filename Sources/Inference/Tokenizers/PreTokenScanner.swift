// The patterns of the pre-tokenizers as scanners: each function moves past one piece that the pattern above it matches.

/// The classes of scalars that the patterns distinguish.
enum ScalarClass {
  /// `\p{L}`
  case letter
  /// `\p{M}`
  case mark
  /// `\p{N}`
  case number
  /// `\s`, the property White_Space.
  case space
  case other

  init(_ scalar: Unicode.Scalar) {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .nonspacingMark, .spacingMark, .enclosingMark: self = .mark
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = scalar.properties.isWhitespace ? .space : .other
    }
  }

  /// The classes of ASCII scalars, which need no look-up.
  static let ascii: [ScalarClass] = (0..<0x80).map { ScalarClass(Unicode.Scalar(UInt8($0))) }
}

/// A cursor over UTF-8 text that looks at one scalar's class at a time.
struct PreTokenScanner {
  private let text: UnsafeBufferPointer<UInt8>
  /// The class of marks: letters for Qwen 3.5, others for all earlier models.
  private let marks: ScalarClass
  private(set) var position = 0

  init(_ text: UnsafeBufferPointer<UInt8>, marksAreLetters: Bool = false) {
    self.text = text
    marks = marksAreLetters ? .letter : .other
  }

  /// GPT-2: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  mutating func skipGPT2Piece() {
    guard let (first, _) = scalarClass(at: position) else { return }
    if let contraction = contractionLength(anyCase: false) {
      position += contraction
      return
    }
    // This handles ` ?` before anything but space.
    if text[position] == UInt8(ascii: " "), let (next, _) = scalarClass(at: position + 1), next != .space {
      position += 1
      skipAll(next)
      return
    }
    if first == .space { skipSpaces(beforeNumbers: false) } else { skipAll(first) }
  }

  /// SmolLM and StarCoder: each `\p{N}` alone, and GPT-2's pattern between them. A number ends the text for the
  /// patterns before it: spaces in front of a number stay together.
  mutating func skipSmolLMPiece() {
    guard let (first, length) = scalarClass(at: position) else { return }
    if let contraction = contractionLength(anyCase: false) {
      position += contraction
      return
    }
    // This handles ` ?` before letters or others.
    if text[position] == UInt8(ascii: " "), let (next, _) = scalarClass(at: position + 1),
      next == .letter || next == .other
    {
      position += 1
      skipAll(next)
      return
    }
    switch first {
    case .number: position += length
    case .space: skipSpaces(beforeNumbers: true)
    default: skipAll(first)
    }
  }

  /// Llama 3 and, with `digits` 1, Qwen:
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*`
  /// `|\s*[\r\n]+|\s+(?!\S)|\s+`
  mutating func skipLlama3Piece(digits: Int) {
    guard let (first, length) = scalarClass(at: position) else { return }
    if let contraction = contractionLength(anyCase: true) {
      position += contraction
      return
    }
    switch first {
    case .letter: return skipAll(.letter)
    case .number:
      for _ in 0..<digits {
        guard let (next, length) = scalarClass(at: position), next == .number else { return }
        position += length
      }
      return
    default: break
    }
    // One character that is not a newline may stand before letters.
    if !isNewline(at: position), let (next, _) = scalarClass(at: position + length), next == .letter {
      position += length
      skipAll(.letter)
      return
    }
    if text[position] == UInt8(ascii: " "), let (next, _) = scalarClass(at: position + 1), next == .other {
      position += 1
      skipAll(.other)
      skipNewlines()
      return
    }
    if first == .other {
      skipAll(.other)
      skipNewlines()
    } else if !skipThroughLastNewline() {
      skipSpaces(beforeNumbers: false)
    }
  }

  /// `\s+(?!\S)|\s+`: all spaces at the end of the text, otherwise all but the last, but at least one.
  /// - Parameter beforeNumbers: whether a number counts as the end too.
  private mutating func skipSpaces(beforeNumbers: Bool) {
    let start = position
    var last = position
    while let (kind, length) = scalarClass(at: position), kind == .space {
      last = position
      position += length
    }
    guard let (next, _) = scalarClass(at: position), !(beforeNumbers && next == .number), last > start else { return }
    position = last
  }

  /// `\s*[\r\n]+`: moves past the last newline among the spaces here, if there is one.
  private mutating func skipThroughLastNewline() -> Bool {
    var end = position
    var index = position
    while let (kind, length) = scalarClass(at: index), kind == .space {
      if isNewline(at: index) { end = index + 1 }
      index += length
    }
    guard end > position else { return false }
    position = end
    return true
  }

  private mutating func skipNewlines() {
    while isNewline(at: position) { position += 1 }
  }

  private func isNewline(at index: Int) -> Bool {
    index < text.count && (text[index] == UInt8(ascii: "\n") || text[index] == UInt8(ascii: "\r"))
  }

  private mutating func skipAll(_ kind: ScalarClass) {
    while let (next, length) = scalarClass(at: position), next == kind { position += length }
  }

  /// The bytes of `'s|'t|'re|'ve|'m|'ll|'d` at the position.
  private func contractionLength(anyCase: Bool) -> Int? {
    guard text[position] == UInt8(ascii: "'"), position + 1 < text.count else { return nil }
    // If case does not matter, "ſ" is an s.
    if anyCase, position + 2 < text.count, text[position + 1] == 0xC5, text[position + 2] == 0xBF { return 3 }
    func letter(_ offset: Int) -> UInt8 {
      guard position + offset < text.count else { return 0 }
      let byte = text[position + offset]
      return anyCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
    switch letter(1) {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
    default:
      switch (letter(1), letter(2)) {
      case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
        (UInt8(ascii: "l"), UInt8(ascii: "l")):
        return 3
      default: return nil
      }
    }
  }

  /// The class and the number of bytes of the scalar at `index`; `nil` at the end.
  private func scalarClass(at index: Int) -> (ScalarClass, Int)? {
    guard index < text.count else { return nil }
    let first = text[index]
    if first < 0x80 { return (ScalarClass.ascii[Int(first)], 1) }
    guard let (scalar, length) = UTF8Cursor.scalar(text, at: index) else { return nil }
    let kind = ScalarClass(scalar)
    return (kind == .mark ? marks : kind, length)
  }
}
