// The JSON header of a safetensors file, read and written by the format's own narrow grammar.
// A general JSON parser would hide what the format forbids: duplicate keys, fractions, other fields.
// Refuses: anything but an object of {dtype, shape, data_offsets} and a __metadata__ of strings.
// Source: the safetensors README, "Format".

/// One tensor's entry in a header.
struct SafetensorsEntry: Equatable {
  var name: String
  var type: SafetensorsType
  var shape: [Int]
  /// Bytes from the beginning of the data section.
  var begin: Int
  var end: Int
}

/// A parser over the header's bytes.
struct SafetensorsHeader {
  private(set) var entries: [SafetensorsEntry] = []
  private(set) var metadata: [String: String] = [:]

  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private var offset = 0

  /// Parses a header of valid UTF-8.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(InferenceError) {
    self.bytes = bytes
    self.path = path
    guard String(validating: bytes, as: UTF8.self) != nil else { throw malformed("UTF-8 text", "other bytes") }
    guard bytes.first == UInt8(ascii: "{") else { throw malformed("{ as its first byte", found) }
    var names: Set<String> = []
    try object { (header, name) throws(InferenceError) in
      guard names.insert(name).inserted else {
        throw header.malformed("each name once", "\(InferenceError.excerpt(name)) twice")
      }
      if name == "__metadata__" {
        try header.readMetadata()
      } else {
        try header.readEntry(name)
      }
    }
    while offset < bytes.count, bytes[offset] == UInt8(ascii: " ") { offset += 1 }
    guard offset == bytes.count else { throw malformed("only spaces after the object", found) }
  }

  private mutating func readMetadata() throws(InferenceError) {
    var metadata: [String: String] = [:]
    try object { (header, key) throws(InferenceError) in
      guard metadata.updateValue(try header.string(), forKey: key) == nil else {
        throw header.malformed("each metadata key once", "\(InferenceError.excerpt(key)) twice")
      }
    }
    self.metadata = metadata
  }

  private mutating func readEntry(_ name: String) throws(InferenceError) {
    var type: SafetensorsType?
    var shape: [Int]?
    var offsets: [Int]?
    let path = path
    try object { (header, field) throws(InferenceError) in
      switch field {
      case "dtype" where type == nil:
        let text = try header.string()
        type = SafetensorsType(rawValue: text)
        guard type != nil else {
          let supported = SafetensorsType.allCases.map(\.rawValue).joined(separator: ", ")
          throw .unsupported(
            path: path, what: "the type of tensor \(InferenceError.excerpt(name)),",
            found: "\(InferenceError.excerpt(text, limit: 20)),", supported: supported)
        }
      case "shape" where shape == nil: shape = try header.integers()
      case "data_offsets" where offsets == nil: offsets = try header.integers()
      default:
        throw header.malformed(
          "dtype, shape and data_offsets, once each",
          "\(InferenceError.excerpt(field)) in \(InferenceError.excerpt(name))")
      }
    }
    guard let type, let shape, let offsets, offsets.count == 2 else {
      throw malformed("dtype, shape and two data_offsets", "less for \(InferenceError.excerpt(name))")
    }
    entries.append(SafetensorsEntry(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1]))
  }
}

// The grammar. Whitespace is allowed where JSON allows it.
extension SafetensorsHeader {
  private mutating func skipSpace() {
    while offset < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(InferenceError) {
    guard accept(character) else { throw malformed("\(character)", found) }
  }

  private mutating func object(
    _ member: (inout SafetensorsHeader, String) throws(InferenceError) -> Void
  ) throws(InferenceError) {
    try expect("{")
    if accept("}") { return }
    repeat {
      let key = try string()
      try expect(":")
      try member(&self, key)
    } while accept(",")
    try expect("}")
  }

  private mutating func integers() throws(InferenceError) -> [Int] {
    try expect("[")
    var values: [Int] = []
    if accept("]") { return values }
    repeat { values.append(try integer()) } while accept(",")
    try expect("]")
    return values
  }

  /// A non-negative integer without sign, fraction, exponent or leading zeros.
  private mutating func integer() throws(InferenceError) -> Int {
    skipSpace()
    let start = offset
    var value = 0
    while offset < bytes.count, case let digit = bytes[offset], (0x30...0x39).contains(digit) {
      let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
      let (next, overflow) = tens.addingReportingOverflow(Int(digit - 0x30))
      guard !tooLarge, !overflow else { throw malformed("an integer below 2^63", "a larger one") }
      value = next
      offset += 1
    }
    guard offset > start, offset == start + 1 || bytes[start] != 0x30 else {
      throw malformed("a non-negative integer", found)
    }
    return value
  }

  private mutating func string() throws(InferenceError) -> String {
    try expect("\"")
    var text: [UInt8] = []
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): text.append(contentsOf: String(try escape()).utf8)
      case 0..<0x20: throw malformed("text", "a control character")
      default: text.append(byte)
      }
    }
    throw malformed("the end of a string", "the end of the header")
  }

  /// What follows a backslash.
  private mutating func escape() throws(InferenceError) -> Unicode.Scalar {
    guard offset < bytes.count else { throw malformed("an escape", "the end of the header") }
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
    guard offset + 4 <= bytes.count else { throw malformed("four hexadecimal digits", "the end of the header") }
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

  private var found: String {
    guard offset < bytes.count else { return "the end of the header" }
    return InferenceError.excerpt(String(Unicode.Scalar(bytes[offset])))
  }

  private func malformed(_ expected: String, _ found: String) -> InferenceError {
    .fileMalformed(path: path, place: "header, byte \(offset)", expected: expected, found: found)
  }
}

// Writing.
extension SafetensorsHeader {
  /// The header's text for these entries, without the length before it; keys sorted, padded so that the data that
  /// follows begins at a multiple of 8.
  static func text(_ entries: [SafetensorsEntry], metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    for entry in entries {
      let shape = entry.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(quoted(entry.name)):{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(entry.begin),\(entry.end)]}")
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    return text
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
