// A cursor over JSON text that builds only what is asked for: a tokenizer.json of 30 MB holds a million strings, for
// which Foundation's decoder takes seconds. Text that breaks RFC 8259, half surrogates and nesting deeper than 64 are
// errors that name the byte.

/// A checked cursor over the bytes of a JSON file.
struct JSONReader {
  let bytes: UnsafeRawBufferPointer
  /// For error messages: the file, and the part of it that `bytes` are.
  let path: String
  private let part: String
  private(set) var offset = 0
  private var depth = 0

  private static let maximumDepth = 64

  /// - Parameter part: the name of the part of the file that `bytes` are; empty for the whole file.
  init(_ bytes: UnsafeRawBufferPointer, path: String, within part: String = "") {
    self.bytes = bytes
    self.path = path
    self.part = part
  }

  /// A cursor at another place in the same text.
  func at(_ offset: Int) -> JSONReader {
    var reader = self
    reader.offset = offset
    reader.depth = 0
    return reader
  }

  /// The next byte that is not white space; 0 at the end.
  mutating func peek() -> UInt8 {
    while offset < bytes.count, case let byte = bytes[offset], byte == 0x20 || (0x09...0x0D).contains(byte) {
      guard byte != 0x0B, byte != 0x0C else { return byte }
      offset += 1
    }
    return offset < bytes.count ? bytes[offset] : 0
  }

  /// Checks that only white space is left.
  mutating func end() throws(InferenceError) {
    _ = peek()
    guard offset == bytes.count else { throw malformed("nothing after the value", found) }
  }

  /// Reads an object. `member` gets each key as its bytes in `text` and must read its value.
  mutating func object(
    _ text: inout [UInt8], _ member: (inout JSONReader, inout [UInt8]) throws(InferenceError) -> Void
  ) throws(InferenceError) {
    try open("{")
    if peek() != UInt8(ascii: "}") {
      while true {
        text.removeAll(keepingCapacity: true)
        try string(into: &text)
        try expect(":")
        try member(&self, &text)
        guard peek() == UInt8(ascii: ",") else { break }
        offset += 1
      }
    }
    try close("}")
  }

  /// Reads an array. `element` must read each value.
  mutating func array(_ element: (inout JSONReader) throws(InferenceError) -> Void) throws(InferenceError) {
    try open("[")
    if peek() != UInt8(ascii: "]") {
      while true {
        try element(&self)
        guard peek() == UInt8(ascii: ",") else { break }
        offset += 1
      }
    }
    try close("]")
  }

  private mutating func open(_ bracket: Unicode.Scalar) throws(InferenceError) {
    try expect(bracket)
    depth += 1
    guard depth <= Self.maximumDepth else { throw malformed("at most \(Self.maximumDepth) levels", "more") }
  }

  private mutating func close(_ bracket: Unicode.Scalar) throws(InferenceError) {
    try expect(bracket)
    depth -= 1
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(InferenceError) {
    guard peek() == UInt8(ascii: character), offset < bytes.count else { throw malformed("\(character)", found) }
    offset += 1
  }

  /// Reads a string and appends its UTF-8 bytes.
  mutating func string(into text: inout [UInt8]) throws(InferenceError) {
    try expect("\"")
    while offset < bytes.count {
      let start = offset
      while offset < bytes.count, case let byte = bytes[offset], byte >= 0x20, byte != 0x22, byte != 0x5C {
        offset += 1
      }
      if start < offset { text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<offset])) }
      guard offset < bytes.count else { break }
      switch bytes[offset] {
      case UInt8(ascii: "\""):
        offset += 1
        return
      case UInt8(ascii: "\\"):
        offset += 1
        text.append(contentsOf: UTF8.encode(try escape()).map { Array($0) } ?? [])
      default: throw malformed("text", "a control character")
      }
    }
    throw malformed("the end of a string", ending)
  }

  /// Reads what follows a backslash.
  private mutating func escape() throws(InferenceError) -> Unicode.Scalar {
    guard offset < bytes.count else { throw malformed("an escape", ending) }
    let byte = bytes[offset]
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let first = try hexadecimal4()
      if let scalar = Unicode.Scalar(first) { return scalar }
      guard first < 0xDC00, offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
        bytes[offset + 1] == UInt8(ascii: "u")
      else { throw malformed("a pair of surrogates", "half of one") }
      offset += 2
      let second = try hexadecimal4()
      guard (0xDC00...0xDFFF).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      else { throw malformed("a pair of surrogates", "half of one") }
      return scalar
    default: throw malformed("an escape", "\\ before another byte")
    }
  }

  private mutating func hexadecimal4() throws(InferenceError) -> UInt32 {
    guard offset + 4 <= bytes.count else { throw malformed("four hexadecimal digits", ending) }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[offset])).hexDigitValue else {
        throw malformed("four hexadecimal digits", found)
      }
      value = value << 4 | UInt32(digit)
      offset += 1
    }
    return value
  }

  /// Reads a number.
  mutating func number() throws(InferenceError) -> Double {
    _ = peek()
    let start = offset
    while offset < bytes.count, case let byte = bytes[offset],
      (0x30...0x39).contains(byte) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte)
    {
      offset += 1
    }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    guard let first = text.utf8.first, first == 0x2D || (0x30...0x39).contains(first), let value = Double(text),
      value.isFinite
    else {
      offset = start
      throw malformed("a number", found)
    }
    return value
  }

  /// Reads an integer that is below `limit` and not negative, without sign, fraction, exponent or leading zeros.
  mutating func index(below limit: Int) throws(InferenceError) -> Int {
    _ = peek()
    let start = offset
    var (value, isTooLarge) = (0, false)
    while offset < bytes.count, case let byte = bytes[offset], (0x30...0x39).contains(byte), !isTooLarge {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (next, carry) = tens.addingReportingOverflow(Int(byte - 0x30))
      isTooLarge = overflow || carry || next >= limit
      value = next
      offset += 1
    }
    guard offset > start, !isTooLarge, offset == start + 1 || bytes[start] != 0x30 else {
      offset = start
      throw malformed("a non-negative integer below \(limit == .max ? "2^63" : "\(limit)")", found)
    }
    return value
  }

  /// Moves past a value of any kind.
  mutating func skip() throws(InferenceError) {
    switch peek() {
    case UInt8(ascii: "{"):
      try open("{")
      if peek() != UInt8(ascii: "}") {
        while true {
          try skipString()
          try expect(":")
          try skip()
          guard peek() == UInt8(ascii: ",") else { break }
          offset += 1
        }
      }
      try close("}")
    case UInt8(ascii: "["): try array { (reader) throws(InferenceError) in try reader.skip() }
    case UInt8(ascii: "\""): try skipString()
    case UInt8(ascii: "t"): try word("true")
    case UInt8(ascii: "f"): try word("false")
    case UInt8(ascii: "n"): try word("null")
    default: _ = try number()
    }
  }

  private mutating func skipString() throws(InferenceError) {
    try expect("\"")
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += byte == UInt8(ascii: "\\") ? 2 : 1
      if byte == UInt8(ascii: "\"") { return }
    }
    offset = min(offset, bytes.count)
    throw malformed("the end of a string", ending)
  }

  /// Reads one of JSON's words: true, false, null.
  mutating func word(_ text: StaticString) throws(InferenceError) {
    _ = peek()
    let count = text.utf8CodeUnitCount
    guard offset + count <= bytes.count,
      UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
        .elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count))
    else { throw malformed("a value", found) }
    offset += count
  }

  /// What is found at the end of the text, for messages.
  private var ending: String { "the end of the " + (part.isEmpty ? "file" : part) }

  /// What is found at the cursor, for messages.
  var found: String {
    guard offset < bytes.count else { return ending }
    return InferenceError.excerpt(String(Unicode.Scalar(bytes[offset])))
  }

  /// The error that something else was expected at the cursor.
  func malformed(_ expected: String, _ found: String) -> InferenceError {
    .fileMalformed(
      path: path, place: (part.isEmpty ? "" : part + ", ") + "byte \(offset)", expected: expected, found: found)
  }
}
