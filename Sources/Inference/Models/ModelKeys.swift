// A model's configuration under the keys of either format: GGUF metadata or config.json. Errors name the key of the
// file that is missing, has another type or is out of range. A JSON null is no value; a missing key takes the
// reference's default.

/// The keys that describe a model.
struct ModelKeys {
  enum Source {
    /// Metadata of a GGUF file, whose keys begin with the architecture.
    case gguf(GGUFFile, architecture: String)
    /// An object of config.json, with the values to use for missing keys.
    case json([String: JSONValue], defaults: [String: Double])
  }

  let path: String
  let source: Source
  /// What happens with each key; it must contain every key that is looked up.
  let table: FormatTable

  var isGGUF: Bool { if case .gguf = source { true } else { false } }

  /// A number that may be missing. A format for which no key is given does not have it.
  func number(
    gguf: String? = nil, json: String? = nil, in range: ClosedRange<Double>
  ) throws(InferenceError) -> Double? {
    let (key, found): (String, Double?)
    switch source {
    case .gguf(let file, let architecture):
      guard let gguf else { return nil }
      assertKnown(gguf)
      key = "\(architecture).\(gguf)"
      found = file.contains(key) ? try file.float(key) : nil
    case .json(let members, let defaults):
      guard let json else { return nil }
      assertKnown(json)
      key = json
      found = members[json] == nil ? defaults[json] : try number(members[json], key: key)
    }
    guard let value = found else { return nil }
    try check(value, key: key, in: range)
    return value
  }

  /// A number that is required.
  func neededNumber(gguf: String, json: String, in range: ClosedRange<Double>) throws(InferenceError) -> Double {
    guard let value = try number(gguf: gguf, json: json, in: range) else { throw missing(gguf: gguf, json: json) }
    return value
  }

  /// An integer that may be missing.
  func int(gguf: String? = nil, json: String? = nil, in range: ClosedRange<Int>) throws(InferenceError) -> Int? {
    let bounds = Double(range.lowerBound)...Double(range.upperBound)
    guard let value = try number(gguf: gguf, json: json, in: bounds) else { return nil }
    guard let whole = Int(exactly: value) else {
      throw outside(name(gguf: gguf ?? "", json: json ?? ""), expected: "an integer", found: "\(value)")
    }
    return whole
  }

  /// An integer that is required.
  func neededInt(gguf: String, json: String, in range: ClosedRange<Int>) throws(InferenceError) -> Int {
    guard let value = try int(gguf: gguf, json: json, in: range) else { throw missing(gguf: gguf, json: json) }
    return value
  }

  /// A value of config.json; nil if it is missing or null, and for GGUF.
  func json(_ key: String) -> JSONValue? {
    guard case .json(let members, _) = source else { return nil }
    assertKnown(key)
    return members[key].flatMap { $0 == .null ? nil : $0 }
  }

  /// Whether config.json has null here, which differs from a missing key.
  func isNull(_ key: String) -> Bool {
    if case .json(let members, _) = source { members[key] == .null } else { false }
  }

  /// A switch of config.json, which is off if it is missing.
  func isOn(_ key: String) throws(InferenceError) -> Bool {
    switch json(key) {
    case nil: return false
    case .bool(let value)?: return value
    case let other?: throw outside(key, expected: "true or false", found: other.kind)
    }
  }

  /// A text of config.json.
  func text(_ key: String) throws(InferenceError) -> String? {
    switch json(key) {
    case nil: return nil
    case .string(let value)?: return value
    case let other?: throw outside(key, expected: "a string", found: other.kind)
    }
  }

  /// An object of config.json, whose numbers are read like those of the document.
  func nested(_ key: String, _ table: FormatTable) throws(InferenceError) -> ModelKeys? {
    switch json(key) {
    case nil: return nil
    case .object(let members)?: return ModelKeys(path: path, source: .json(members, defaults: [:]), table: table)
    case let other?: throw outside(key, expected: "an object", found: other.kind)
    }
  }

  /// Throws for a key that the table refuses.
  func check() throws(InferenceError) {
    switch source {
    case .gguf(let file, let architecture): try table.check(file, architecture: architecture)
    case .json(let members, _): try table.check(members, path: path)
    }
  }

  private func assertKnown(_ key: String) {
    assert(table.isRead(key), "\(table.title) has no row for \(key)")
  }

  /// The full name of a key in the present format.
  func name(gguf: String, json: String) -> String {
    switch source {
    case .gguf(_, let architecture): "\(architecture).\(gguf)"
    case .json: json
    }
  }

  func missing(gguf: String, json: String) -> InferenceError {
    .keyMissing(path: path, key: name(gguf: gguf, json: json))
  }

  func outside(_ key: String, expected: String, found: String) -> InferenceError {
    .typeMismatch(path: path, key: key, expected: expected, found: found)
  }

  private func number(_ value: JSONValue?, key: String) throws(InferenceError) -> Double? {
    switch value {
    case nil, .null?: return nil
    case .number(let number)?: return number
    case let other?: throw outside(key, expected: "a number", found: other.kind)
    }
  }

  private func check(_ value: Double, key: String, in range: ClosedRange<Double>) throws(InferenceError) {
    guard range.contains(value) else {
      func short(_ bound: Double) -> String { Int(exactly: bound).map { "\($0)" } ?? "\(bound)" }
      throw outside(key, expected: "\(short(range.lowerBound))…\(short(range.upperBound))", found: short(value))
    }
  }
}
