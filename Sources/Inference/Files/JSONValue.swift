// JSON as a value, for small files and parts of files whose keys differ from model to model. An object that has a key
// twice is an error, because readers differ in which value they take.

/// A JSON value.
public enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// The largest file that is read; the larger files of this kind have a few megabytes.
  static let sizeLimit = 64 << 20

  /// Reads the next value. An object that has a key twice is an error.
  init(_ reader: inout JSONReader) throws(InferenceError) {
    switch reader.peek() {
    case UInt8(ascii: "{"):
      var members: [String: JSONValue] = [:]
      var text: [UInt8] = []
      try reader.object(&text) { (reader, text) throws(InferenceError) in
        let key = String(decoding: text, as: UTF8.self)
        guard members.updateValue(try JSONValue(&reader), forKey: key) == nil else {
          throw reader.malformed("each key once", "\(InferenceError.excerpt(key)) twice")
        }
      }
      self = .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      try reader.array { (reader) throws(InferenceError) in elements.append(try JSONValue(&reader)) }
      self = .array(elements)
    case UInt8(ascii: "\""):
      var text: [UInt8] = []
      try reader.string(into: &text)
      self = .string(String(decoding: text, as: UTF8.self))
    case UInt8(ascii: "t"):
      try reader.word("true")
      self = .bool(true)
    case UInt8(ascii: "f"):
      try reader.word("false")
      self = .bool(false)
    case UInt8(ascii: "n"):
      try reader.word("null")
      self = .null
    default: self = .number(try reader.number())
    }
  }

  /// Reads a whole file.
  package init(path: String) throws(InferenceError) { try self.init(file: MappedFile(path: path)) }

  init(file: MappedFile) throws(InferenceError) {
    let path = file.path
    guard file.count <= Self.sizeLimit else {
      throw .fileMalformed(path: path, place: "size", expected: "at most 64 MB", found: "\(file.count) bytes")
    }
    self = try file.checking { () throws(InferenceError) in
      var reader = JSONReader(file.bytes, path: path)
      let value = try JSONValue(&reader)
      try reader.end()
      return value
    }
  }

  /// Reads a file whose content must be an object.
  /// - Throws: `InferenceError.fileUnreadable` or `.fileMalformed`.
  package static func object(path: String) throws(InferenceError) -> [String: JSONValue] {
    try object(file: MappedFile(path: path))
  }

  static func object(file: MappedFile) throws(InferenceError) -> [String: JSONValue] {
    let value = try JSONValue(file: file)
    guard case .object(let members) = value else {
      throw .fileMalformed(path: file.path, place: "the beginning", expected: "a JSON object", found: value.kind)
    }
    return members
  }

  /// A member of an object; null if it does not exist.
  package subscript(key: String) -> JSONValue {
    guard case .object(let members) = self else { return .null }
    return members[key] ?? .null
  }

  package var string: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  package var bool: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }

  package var integer: Int? {
    guard case .number(let value) = self else { return nil }
    return Int(exactly: value)
  }

  package var array: [JSONValue]? {
    guard case .array(let elements) = self else { return nil }
    return elements
  }

  /// The value of "type", by which the parts of tokenizer.json are told apart.
  var type: String? { self["type"].string }

  /// The value in a few words, for a message.
  var summary: String { InferenceError.excerpt(text, limit: 160) }

  /// The kind of the value, for messages.
  var kind: String {
    switch self {
    case .array(let list): "a list of \(list.count)"
    case .object: "an object"
    default: InferenceError.excerpt(text, limit: 40)
    }
  }

  /// The value as JSON with sorted members.
  var text: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return "\(value)"
    case .number(let value): return Int(exactly: value).map { "\($0)" } ?? "\(value)"
    case .string(let text): return "\"\(text)\""
    case .array(let elements): return "[" + elements.map(\.text).joined(separator: ", ") + "]"
    case .object(let members):
      // "type" comes first, because it says most.
      let sorted = members.sorted { ($0.key == "type" ? "" : $0.key) < ($1.key == "type" ? "" : $1.key) }
      return "{" + sorted.map { "\($0.key): \($0.value.text)" }.joined(separator: ", ") + "}"
    }
  }

  /// Whether the value, or one inside it, has that "type".
  func holds(type: String) -> Bool {
    switch self {
    case .array(let elements): elements.contains { $0.holds(type: type) }
    case .object(let members): self.type == type || members.values.contains { $0.holds(type: type) }
    default: false
    }
  }
}

extension JSONValue: Decodable {
  /// Decodes a value; if an object has a key twice, one of the two values stays.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let elements = try? container.decode([JSONValue].self) {
      self = .array(elements)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }
}

extension JSONValue: Encodable {
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let text): try container.encode(text)
    case .array(let elements): try container.encode(elements)
    case .object(let members): try container.encode(members)
    }
  }
}
