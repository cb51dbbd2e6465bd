// Builds small GGUF files byte by byte, right ones and wrong ones.

public struct GGUFBuilder {
  public enum Value {
    case uint32(UInt32)
    case float32(Float)
    case bool(Bool)
    case string(String)
    case strings([String])
    case int32s([Int32])
    case float32s([Float])
    /// Any bytes after any type number.
    case raw(UInt32, [UInt8])
  }

  public struct Tensor {
    public var name: String
    public var dimensions: [UInt64]
    public var type: UInt32
    public var offset: UInt64

    public init(name: String, dimensions: [UInt64], type: UInt32, offset: UInt64) {
      (self.name, self.dimensions, self.type, self.offset) = (name, dimensions, type, offset)
    }
  }

  public var magic: UInt32 = 0x4655_4747
  public var version: UInt32 = 3
  public var tensorCount: UInt64?
  public var keyCount: UInt64?
  public var metadata: [(String, Value)] = []
  public var tensors: [Tensor] = []
  public var data: [UInt8] = []
  public var alignment = 32

  public init() {}

  /// Two tensors, every kind of metadata.
  public static var small: GGUFBuilder {
    var builder = GGUFBuilder()
    builder.metadata = [
      ("general.architecture", .string("llama")), ("a.count", .uint32(7)), ("a.rate", .float32(0.5)),
      ("a.flag", .bool(true)), ("a.words", .strings(["Ġt", "", "höher"])), ("a.types", .int32s([1, -2, 3])),
      ("a.scores", .float32s([0.25, -1])), ("a.wide", .raw(10, Self.bytes(UInt64.max))),
    ]
    builder.tensors = [
      Tensor(name: "vector", dimensions: [3], type: 0, offset: 0),
      Tensor(name: "matrix", dimensions: [32, 2], type: 3, offset: 32),
    ]
    builder.data = Self.bytes(Float(1)) + Self.bytes(Float(2)) + Self.bytes(Float(3)) + [UInt8](repeating: 0, count: 20)
    builder.data += (0..<40).map { UInt8($0) }
    return builder
  }

  public static func bytes<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
  public static func bytes(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

  /// The bytes before the data section, padded.
  public var header: [UInt8] {
    var out = Self.bytes(magic) + Self.bytes(version)
    out += Self.bytes(tensorCount ?? UInt64(tensors.count)) + Self.bytes(keyCount ?? UInt64(metadata.count))
    for (key, value) in metadata { out += Self.bytes(key) + Self.encode(value) }
    for tensor in tensors {
      out += Self.bytes(tensor.name) + Self.bytes(UInt32(tensor.dimensions.count))
      for dimension in tensor.dimensions { out += Self.bytes(dimension) }
      out += Self.bytes(tensor.type) + Self.bytes(tensor.offset)
    }
    while !tensors.isEmpty, out.count % alignment != 0 { out.append(0) }
    return out
  }

  public var file: [UInt8] { header + data }

  private static func encode(_ value: Value) -> [UInt8] {
    switch value {
    case .uint32(let value): bytes(UInt32(4)) + bytes(value)
    case .float32(let value): bytes(UInt32(6)) + bytes(value)
    case .bool(let value): bytes(UInt32(7)) + [value ? 1 : 0]
    case .string(let value): bytes(UInt32(8)) + bytes(value)
    case .strings(let list):
      bytes(UInt32(9)) + bytes(UInt32(8)) + bytes(UInt64(list.count)) + list.flatMap { bytes($0) }
    case .int32s(let list): bytes(UInt32(9)) + bytes(UInt32(5)) + bytes(UInt64(list.count)) + list.flatMap { bytes($0) }
    case .float32s(let list):
      bytes(UInt32(9)) + bytes(UInt32(6)) + bytes(UInt64(list.count)) + list.flatMap { bytes($0) }
    case .raw(let type, let bytes): Self.bytes(type) + bytes
    }
  }
}
