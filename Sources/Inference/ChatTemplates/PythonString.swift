// The quoted strings of Jinja, whose escapes are Python's. Jinja writes the text in ASCII with escapes for all other
// characters and then decodes it as `unicode-escape`. Source: wrap in jinja2's lexer.py.

/// A quoted string in a template.
enum PythonString {
  /// Reads a string from its opening quote and moves past the closing one. An escape that Python refuses stays
  /// unchanged, so that the template remains unknown.
  static func read(_ rest: inout ArraySlice<Unicode.Scalar>) -> String {
    let quote = rest.removeFirst()
    var text = String.UnicodeScalarView()
    while let next = rest.popFirst(), next != quote {
      guard next == "\\", let escaped = rest.popFirst() else {
        text.append(next)
        continue
      }
      text += escape(escaped, &rest)
    }
    return String(text)
  }

  /// What a backslash and `scalar` stand for; the rest of the escape is taken from `rest`.
  private static func escape(_ scalar: Unicode.Scalar, _ rest: inout ArraySlice<Unicode.Scalar>) -> [Unicode.Scalar] {
    switch scalar {
    case "\n": return []
    case "\\", "'", "\"": return [scalar]
    case "a": return ["\u{7}"]
    case "b": return ["\u{8}"]
    case "t": return ["\t"]
    case "n": return ["\n"]
    case "v": return ["\u{B}"]
    case "f": return ["\u{C}"]
    case "r": return ["\r"]
    case "x": return number(scalar, digits: 2, &rest)
    case "u": return number(scalar, digits: 4, &rest)
    case "U": return number(scalar, digits: 8, &rest)
    case "N": return name(&rest)
    case "0"..."7":
      var value = scalar.value - 0x30
      for _ in 0..<2 {
        guard let next = rest.first, ("0"..."7").contains(next) else { break }
        value = value << 3 | (next.value - 0x30)
        rest.removeFirst()
      }
      return Unicode.Scalar(value).map { [$0] } ?? []
    default:
      // Outside ASCII, the backslash meets the one of the scalar's own escape, and the two make one backslash.
      guard scalar.value >= 0x80 else { return ["\\", scalar] }
      let (sign, digits) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
      let hexadecimal = String(scalar.value, radix: 16)
      let zeros = String(repeating: "0", count: digits - hexadecimal.count)
      return Array("\\\(sign)\(zeros)\(hexadecimal)".unicodeScalars)
    }
  }

  private static func number(
    _ sign: Unicode.Scalar, digits: Int, _ rest: inout ArraySlice<Unicode.Scalar>
  ) -> [Unicode.Scalar] {
    let written = rest.prefix(digits)
    let value = UInt32(String(String.UnicodeScalarView(written)), radix: 16)
    guard written.count == digits, written.allSatisfy({ $0.properties.isASCIIHexDigit }),
      let scalar = value.flatMap(Unicode.Scalar.init)
    else { return ["\\", sign] }
    rest.removeFirst(digits)
    return [scalar]
  }

  /// Reads `\N{GREEK SMALL LETTER ALPHA}`.
  private static func name(_ rest: inout ArraySlice<Unicode.Scalar>) -> [Unicode.Scalar] {
    guard rest.first == "{", let end = rest.firstIndex(of: "}") else { return ["\\", "N"] }
    let name = String(String.UnicodeScalarView(rest[rest.startIndex + 1..<end])).uppercased()
    let scalars = (0..<0x11_0000 as Range<UInt32>).lazy.compactMap(Unicode.Scalar.init)
    guard let scalar = scalars.first(where: { $0.properties.name == name || $0.properties.nameAlias == name }) else {
      return ["\\", "N"]
    }
    rest = rest[(end + 1)...]
    return [scalar]
  }
}
