// Decodes a terminal's bytes into keys: UTF-8, control characters, CSI and SS3 sequences of xterm, screen, tmux, the
// Linux console and rxvt, mouse reports in SGR and X10 form, bracketed paste. An unknown sequence is dropped as a
// whole, so that no part of it is taken for text.

/// Decodes what a terminal sends. Sequences may arrive in pieces; call `flush` when no more bytes came for a moment.
public struct KeyDecoder: Sendable {
  private var pending: [UInt8] = []
  private var pasted: [UInt8]?
  private static let longestSequence = 64
  private static let pasteEnd = Array("\u{1B}[201~".utf8)
  /// The bytes of one paste that are kept; the rest is dropped.
  static let longestPaste = 256 * 1024

  /// Makes a decoder that has seen no bytes.
  public init() {}

  /// Whether bytes wait for the rest of their sequence.
  var isWaiting: Bool { !pending.isEmpty }

  /// Decodes more bytes.
  public mutating func decode(_ bytes: some Sequence<UInt8>) -> [Input] {
    pending += bytes
    var inputs: [Input] = []
    while let input = next() { inputs += input }
    return inputs
  }

  /// Decodes the pending bytes as if they were complete: a single escape byte becomes the escape key.
  public mutating func flush() -> [Input] {
    guard pasted == nil, let first = pending.first else { return [] }
    let bytes = pending
    pending = []
    guard first == 0x1B else { return [] }
    if bytes.count == 1 { return [.key(Key(.escape))] }
    if bytes.count == 2, bytes[1] == 0x5B || bytes[1] == 0x4F {
      return [.key(Key(.character(bytes[1] == 0x5B ? "[" : "O"), .alt))]
    }
    return []
  }

  /// Returns the inputs of one complete sequence (none if it is unknown), or nil if more bytes are needed.
  private mutating func next() -> [Input]? {
    if pasted != nil { return continuePaste() }
    guard let first = pending.first else { return nil }
    if first == 0x1B { return escape() }
    guard let (character, length) = Self.character(pending[...]) else { return nil }
    pending.removeFirst(length)
    return character.map { [.key(Self.key(for: $0))] } ?? []
  }

  /// Decodes one UTF-8 character at the beginning. Returns nil if it is incomplete, and no character if it is invalid.
  private static func character(_ bytes: ArraySlice<UInt8>) -> (Unicode.Scalar?, Int)? {
    guard let first = bytes.first else { return nil }
    let length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1
    if length == 1 { return (first < 0x80 ? Unicode.Scalar(first) : nil, 1) }
    let present = bytes.prefix(length)
    if let wrong = present.dropFirst().firstIndex(where: { $0 & 0xC0 != 0x80 }) {
      return (nil, wrong - bytes.startIndex)
    }
    guard present.count == length else { return nil }
    let scalars = String(decoding: present, as: UTF8.self).unicodeScalars
    return (scalars.count == 1 ? scalars.first : nil, length)
  }

  private static func key(for scalar: Unicode.Scalar) -> Key {
    switch scalar.value {
    // The terminal does not translate newlines: Enter is 0x0D, and 0x0A is Ctrl-J.
    case 0x0D: Key(.enter)
    case 0x09: Key(.tab)
    case 0x08, 0x7F: Key(.backspace)
    case 0x00: Key(.character(" "), .control)
    case 0x01...0x1A: Key(.character(Character(Unicode.Scalar(UInt8(scalar.value) + 0x60))), .control)
    case 0x1B: Key(.escape)
    case 0x1C...0x1F: Key(.character(Character(Unicode.Scalar(UInt8(scalar.value) + 0x40))), .control)
    default: Key(.character(Character(scalar)))
    }
  }

  private mutating func escape() -> [Input]? {
    guard pending.count > 1 else { return nil }
    switch pending[1] {
    case 0x5B: return controlSequence()
    case 0x4F:
      guard pending.count > 2 else { return nil }
      let final = pending[2]
      pending.removeFirst(3)
      return Self.named(final).map { [.key(Key($0))] } ?? []
    case 0x1B:
      pending.removeFirst(1)
      return [.key(Key(.escape))]
    default:
      guard let (scalar, length) = Self.character(pending[1...]) else { return nil }
      pending.removeFirst(1 + length)
      guard let scalar else { return [] }
      var key = Self.key(for: scalar)
      key.modifiers.insert(.alt)
      return [.key(key)]
    }
  }

  private mutating func controlSequence() -> [Input]? {
    guard pending.count > 2 else { return nil }
    if pending[2] == 0x5B {  // F1 to F5 of the Linux console: ESC [ [ A
      guard pending.count > 3 else { return nil }
      let number = Int(pending[3]) - 0x40
      pending.removeFirst(4)
      return (1...5).contains(number) ? [.key(Key(.function(number)))] : []
    }
    if pending[2] == 0x4D {  // the X10 form of a mouse report: button, column, row as single bytes
      guard pending.count > 5 else { return nil }
      let report = pending[3...5].map { Int($0) - 32 }
      pending.removeFirst(6)
      return Self.mouse(button: report[0], column: report[1], row: report[2], released: report[0] & 3 == 3)
    }
    guard let end = pending.dropFirst(2).firstIndex(where: { !(0x20...0x3F).contains($0) }) else {
      if pending.count > Self.longestSequence { pending.removeAll() }
      return nil
    }
    let body = pending[2..<end]
    let final = pending[end]
    pending.removeFirst(end + 1)
    if body.first == 0x3C, final == 0x4D || final == 0x6D {
      let numbers = Self.numbers(body.dropFirst())
      guard numbers.count == 3 else { return [] }
      return Self.mouse(button: numbers[0], column: numbers[1], row: numbers[2], released: final == 0x6D)
    }
    return plainSequence(Self.numbers(body), final: final)
  }

  private mutating func plainSequence(_ numbers: [Int], final: UInt8) -> [Input] {
    var modifiers = Key.Modifiers()
    if numbers.count > 1, (2...8).contains(numbers[1]) {
      modifiers = Key.Modifiers(rawValue: UInt8(numbers[1] - 1))
    }
    if final == 0x7E {
      if numbers.first == 200 {
        pasted = []
        return []
      }
      return Self.tilde(numbers.first ?? 0).map { [.key(Key($0, modifiers))] } ?? []
    }
    if final == 0x75, let scalar = numbers.first.flatMap({ Unicode.Scalar(UInt32($0)) }) {
      var key = Self.key(for: scalar)
      key.modifiers.formUnion(modifiers)
      return [.key(key)]
    }
    if final == 0x5A { return [.key(Key(.tab, .shift))] }
    return Self.named(final).map { [.key(Key($0, modifiers))] } ?? []
  }

  private mutating func continuePaste() -> [Input]? {
    guard var text = pasted else { return nil }
    let end = pending.indices.first { pending[$0...].starts(with: Self.pasteEnd) }
    let keep = end ?? max(0, pending.count - (Self.pasteEnd.count - 1))
    text += pending.prefix(min(keep, max(0, Self.longestPaste - text.count)))
    pending.removeFirst(keep)
    guard end != nil else {
      pasted = text
      return nil
    }
    pending.removeFirst(Self.pasteEnd.count)
    pasted = nil
    return [.paste(String(decoding: text, as: UTF8.self))]
  }

  private static func numbers(_ bytes: ArraySlice<UInt8>) -> [Int] {
    bytes.split(separator: 0x3B, omittingEmptySubsequences: false).map { part in
      part.prefix(7).reduce(0) { $1 >= 0x30 && $1 <= 0x39 ? $0 * 10 + Int($1) - 0x30 : $0 }
    }
  }

  private static func mouse(button: Int, column: Int, row: Int, released: Bool) -> [Input] {
    guard column >= 1, row >= 1 else { return [] }
    let point = Point(row: row - 1, column: column - 1)
    switch button & ~0x1C {
    case 64: return [.mouse(Mouse(.wheelUp, at: point))]
    case 65: return [.mouse(Mouse(.wheelDown, at: point))]
    case 0, 3: return [.mouse(Mouse(released ? .release : .press, at: point))]
    default: return []
    }
  }

  private static func named(_ final: UInt8) -> Key.Code? {
    switch final {
    case 0x41: .up
    case 0x42: .down
    case 0x43: .right
    case 0x44: .left
    case 0x46: .end
    case 0x48: .home
    case 0x4D: .enter
    case 0x50...0x53: .function(Int(final) - 0x4F)
    default: nil
    }
  }

  private static func tilde(_ number: Int) -> Key.Code? {
    switch number {
    case 1, 7: .home
    case 2: .insert
    case 3: .delete
    case 4, 8: .end
    case 5: .pageUp
    case 6: .pageDown
    case 11...15: .function(number - 10)
    case 17...21: .function(number - 11)
    case 23, 24: .function(number - 12)
    default: nil
    }
  }
}
