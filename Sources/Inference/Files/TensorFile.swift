// A file of named tensors in safetensors, PyTorch's or numpy's format, which its first bytes tell apart. The readers
// make all checks.

import Kernels

/// A mapped file of tensors.
public enum TensorFile: Sendable {
  case safetensors(SafetensorsFile)
  case pytorch(PyTorchFile)
  case numpy(NumPyFile)

  /// Maps the file at `path` and checks everything but the tensors' elements.
  /// - Throws: `InferenceError` of the reader that the first bytes select.
  public init(path: String) throws(InferenceError) { try self.init(file: MappedFile(path: path)) }

  init(file: MappedFile) throws(InferenceError) {
    // PyTorch files begin with a zip record, or with a pickle of the old format, which their reader refuses with a
    // message. The length at the start of a safetensors file may have the same bytes, but a brace follows it.
    let isHeader = file.count > 8 && file.bytes[8] == UInt8(ascii: "{")
    self = try file.checking { () throws(InferenceError) in
      if !isHeader, NumPyFile.isArray(file.bytes) { return .numpy(try NumPyFile(array: file)) }
      if !isHeader, file.bytes.starts(with: "PK".utf8) || file.bytes[0] == 0x80 {
        return try NumPyFile.isArchive(file) ? .numpy(NumPyFile(archive: file)) : .pytorch(PyTorchFile(file: file))
      }
      return .safetensors(try SafetensorsFile(file: file))
    }
  }

  /// The path as given.
  public var path: String {
    switch self {
    case .safetensors(let file): file.path
    case .pytorch(let file): file.path
    case .numpy(let file): file.path
    }
  }

  /// SHA-256 of the file. It uses this mapping, because a second one would count the pages twice.
  public func sha256() throws(InferenceError) -> String {
    try mapping.sha256()
  }

  /// Checks that everything read so far belongs to the file as it was opened.
  /// - Throws: `InferenceError.fileChanged`.
  public func check() throws(InferenceError) { try mapping.check() }

  /// Checks the same, and that the path still leads to the file.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkName() throws(InferenceError) { try mapping.checkName() }

  private var mapping: MappedFile {
    switch self {
    case .safetensors(let file): file.file
    case .pytorch(let file): file.file
    case .numpy(let file): file.file
    }
  }

  /// Whether there is a tensor with a name.
  public func hasTensor(named name: String) -> Bool {
    switch self {
    case .safetensors(let file): file.hasTensor(named: name)
    case .pytorch(let file): file.hasTensor(named: name)
    case .numpy(let file): file.hasTensor(named: name)
    }
  }

  /// The names of all tensors.
  public var names: [String] {
    switch self {
    case .safetensors(let file): file.tensors.map(\.name)
    case .pytorch(let file): file.tensors.map(\.name)
    case .numpy(let file): file.names
    }
  }

  /// A tensor's shape, slowest dimension first.
  /// - Throws: `InferenceError.tensorMissing`.
  public func shape(of name: String) throws(InferenceError) -> [Int] {
    switch self {
    case .safetensors(let file): try file.shape(of: name)
    case .pytorch(let file): try file.shape(of: name)
    case .numpy(let file): try file.shape(of: name)
    }
  }

  /// A whole tensor as fp32, row-major.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func floats(named name: String) throws(InferenceError) -> [Float] {
    switch self {
    case .safetensors(let file): try file.floats(named: name)
    case .pytorch(let file): try file.floats(named: name)
    case .numpy(let file): try file.tensor(named: name).floats()
    }
  }

  /// The index of the first element of a tensor of floats that is NaN or infinite, in the order of the file; nil if there
  /// is none. The tensor is read in pieces, so that no copy of it takes up memory.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func firstNonFinite(in name: String) throws(InferenceError) -> Int? {
    let (tensor, elements): (SafetensorsTensor, Range<Int>)
    switch self {
    case .safetensors(let file):
      tensor = try file.tensor(named: name)
      elements = 0..<tensor.count
    case .pytorch(let file): (tensor, elements) = try file.tensor(named: name).stored
    case .numpy(let file): (tensor, elements) = try file.tensor(named: name).stored
    }
    let piece = 1 << 20
    if let all = tensor.floatsInPlace, let first = all.baseAddress {
      defer { withExtendedLifetime(tensor) {} }
      for start in stride(from: elements.lowerBound, to: elements.upperBound, by: piece) {
        let end = min(start + piece, elements.upperBound)
        guard countNonFinite(first + start, count: end - start) > 0 else { continue }
        return (start..<end).first { !all[$0].isFinite }.map { $0 - elements.lowerBound }
      }
      return nil
    }
    for start in stride(from: elements.lowerBound, to: elements.upperBound, by: piece) {
      let values = try tensor.floats(start..<min(start + piece, elements.upperBound))
      if countNonFinite(values, count: values.count) > 0, let bad = values.firstIndex(where: { !$0.isFinite }) {
        return start - elements.lowerBound + bad
      }
    }
    return nil
  }

  /// A whole tensor as fp32, row-major, whether it holds floats or integers.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func values(named name: String) throws(InferenceError) -> [Float] {
    do {
      return try floats(named: name)
    } catch .typeMismatch {
      return try ints(named: name).map { Float($0) }
    }
  }

  /// A whole tensor as integers, row-major.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func ints(named name: String) throws(InferenceError) -> [Int] {
    switch self {
    case .safetensors(let file): try file.ints(named: name)
    case .pytorch(let file): try file.ints(named: name)
    case .numpy(let file): try file.tensor(named: name).ints()
    }
  }

  /// The tensor in the file; nil for a view whose elements are not in row-major order.
  /// - Throws: `InferenceError.tensorMissing`.
  public func tensorInPlace(named name: String) throws(InferenceError) -> SafetensorsTensor? {
    switch self {
    case .safetensors(let file): try file.tensor(named: name)
    case .pytorch(let file): try file.tensor(named: name).inPlace
    case .numpy(let file): try file.tensor(named: name).inPlace
    }
  }
}

extension SafetensorsTensor {
  /// Calls `body` with all elements as fp32: directly in the file if they are stored so and aligned, otherwise as a
  /// copy.
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

  /// The elements in the file, if they are little-endian fp32 and aligned; valid while `file` is held.
  public var floatsInPlace: UnsafeBufferPointer<Float>? {
    let bytes = bytes
    guard type == .f32, 1.littleEndian == 1, let start = bytes.baseAddress, Int(bitPattern: start).isMultiple(of: 4)
    else { return nil }
    return UnsafeBufferPointer(start: start.assumingMemoryBound(to: Float.self), count: count)
  }
}
