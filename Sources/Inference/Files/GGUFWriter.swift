// Writes small GGUF files with texts, whole numbers and fp32 tensors (not models): version 3, little-endian, with
// tensors aligned to 32 bytes. Source: the GGUF specification (ggml/docs/gguf.md).

/// Collects metadata and tensors, then writes them to one file.
public struct GGUFWriter {
  /// A metadata value.
  public enum Value: Sendable {
    case string(String)
    case uint32(UInt32)
    case float32(Float)
  }

  private static let alignment = 32
  private var metadata: [(key: String, value: Value)] = []
  private var tensors: [(name: String, shape: [Int], values: [Float])] = []

  /// - Parameter architecture: the value of `general.architecture`.
  public init(architecture: String) { set("general.architecture", .string(architecture)) }

  /// Adds a metadata value.
  public mutating func set(_ key: String, _ value: Value) {
    precondition(!metadata.contains { $0.key == key }, "\(key) set twice")
    metadata.append((key, value))
  }

  /// Adds an fp32 tensor, row-major; the file has its dimensions in the opposite order.
  public mutating func add(_ name: String, shape: [Int], floats: [Float]) {
    precondition(floats.count == shape.reduce(1, *), "\(name): \(floats.count) values for the shape \(shape)")
    precondition(!tensors.contains { $0.name == name }, "\(name) added twice")
    tensors.append((name, shape, floats))
  }

  /// Writes the file whole or not at all (see `AtomicFile`).
  /// - Parameter replacing: if false, an existing file at `path` is an error.
  /// - Throws: `InferenceError.fileUnwritable`; no new file is then left, and an old one is unchanged.
  public func write(to path: String, replacing: Bool = true) throws(InferenceError) {
    let file = try AtomicFile(path: path)
    try file.write(header)
    for tensor in tensors {
      var bytes = tensor.values.flatMap { Self.bytes($0.bitPattern) }
      Self.align(&bytes)
      try file.write(bytes)
    }
    try file.commit(replacing: replacing)
  }

  /// All bytes before the tensors' values.
  private var header: [UInt8] {
    var out = Array("GGUF".utf8) + Self.bytes(UInt32(3))
    out += Self.bytes(UInt64(tensors.count)) + Self.bytes(UInt64(metadata.count))
    for (key, value) in metadata {
      out += Self.text(key)
      switch value {
      case .string(let text): out += Self.bytes(GGUFValueType.string.rawValue) + Self.text(text)
      case .uint32(let number): out += Self.bytes(GGUFValueType.uint32.rawValue) + Self.bytes(number)
      case .float32(let number): out += Self.bytes(GGUFValueType.float32.rawValue) + Self.bytes(number.bitPattern)
      }
    }
    var offset = 0
    for tensor in tensors {
      out += Self.text(tensor.name) + Self.bytes(UInt32(tensor.shape.count))
      for dimension in tensor.shape.reversed() { out += Self.bytes(UInt64(dimension)) }
      out += Self.bytes(UInt32(0)) + Self.bytes(UInt64(offset))  // the type number 0 is F32
      offset += (tensor.values.count * 4 + Self.alignment - 1) / Self.alignment * Self.alignment
    }
    Self.align(&out)
    return out
  }

  private static func align(_ bytes: inout [UInt8]) {
    bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
  }

  private static func text(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

  private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}
