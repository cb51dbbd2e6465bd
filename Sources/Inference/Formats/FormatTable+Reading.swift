// Reading a JSON object by its table. Owns: the object's fields after the check, each by its type, and what is wrong with
// one of them in the words of file and place.
// Refuses: what the table refuses and a field of another type. That a reader looks up a field which the table calls
// without effect, or lacks, is a mistake of this program.

extension FormatTable {
  /// Whether a reader may look up a field: one that is honoured, or of which some values are taken.
  func isRead(_ name: String) -> Bool { self[name].map { $0.use != .withoutEffect } ?? false }

  /// Checks an object and gives its fields.
  /// - Parameters:
  ///   - value: an object, or null for one without fields.
  ///   - place: names the object within the file, for messages; empty for the file itself.
  func read(_ value: JSONValue, path: String, place: String = "") throws(InferenceError) -> FieldReader {
    let members: [String: JSONValue]
    switch value {
    case .null: members = [:]
    case .object(let object): members = object
    default:
      throw .fileMalformed(
        path: path, place: place.isEmpty ? "the beginning" : place, expected: "an object", found: value.kind)
    }
    let prefix = place.isEmpty ? "" : place + "."
    try check(members, path: path, prefix: prefix)
    return FieldReader(table: self, members: members, path: path, prefix: prefix)
  }
}

/// The fields of an object that a table has accepted.
struct FieldReader {
  fileprivate let table: FormatTable
  fileprivate let members: [String: JSONValue]
  let path: String
  fileprivate let prefix: String

  /// The value of a field that the table calls honoured, or accepts; null where there is none.
  subscript(name: String) -> JSONValue {
    precondition(table.isRead(name), "\(name) of \(table.title) is read and has to be honoured")
    return members[name] ?? .null
  }

  /// The names of all fields of the file, or of those of an object in it, in the file's order.
  func names(at field: String?) throws(InferenceError) -> [String] {
    guard !members.isEmpty else { return [] }
    let file = try MappedFile(path: path)
    return try file.checking { () throws(InferenceError) in
      var reader = JSONReader(file.bytes, path: path)
      var (names, text): ([String], [UInt8]) = ([], [])
      try reader.object(&text) { (reader, text) throws(InferenceError) in
        let name = String(decoding: text, as: UTF8.self)
        guard let field else { names.append(name); return try reader.skip() }
        guard name == field, reader.peek() == UInt8(ascii: "{") else { return try reader.skip() }
        var inner: [UInt8] = []
        try reader.object(&inner) { (reader, inner) throws(InferenceError) in
          names.append(String(decoding: inner, as: UTF8.self))
          try reader.skip()
        }
      }
      return names
    }
  }

  /// The value of a field whether the table knows it or not; nil where there is none.
  func member(_ name: String) -> JSONValue? { members[name] }

  /// True or false; nil where there is none.
  func flag(_ name: String) throws(InferenceError) -> Bool? {
    try typed(name, "true or false", \.bool)
  }

  /// A text; nil where there is none.
  func text(_ name: String) throws(InferenceError) -> String? { try typed(name, "a text", \.string) }

  /// A list; nil where there is none.
  func list(_ name: String) throws(InferenceError) -> [JSONValue]? { try typed(name, "a list", \.array) }

  private func typed<T>(
    _ name: String, _ expected: String, _ get: (JSONValue) -> T?
  ) throws(InferenceError) -> T? {
    let value = self[name]
    guard value != .null else { return nil }
    guard let result = get(value) else { throw wrong(name, expected) }
    return result
  }

  /// The error of a field that should be something else.
  func wrong(_ name: String, _ expected: String) -> InferenceError {
    .fileMalformed(path: path, place: prefix + name, expected: expected, found: self[name].summary)
  }
}
