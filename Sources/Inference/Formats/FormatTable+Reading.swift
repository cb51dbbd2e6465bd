// Reads a JSON object by its table: first the check, then each field by its type, with errors that name file and place.
// A reader must not look up a field that the table lacks or lists as without effect; that is a mistake in this program.

extension FormatTable {
  /// Whether a reader may look up a field: one that is honoured, or of which some values are accepted.
  package func isRead(_ name: String) -> Bool { self[name].map { $0.use != .withoutEffect } ?? false }

  /// Checks an object and returns its fields.
  /// - Parameters:
  ///   - value: an object, or null for one without fields.
  ///   - place: the name of the object within the file, for messages; empty for the file itself.
  package func read(_ value: JSONValue, path: String, place: String = "") throws(InferenceError) -> FieldReader {
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
package struct FieldReader {
  fileprivate let table: FormatTable
  fileprivate let members: [String: JSONValue]
  package let path: String
  fileprivate let prefix: String

  /// The value of a field that the table honours, or accepts; null if the object lacks it.
  package subscript(name: String) -> JSONValue {
    precondition(table.isRead(name), "\(name) of \(table.title) is read and has to be honoured")
    return members[name] ?? .null
  }

  /// The names of all fields of the file, or of an object in it, in the order of the file.
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

  /// The value of a field, even if the table does not know it; nil if the object lacks it.
  package func member(_ name: String) -> JSONValue? { members[name] }

  /// The value of a field that must be true or false; nil if the object lacks it.
  package func flag(_ name: String) throws(InferenceError) -> Bool? {
    try typed(name, "true or false", \.bool)
  }

  /// The value of a field that must be a text; nil if the object lacks it.
  package func text(_ name: String) throws(InferenceError) -> String? { try typed(name, "a text", \.string) }

  /// The first of several fields that the object has; each of them must be a text.
  package func text(firstOf names: String...) throws(InferenceError) -> String? {
    for name in names { if let found = try text(name) { return found } }
    return nil
  }

  /// The value of a field that must be a list; nil if the object lacks it.
  package func list(_ name: String) throws(InferenceError) -> [JSONValue]? { try typed(name, "a list", \.array) }

  /// The value of a field that must be a whole number in a range; nil if the object lacks it.
  package func integer(_ name: String, in range: ClosedRange<Int> = 0...Int.max) throws(InferenceError) -> Int? {
    try typed(name, range.upperBound == .max ? "a whole number from \(range.lowerBound)" : "a whole number in \(range)")
    {
      $0.integer.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// The value of a field that must be a number; nil if the object lacks it.
  package func number(_ name: String) throws(InferenceError) -> Double? {
    try typed(name, "a number") {
      guard case .number(let value) = $0, value.isFinite else { return nil }
      return value
    }
  }

  private func typed<T>(
    _ name: String, _ expected: String, _ get: (JSONValue) -> T?
  ) throws(InferenceError) -> T? {
    let value = self[name]
    guard value != .null else { return nil }
    guard let result = get(value) else { throw wrong(name, expected) }
    return result
  }

  /// The error that a field should be something else.
  package func wrong(_ name: String, _ expected: String) -> InferenceError {
    .fileMalformed(path: path, place: prefix + name, expected: expected, found: self[name].summary)
  }
}
