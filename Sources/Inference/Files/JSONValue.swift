// A JSON document as a value, for files whose keys differ from model to model.
// Refuses: text that is no JSON, a document longer than the caller allows, an object that has a key twice (which reader
// would win is not defined).

import Foundation

/// A JSON value.
enum JSONValue: Decodable, Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  /// Reads a file that holds an object.
  /// - Parameter limit: the largest size in bytes.
  /// - Throws: `InferenceError.fileUnreadable` or `.fileMalformed`.
  static func object(path: String, limit: Int) throws(InferenceError) -> [String: JSONValue] {
    let value: JSONValue = try decode(path: path, limit: limit)
    guard case .object(let members) = value else {
      throw .fileMalformed(path: path, place: "the beginning", expected: "a JSON object", found: value.kind)
    }
    return members
  }

  /// Decodes a file's document.
  /// - Throws: `InferenceError.fileUnreadable` or `.fileMalformed`.
  static func decode<Document: Decodable>(path: String, limit: Int) throws(InferenceError) -> Document {
    let file = try MappedFile(path: path)
    guard file.count <= limit else {
      throw .fileMalformed(path: path, place: "size", expected: "at most \(limit) bytes", found: "\(file.count)")
    }
    let data = file.contents()
    let document: Document
    do {
      document = try JSONDecoder().decode(Document.self, from: data)
    } catch {
      throw .fileMalformed(
        path: path, place: "JSON", expected: "an object of values",
        found: (error as? DecodingError)?.clause ?? "something else")
    }
    if let key = firstRepeatedKey(data) {
      throw .fileMalformed(
        path: path, place: "key \(InferenceError.excerpt(key))", expected: "each key once", found: "it twice")
    }
    return document
  }

  /// What the value is, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let text): "\"\(InferenceError.excerpt(text, limit: 40))\""
    case .array(let list): "a list of \(list.count)"
    case .object: "an object"
    }
  }

  /// The first key that an object of a valid document has twice. Keys are compared as they are written.
  private static func firstRepeatedKey(_ data: Data) -> String? {
    var open: [Set<ArraySlice<UInt8>>] = []
    let bytes = [UInt8](data)
    var index = 0
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "{"), UInt8(ascii: "["): open.append([])
      case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = open.popLast()
      case UInt8(ascii: "\""):
        let start = index + 1
        index = start
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
          index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        let text = bytes[min(start, bytes.count)..<min(index, bytes.count)]
        var next = index + 1
        while next < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[next]) { next += 1 }
        if next < bytes.count, bytes[next] == UInt8(ascii: ":"), !open.isEmpty,
          !open[open.count - 1].insert(text).inserted
        {
          return String(decoding: text, as: UTF8.self)
        }
      default: break
      }
      index += 1
    }
    return nil
  }
}
