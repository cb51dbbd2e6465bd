// The JSON header of a safetensors file, read and written by the format's own narrow rules: an object of {dtype, shape,
// data_offsets} and a __metadata__ of strings. A general JSON parser would hide what the format forbids: duplicate
// keys, fractions, other fields. Source: the safetensors README, "Format".

/// The entry of one tensor in a header.
struct SafetensorsEntry: Equatable {
  var name: String
  var type: SafetensorsType
  var shape: [Int]
  /// The offset in the data section, in bytes.
  var begin: Int
  var end: Int
}

/// The content of a header.
struct SafetensorsHeader {
  let entries: [SafetensorsEntry]
  let metadata: [String: String]

  /// Parses a header of valid UTF-8.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(InferenceError) {
    var reader = JSONReader(bytes, path: path, within: "header")
    guard String(validating: bytes, as: UTF8.self) != nil else { throw reader.malformed("UTF-8 text", "other bytes") }
    guard bytes.first == UInt8(ascii: "{") else { throw reader.malformed("{ as its first byte", reader.found) }
    var names: Set<String> = []
    var (read, texts): ([SafetensorsEntry], [String: String]) = ([], [:])
    try Self.object(&reader) { (reader, name) throws(InferenceError) in
      guard names.insert(name).inserted else {
        throw reader.malformed("each name once", "\(InferenceError.excerpt(name)) twice")
      }
      if name == "__metadata__" {
        texts = try Self.metadata(&reader)
      } else {
        read.append(try Self.entry(name, &reader))
      }
    }
    guard bytes[reader.offset...].allSatisfy({ $0 == UInt8(ascii: " ") }) else {
      throw reader.malformed("only spaces after the object", reader.found)
    }
    (entries, metadata) = (read, texts)
  }

  /// Reads an object, with each key as text.
  private static func object(
    _ reader: inout JSONReader, _ member: (inout JSONReader, String) throws(InferenceError) -> Void
  ) throws(InferenceError) {
    var text: [UInt8] = []
    try reader.object(&text) { (reader, text) throws(InferenceError) in
      try member(&reader, String(decoding: text, as: UTF8.self))
    }
  }

  private static func string(_ reader: inout JSONReader) throws(InferenceError) -> String {
    var text: [UInt8] = []
    try reader.string(into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  private static func integers(_ reader: inout JSONReader) throws(InferenceError) -> [Int] {
    var values: [Int] = []
    try reader.array { (reader) throws(InferenceError) in values.append(try reader.index(below: .max)) }
    return values
  }

  private static func metadata(_ reader: inout JSONReader) throws(InferenceError) -> [String: String] {
    var metadata: [String: String] = [:]
    try object(&reader) { (reader, key) throws(InferenceError) in
      guard metadata.updateValue(try string(&reader), forKey: key) == nil else {
        throw reader.malformed("each metadata key once", "\(InferenceError.excerpt(key)) twice")
      }
    }
    return metadata
  }

  private static func entry(_ name: String, _ reader: inout JSONReader) throws(InferenceError) -> SafetensorsEntry {
    var type: SafetensorsType?
    var shape: [Int]?
    var offsets: [Int]?
    try object(&reader) { (reader, field) throws(InferenceError) in
      switch field {
      case "dtype" where type == nil:
        let text = try string(&reader)
        type = SafetensorsType(rawValue: text)
        guard type != nil else {
          let supported = SafetensorsType.allCases.map(\.rawValue).joined(separator: ", ")
          throw .unsupported(
            path: reader.path, what: "the type of tensor \(InferenceError.excerpt(name)),",
            found: "\(InferenceError.excerpt(text, limit: 20)),", supported: supported)
        }
      case "shape" where shape == nil: shape = try integers(&reader)
      case "data_offsets" where offsets == nil: offsets = try integers(&reader)
      default:
        throw reader.malformed(
          "dtype, shape and data_offsets, once each",
          "\(InferenceError.excerpt(field)) in \(InferenceError.excerpt(name))")
      }
    }
    guard let type, let shape, let offsets, offsets.count == 2 else {
      throw reader.malformed("dtype, shape and two data_offsets", "less for \(InferenceError.excerpt(name))")
    }
    return SafetensorsEntry(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1])
  }
}

// MARK: writing
extension SafetensorsHeader {
  /// The header's text for these entries, without the length before it. Keys are sorted, and padding makes the data
  /// after it begin at a multiple of 8.
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
