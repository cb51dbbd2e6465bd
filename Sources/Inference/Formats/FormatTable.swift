// A table says what this program does with every field of a file format of others: a field is honoured, has no effect
// here, or is refused by name. A JSON object is checked against its table: a refused field is an error unless its value
// asks for nothing, and so is an unknown field if the table says so. docs/formats.md prints the tables;
// FormatTable+Reading.swift reads objects by them.

/// The fields of one kind of file.
public struct FormatTable: Sendable {
  /// What happens with a field.
  public enum Use: String, Sendable {
    case honoured
    case withoutEffect = "without effect"
    case refused
  }

  /// What happens with a field that the table lacks.
  public enum Unknown: Sendable {
    case ignored
    /// It is refused if it asks for something.
    case refused
    /// It is refused whatever its value, as in the reference.
    case alwaysRefused
  }

  /// A field, named by the path of its keys or by its column.
  public struct Field: Sendable {
    public let name: String
    public let use: Use
    /// What the field does here, why it has no effect, or which values are accepted instead.
    public let note: String
    /// The values of a refused field that are accepted besides null.
    let accepted: [JSONValue]
    /// Whether false and empty values of a refused field are accepted too, because they ask for nothing.
    let takesEmpty: Bool

    private init(_ name: String, _ use: Use, _ note: String, accepted: [JSONValue] = [], takesEmpty: Bool = true) {
      (self.name, self.use, self.note) = (name, use, note)
      (self.accepted, self.takesEmpty) = (accepted, takesEmpty)
    }

    /// A field that is read and obeyed.
    public static func honoured(_ name: String, _ note: String) -> Field {
      Field(name, .honoured, note)
    }

    /// A field that changes nothing here.
    public static func withoutEffect(_ name: String, _ note: String) -> Field {
      Field(name, .withoutEffect, note)
    }

    /// A field that is refused if it asks for something.
    public static func refused(_ name: String, _ note: String) -> Field {
      Field(name, .refused, note)
    }

    /// A field that is refused unless its value is one of these.
    public static func refused(_ name: String, unless accepted: [JSONValue], _ note: String) -> Field {
      Field(name, .refused, note, accepted: accepted)
    }

    /// A field that is refused unless its value is one of these texts.
    public static func refused(_ name: String, unless accepted: [String], _ note: String) -> Field {
      refused(name, unless: accepted.map { JSONValue.string($0) }, note)
    }

    /// A field that is refused unless it is null or one of these values; here false and empty values ask for something.
    public static func refused(_ name: String, unlessExactly accepted: [JSONValue], _ note: String) -> Field {
      Field(name, .refused, note, accepted: accepted, takesEmpty: false)
    }

    /// A field that is refused unless it is true.
    public static func refused(unlessTrue name: String, _ note: String) -> Field {
      refused(name, unless: [.bool(true)], note)
    }

    /// Whether this program does what a value asks for.
    public func accepts(_ value: JSONValue) -> Bool {
      if value == .null || accepted.contains(value) { return true }
      guard takesEmpty else { return false }
      switch value {
      case .null, .array([]): return true
      case .bool(false): return !accepted.contains(.bool(true))
      case .object(let members): return members.isEmpty
      case .string(let text): return text.isEmpty
      case .bool, .number, .array: return false
      }
    }
  }

  /// The file's name, as a heading.
  public let title: String
  /// The program or library that defines the fields, with its version.
  public let reference: String
  public let unknown: Unknown
  public let fields: [Field]
  private let byName: [String: Field]

  /// If two fields have the same name, the later one counts.
  public init(_ title: String, reference: String, unknown: Unknown, _ fields: [Field]) {
    (self.title, self.reference, self.unknown) = (title, reference, unknown)
    let byName = Dictionary(fields.map { ($0.name, $0) }) { _, later in later }
    var seen = Set<String>()
    self.fields = fields.compactMap { field in seen.insert(field.name).inserted ? byName[field.name] : nil }
    self.byName = byName
  }

  /// The field with a name.
  public subscript(name: String) -> Field? { byName[name] }

  /// Throws for the first field, in alphabetical order, that asks for something that this program does not do.
  /// - Parameter prefix: the text before field names in messages, if the object is a part of the file.
  func check(_ members: [String: JSONValue], path: String, prefix: String = "") throws(InferenceError) {
    for (name, value) in members.sorted(by: { $0.key < $1.key }) {
      guard let field = byName[name] else {
        switch unknown {
        case .ignored: continue
        case .refused where Field.refused(name, "").accepts(value): continue
        case .refused, .alwaysRefused:
          throw .unsupported(
            path: path, what: "the unknown field", found: prefix + InferenceError.excerpt(name),
            supported: "fields of \(reference)")
        }
      }
      guard field.use == .refused, !field.accepts(value) else { continue }
      throw .unsupported(path: path, what: prefix + name, found: value.kind, supported: field.note)
    }
  }

  /// Checks a file that holds a JSON object; a missing file is fine.
  /// - Throws: `InferenceError` naming file and field.
  /// - Parameter member: the object in the file that is checked; nil checks the whole file.
  public func check(fileIfPresent path: String, member: String? = nil) throws(InferenceError) {
    guard MappedFile.exists(path) else { return }
    let members = try JSONValue.object(path: path)
    guard let member else { return try check(members, path: path) }
    guard case .object(let inner)? = members[member] else { return }
    try check(inner, path: path)
  }

  /// The table as Markdown, under a heading with its title.
  public var markdown: String {
    let rows = fields.map { "| `\($0.name)` | \($0.use.rawValue) | \($0.note.replacing("|", with: "\\|")) |" }
    let others =
      switch unknown {
      case .ignored: "left alone"
      case .refused: "refused unless it is null, false or empty"
      case .alwaysRefused: "refused"
      }
    return """
      ### \(title)

      Fields of \(reference); any other is \(others).

      | field | | |
      |---|---|---|
      \(rows.joined(separator: "\n"))

      """
  }
}
