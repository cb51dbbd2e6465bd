// What is done with every field of a file format of others: honoured, without effect here, or refused by name.
// Owns: the form of such a table, the check of a JSON object against it, and its rows as docs/formats.md prints them.
// Refuses: a field that the table refuses, unless its value asks for nothing, and, where the table says so, one that it
// lacks. Reading an object's fields is in FormatTable+Reading.swift.

/// The fields of one kind of file.
public struct FormatTable: Sendable {
  /// What is done with a field.
  public enum Use: String, Sendable {
    case honoured
    case withoutEffect = "without effect"
    case refused
  }

  /// What is done with a field that the table lacks.
  public enum Unknown: Sendable {
    case ignored
    /// It is refused where it asks for anything.
    case refused
    /// It is refused whatever its value is, as the reference does.
    case alwaysRefused
  }

  /// A field, by the path of its keys or column.
  public struct Field: Sendable {
    public let name: String
    public let use: Use
    /// What it does here, why it does nothing, or what is taken instead.
    public let note: String
    /// Values of a refused field that are taken besides null.
    let accepted: [JSONValue]
    /// Whether false and empty values of a refused field are taken, too, because they ask for nothing.
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

    /// A field that is refused where it asks for anything.
    public static func refused(_ name: String, _ note: String) -> Field {
      Field(name, .refused, note)
    }

    /// A field that is refused unless it has one of some values.
    public static func refused(_ name: String, unless accepted: [JSONValue], _ note: String) -> Field {
      Field(name, .refused, note, accepted: accepted)
    }

    /// A field that is refused unless it is a text of some.
    public static func refused(_ name: String, unless accepted: [String], _ note: String) -> Field {
      refused(name, unless: accepted.map { JSONValue.string($0) }, note)
    }

    /// A field that is refused unless it is null or one of some values, since false and empty ones ask for something.
    public static func refused(_ name: String, unlessExactly accepted: [JSONValue], _ note: String) -> Field {
      Field(name, .refused, note, accepted: accepted, takesEmpty: false)
    }

    /// A field that is refused unless it is true.
    public static func refused(unlessTrue name: String, _ note: String) -> Field {
      refused(name, unless: [.bool(true)], note)
    }

    /// Whether a value asks for nothing that is not done.
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

  /// The file, as a heading.
  public let title: String
  /// Whose fields they are, with the version.
  public let reference: String
  public let unknown: Unknown
  public let fields: [Field]
  private let byName: [String: Field]

  /// A later field of a name that is there already takes its place.
  public init(_ title: String, reference: String, unknown: Unknown, _ fields: [Field]) {
    (self.title, self.reference, self.unknown) = (title, reference, unknown)
    let byName = Dictionary(fields.map { ($0.name, $0) }) { _, later in later }
    var seen = Set<String>()
    self.fields = fields.compactMap { field in seen.insert(field.name).inserted ? byName[field.name] : nil }
    self.byName = byName
  }

  /// The field of that name.
  public subscript(name: String) -> Field? { byName[name] }

  /// Throws for the first field, by the alphabet, that asks for something that is not done.
  /// - Parameter prefix: what precedes the fields' names in messages, where the object is a part of the file.
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

  /// Checks a file that holds a JSON object; a file that is not there asks for nothing.
  /// - Throws: `InferenceError` naming file and field.
  /// - Parameter member: the object in it that is checked; the whole where it is nil.
  public func check(fileIfPresent path: String, member: String? = nil) throws(InferenceError) {
    guard MappedFile.exists(path) else { return }
    let members = try JSONValue.object(path: path)
    guard let member else { return try check(members, path: path) }
    guard case .object(let inner)? = members[member] else { return }
    try check(inner, path: path)
  }

  /// The table as Markdown, under a heading of its title.
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
