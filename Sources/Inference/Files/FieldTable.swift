// What each field of a file of others means here, as data: a reader may read only what its table calls honoured, and
// docs/formats.md is written from the same table. Owns: the check of a file's fields against a table.
// Refuses: fields and values that the table refuses, naming file and field.

/// The fields of one kind of object in a file format.
struct FieldTable: Sendable {
  /// What happens to a field.
  enum Use: Sendable {
    /// It is read; what it does.
    case honoured(String)
    /// It changes nothing here; why.
    case withoutEffect(String)
    /// Only these values, or null, or no such field, are accepted; why.
    case refused(unless: [JSONValue], String)
  }

  /// The object, as a heading names it: `tokenizer.json, model (BPE)`.
  let object: String
  let fields: [(name: String, use: Use)]
  /// Whether a field that the table lacks is an error, as it is for the reference; else it has no effect there either.
  var refusesOthers = false

  /// What happens to a field; nil where the table lacks it.
  func use(_ name: String) -> Use? { fields.first { $0.name.utf8.elementsEqual(name.utf8) }?.use }

  /// Checks an object against the table.
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
    for (name, value) in members.sorted(by: { $0.key < $1.key }) {
      switch use(name) {
      case .honoured, .withoutEffect: break
      case .refused(unless: let accepted, let why):
        guard value == .null || accepted.contains(value) else {
          let harmless = accepted.isEmpty ? "" : accepted.map(\.summary).joined(separator: ", ") + " or "
          throw .unsupported(
            path: path, what: prefix + InferenceError.excerpt(name), found: value.summary,
            supported: "\(harmless)no such field, because \(why)")
        }
      case nil:
        guard !refusesOthers else {
          throw .unsupported(
            path: path, what: "the field \(prefix)\(InferenceError.excerpt(name))", found: value.summary,
            supported: fields.map(\.name).joined(separator: ", "))
        }
      }
    }
    return FieldReader(table: self, members: members, path: path, prefix: prefix)
  }

  /// The table as docs/formats.md has it.
  var markdown: String {
    var lines = ["### \(object)", "", "| field | here |", "|---|---|"]
    for (name, use) in fields {
      let text: String
      switch use {
      case .honoured(let what): text = "honoured: \(what)"
      case .withoutEffect(let why): text = "without effect: \(why)"
      case .refused(unless: let accepted, let why):
        let values = accepted.map { "`\($0.text)`" }.joined(separator: ", ")
        text = "refused\(values.isEmpty ? "" : ", except \(values)"): \(why)"
      }
      lines.append("| `\(name)` | \(text.replacing("|", with: "\\|")) |")
    }
    lines += [
      "", refusesOthers ? "Any other field is refused." : "Any other field is without effect, there as here.", "",
    ]
    return lines.joined(separator: "\n")
  }
}

/// The fields of an object that a table has accepted.
struct FieldReader {
  fileprivate let table: FieldTable
  fileprivate let members: [String: JSONValue]
  let path: String
  fileprivate let prefix: String

  /// The value of a field that the table calls honoured, or accepts; null where there is none.
  subscript(name: String) -> JSONValue {
    switch table.use(name) {
    case .honoured, .refused: return members[name] ?? .null
    case .withoutEffect, nil: preconditionFailure("\(name) of \(table.object) is read and has to be honoured")
    }
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
