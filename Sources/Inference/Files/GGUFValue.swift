// The values of GGUF metadata. Arrays stay in the mapped file and are decoded on request: opening a vocabulary of
// 256,000 strings takes one pass over their lengths. Arrays of arrays, which no known model has, are refused.

/// A metadata value.
enum GGUFValue: Sendable {
  case integer(Int64)
  /// An unsigned 64-bit value beyond `Int64.max`.
  case largeInteger(UInt64)
  case float(Double)
  case bool(Bool)
  case string(String)
  case strings(GGUFStrings)
  case numbers(GGUFNumbers)

  /// A description of the value, for messages.
  var kind: String {
    switch self {
    case .integer, .largeInteger: "an integer"
    case .float: "a number"
    case .bool: "a boolean"
    case .string: "a string"
    case .strings(let list): "an array of \(list.count) strings"
    case .numbers(let list): "an array of \(list.count) \(list.type)"
    }
  }
}

/// The types of metadata values with their numbers in the file.
enum GGUFValueType: UInt32 {
  case uint8 = 0
  case int8 = 1
  case uint16 = 2
  case int16 = 3
  case uint32 = 4
  case int32 = 5
  case float32 = 6
  case bool = 7
  case string = 8
  case array = 9
  case uint64 = 10
  case int64 = 11
  case float64 = 12

  /// The bytes of an element; `nil` for strings and arrays.
  var size: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }
}

/// An array of strings inside a mapped GGUF file.
struct GGUFStrings: RandomAccessCollection, Sendable {
  let file: MappedFile
  /// Where the bytes of each string begin in the file; the string's 64-bit length comes right before them.
  let starts: [Int]

  var startIndex: Int { 0 }
  var endIndex: Int { starts.count }

  /// The string at `index`; malformed UTF-8 is repaired with U+FFFD.
  subscript(index: Int) -> String {
    withExtendedLifetime(file) { String(decoding: bytes(index), as: UTF8.self) }
  }

  /// The bytes of the string at `index`, in the file; hold `file` while you use them.
  func bytes(_ index: Int) -> UnsafeRawBufferPointer {
    let start = starts[index]
    // The length was checked when the file was opened. If the file was overwritten since, reads stay inside it.
    let stored = Int(clamping: file.bytes.loadUnaligned(fromByteOffset: start - 8, as: UInt64.self))
    let length = Swift.min(stored, file.count - start)
    return UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + length])
  }
}

/// An array of numbers or booleans inside a mapped GGUF file.
struct GGUFNumbers: Sendable {
  let file: MappedFile
  let type: GGUFValueType
  let range: Range<Int>

  /// The number of elements.
  var count: Int { range.count / (type.size ?? 1) }

  /// The elements as integers; `nil` if they are floats, or one does not fit.
  func integers() -> [Int]? {
    switch type {
    case .uint8: return map(UInt8.self) { Int(exactly: $0) }
    case .int8: return map(Int8.self) { Int(exactly: $0) }
    case .uint16: return map(UInt16.self) { Int(exactly: $0) }
    case .int16: return map(Int16.self) { Int(exactly: $0) }
    case .uint32: return map(UInt32.self) { Int(exactly: $0) }
    case .int32: return map(Int32.self) { Int(exactly: $0) }
    case .uint64: return map(UInt64.self) { Int(exactly: $0) }
    case .int64: return map(Int64.self) { Int(exactly: $0) }
    case .bool, .float32, .float64, .string, .array: return nil
    }
  }

  /// The elements as fp32; `nil` if they are not floats.
  func floats() -> [Float]? {
    switch type {
    case .float32: map(UInt32.self) { Float(bitPattern: $0) }
    case .float64: map(UInt64.self) { Float(Double(bitPattern: $0)) }
    default: nil
    }
  }

  /// The elements as booleans; `nil` if they are not booleans.
  func bools() -> [Bool]? {
    type == .bool ? map(UInt8.self) { $0 != 0 } : nil
  }

  private func map<Raw: FixedWidthInteger & BitwiseCopyable, Result>(
    _ raw: Raw.Type, _ convert: (Raw) -> Result?
  ) -> [Result]? {
    defer { withExtendedLifetime(file) {} }
    var result: [Result] = []
    result.reserveCapacity(count)
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: MemoryLayout<Raw>.size) {
      guard let value = convert(Raw(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: Raw.self)))
      else { return nil }
      result.append(value)
    }
    return result
  }
}
