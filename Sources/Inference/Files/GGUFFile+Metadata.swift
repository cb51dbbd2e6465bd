// GGUF metadata: parsing the key–value pairs, and getters whose errors name a key that is missing or has another type.

extension GGUFFile {
  /// Whether the metadata contains the key.
  public func contains(_ key: String) -> Bool { metadata[key] != nil }

  /// All keys, sorted.
  public var keys: [String] { metadata.keys.sorted() }

  /// The value of a key that holds a string.
  /// - Throws: `InferenceError.keyMissing` or `.typeMismatch`; all getters below throw the same errors.
  public func string(_ key: String) throws(InferenceError) -> String {
    guard case .string(let text) = try need(key) else { throw mistyped(key, "a string") }
    return text
  }

  /// The value of a key that holds an integer of any width.
  public func int(_ key: String) throws(InferenceError) -> Int {
    guard case .integer(let value) = try need(key) else { throw mistyped(key, "an integer") }
    return Int(value)
  }

  /// The value of a key that holds a number; integers are converted.
  func float(_ key: String) throws(InferenceError) -> Double {
    switch try need(key) {
    case .float(let value): return value
    case .integer(let value): return Double(value)
    default: throw mistyped(key, "a number")
    }
  }

  /// The value of a key that holds a boolean.
  public func bool(_ key: String) throws(InferenceError) -> Bool {
    guard case .bool(let value) = try need(key) else { throw mistyped(key, "a boolean") }
    return value
  }

  /// The value of a key that holds an array of strings, which stay in the file.
  func strings(_ key: String) throws(InferenceError) -> GGUFStrings {
    guard case .strings(let list) = try need(key) else { throw mistyped(key, "an array of strings") }
    return list
  }

  /// The value of a key that holds an array of integers.
  public func ints(_ key: String) throws(InferenceError) -> [Int] {
    guard case .numbers(let list) = try need(key), let values = list.integers() else {
      throw mistyped(key, "an array of integers")
    }
    return values
  }

  /// The value of a key that holds an array of floats.
  public func floats(_ key: String) throws(InferenceError) -> [Float] {
    guard case .numbers(let list) = try need(key), let values = list.floats() else {
      throw mistyped(key, "an array of floats")
    }
    return values
  }

  /// The value of a key that holds an array of booleans.
  func bools(_ key: String) throws(InferenceError) -> [Bool] {
    guard case .numbers(let list) = try need(key), let values = list.bools() else {
      throw mistyped(key, "an array of booleans")
    }
    return values
  }

  private func need(_ key: String) throws(InferenceError) -> GGUFValue {
    guard let value = metadata[key] else { throw .keyMissing(path: path, key: key) }
    return value
  }

  private func mistyped(_ key: String, _ expected: String) -> InferenceError {
    .typeMismatch(path: path, key: key, expected: expected, found: metadata[key]?.kind ?? "missing")
  }
}

extension GGUFFile {
  /// Reads the key–value pairs, which follow the head of the file.
  static func readMetadata(
    _ reader: inout ByteReader, count: Int, file: MappedFile
  ) throws(InferenceError) -> [String: GGUFValue] {
    var metadata: [String: GGUFValue] = [:]
    metadata.reserveCapacity(count)
    for index in 0..<count {
      let key = try reader.readString(limit: 65_535, "metadata key \(index)")
      let place = "metadata \(InferenceError.excerpt(key))"
      let type = try readType(&reader, place)
      let value = try readValue(&reader, type, place, file: file)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw .fileMalformed(path: file.path, place: place, expected: "each key once", found: "it twice")
      }
    }
    return metadata
  }

  private static func readType(_ reader: inout ByteReader, _ place: String) throws(InferenceError) -> GGUFValueType {
    let number = try reader.read(UInt32.self, place)
    guard let type = GGUFValueType(rawValue: number) else {
      throw .fileMalformed(path: reader.path, place: place, expected: "a value type from 0 to 12", found: "\(number)")
    }
    return type
  }

  private static func readValue(
    _ reader: inout ByteReader, _ type: GGUFValueType, _ place: String, file: MappedFile
  ) throws(InferenceError) -> GGUFValue {
    switch type {
    case .uint8: return .integer(Int64(try reader.read(UInt8.self, place)))
    case .int8: return .integer(Int64(try reader.read(Int8.self, place)))
    case .uint16: return .integer(Int64(try reader.read(UInt16.self, place)))
    case .int16: return .integer(Int64(try reader.read(Int16.self, place)))
    case .uint32: return .integer(Int64(try reader.read(UInt32.self, place)))
    case .int32: return .integer(Int64(try reader.read(Int32.self, place)))
    case .int64: return .integer(try reader.read(Int64.self, place))
    case .uint64:
      let value = try reader.read(UInt64.self, place)
      return Int64(exactly: value).map(GGUFValue.integer) ?? .largeInteger(value)
    case .float32: return .float(Double(Float(bitPattern: try reader.read(UInt32.self, place))))
    case .float64: return .float(Double(bitPattern: try reader.read(UInt64.self, place)))
    case .bool:
      let byte = try reader.read(UInt8.self, place)
      guard byte <= 1 else {
        throw .fileMalformed(path: reader.path, place: place, expected: "0 or 1", found: "\(byte)")
      }
      return .bool(byte == 1)
    case .string: return .string(try reader.readString(place))
    case .array: return try readArray(&reader, place, file: file)
    }
  }

  private static func readArray(
    _ reader: inout ByteReader, _ place: String, file: MappedFile
  ) throws(InferenceError) -> GGUFValue {
    let type = try readType(&reader, place)
    if let size = type.size {
      let count = try reader.readCount(itemSize: size, place)
      return .numbers(GGUFNumbers(file: file, type: type, range: try reader.take(count * size, place)))
    }
    guard type == .string else {
      throw .unsupported(
        path: reader.path, what: place, found: "as an array of arrays", supported: "arrays of numbers and strings")
    }
    let count = try reader.readCount(itemSize: 8, place)
    var starts: [Int] = []
    starts.reserveCapacity(count)
    for _ in 0..<count {
      let length = try reader.readCount(itemSize: 1, place)
      starts.append(try reader.take(length, place).lowerBound)
    }
    return .strings(GGUFStrings(file: file, starts: starts))
  }
}
