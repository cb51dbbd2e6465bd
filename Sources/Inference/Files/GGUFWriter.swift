// Writes small GGUF files: metadata of texts and whole numbers, fp32 tensors. Models are not written.
// Owns: the layout, version 3, little-endian, tensors aligned to 32 bytes. Refuses (precondition): names twice, shapes that
// do not fit the values. Source: the GGUF specification (ggml/docs/gguf.md).

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

  /// - Parameter architecture: what `general.architecture` says the file is.
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

  /// Writes the file: under a temporary name beside `path`, synchronised, then renamed.
  /// - Parameter replacing: false refuses a path at which a file is.
  /// - Throws: `InferenceError.fileUnwritable`; nothing new is then left, and an old file is untouched.
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

  /// Everything before the tensors' values.
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
      out += Self.bytes(UInt32(0)) + Self.bytes(UInt64(offset))  // type 0 is F32
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
