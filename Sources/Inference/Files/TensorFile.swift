// A file of named tensors, whichever of the two formats it has: safetensors or PyTorch's zip.
// Owns: the choice, made by the file's first bytes, and the view of a tensor in place. What a file may hold, the two
// readers check; this adds nothing and refuses nothing of its own.

/// A mapped file of tensors.
public enum TensorFile: Sendable {
  case safetensors(SafetensorsFile)
  case pytorch(PyTorchFile)

  /// Maps the file at `path` and checks everything but the tensors' elements.
  /// - Throws: `InferenceError` of the reader that the first bytes ask for.
  public init(path: String) throws(InferenceError) { try self.init(file: MappedFile(path: path)) }

  init(file: MappedFile) throws(InferenceError) {
    // A zip's first record, or a pickle of the old format, which the reader refuses by its name. The length at the
    // start of a safetensors file can be any bytes, but its header begins with a brace.
    let isHeader = file.count > 8 && file.bytes[8] == UInt8(ascii: "{")
    self = try file.checking { () throws(InferenceError) in
      if !isHeader, file.bytes.starts(with: "PK".utf8) || file.bytes[0] == 0x80 {
        return .pytorch(try PyTorchFile(file: file))
      }
      return .safetensors(try SafetensorsFile(file: file))
    }
  }

  /// The path as given.
  public var path: String {
    switch self {
    case .safetensors(let file): file.path
    case .pytorch(let file): file.path
    }
  }

  /// SHA-256 of the file, over the mapping that is there: a second one would count its pages twice.
  public func sha256() throws(InferenceError) -> String {
    try mapping.sha256()
  }

  /// Makes sure that all that was read so far is the file's as it was opened.
  /// - Throws: `InferenceError.fileChanged`.
  public func check() throws(InferenceError) { try mapping.check() }

  /// As `check`, and that its path still leads to it.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkName() throws(InferenceError) { try mapping.checkName() }

  private var mapping: MappedFile {
    switch self {
    case .safetensors(let file): file.file
    case .pytorch(let file): file.file
    }
  }

  /// Whether there is a tensor of that name.
  public func hasTensor(named name: String) -> Bool {
    switch self {
    case .safetensors(let file): file.hasTensor(named: name)
    case .pytorch(let file): file.hasTensor(named: name)
    }
  }

  /// The names of all tensors.
  public var names: [String] {
    switch self {
    case .safetensors(let file): file.tensors.map(\.name)
    case .pytorch(let file): file.tensors.map(\.name)
    }
  }

  /// A tensor's shape, slowest dimension first.
  /// - Throws: `InferenceError.tensorMissing`.
  public func shape(of name: String) throws(InferenceError) -> [Int] {
    switch self {
    case .safetensors(let file): try file.shape(of: name)
    case .pytorch(let file): try file.shape(of: name)
    }
  }

  /// A whole tensor as fp32, row-major.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func floats(named name: String) throws(InferenceError) -> [Float] {
    switch self {
    case .safetensors(let file): try file.floats(named: name)
    case .pytorch(let file): try file.floats(named: name)
    }
  }

  /// A whole tensor as integers, row-major.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func ints(named name: String) throws(InferenceError) -> [Int] {
    switch self {
    case .safetensors(let file): try file.ints(named: name)
    case .pytorch(let file): try file.ints(named: name)
    }
  }

  /// The tensor where it lies; nil for a view whose elements are not in row-major order.
  /// - Throws: `InferenceError.tensorMissing`.
  public func tensorInPlace(named name: String) throws(InferenceError) -> SafetensorsTensor? {
    switch self {
    case .safetensors(let file): try file.tensor(named: name)
    case .pytorch(let file): try file.tensor(named: name).inPlace
    }
  }
}

extension PyTorchTensor {
  /// The elements where they lie; nil for a view in another order than row-major.
  var inPlace: SafetensorsTensor? {
    guard isContiguous else { return nil }
    let start = storage.range.lowerBound + offset * type.size
    return SafetensorsTensor(
      name: name, type: type, shape: shape, file: storage.file, range: start..<start + count * type.size)
  }
}

extension SafetensorsTensor {
  /// Calls `body` with all elements as fp32: in place where they are stored so and aligned, else as a copy.
  /// - Throws: `InferenceError.typeMismatch` for a tensor of integers.
  public func withFloats<Result>(
    _ body: (UnsafeBufferPointer<Float>) -> Result
  ) throws(InferenceError) -> Result {
    if let inPlace = floatsInPlace {
      defer { withExtendedLifetime(file) {} }
      return body(inPlace)
    }
    return try floats().withUnsafeBufferPointer { body($0) }
  }

  /// The elements where they lie, if they are little-endian fp32 and aligned; valid while `file` is held.
  public var floatsInPlace: UnsafeBufferPointer<Float>? {
    let bytes = bytes
    guard type == .f32, 1.littleEndian == 1, let start = bytes.baseAddress, Int(bitPattern: start).isMultiple(of: 4)
    else { return nil }
    return UnsafeBufferPointer(start: start.assumingMemoryBound(to: Float.self), count: count)
  }
}
