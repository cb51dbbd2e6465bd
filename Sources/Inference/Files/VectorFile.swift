// Steering vectors in files of others, with the block that each belongs to as far as the file says it:
//   GGUF         llama.cpp's and repeng's control vectors: direction.N is added to the output of block N
//   safetensors, PyTorch, numpy    vectors [d] or [1, d] under free names, or [n, d] with a row for each block
// The only number in a tensor's name is taken as its block; nobody has defined such names, so where there is none the
// caller must ask. Tensors of other shapes are errors. Source: llama.cpp, llama_adapter_cvec; repeng, ControlVector.

/// A file of steering vectors.
public struct VectorFile: Sendable {
  /// A vector, not normalised.
  public struct Vector: Sendable, Equatable {
    /// The tensor's name in the file.
    public let name: String
    /// The row in a tensor of several vectors.
    public let row: Int?
    /// The block, counted from 0, after whose output it is added; nil if the file does not say.
    public let layer: Int?
    public let values: [Float]
  }

  public let path: String
  public let vectors: [Vector]
  /// The model that the file names.
  public let modelHint: String?

  /// Reads all vectors of a file.
  /// - Parameter d: the width that they must have.
  /// - Throws: `InferenceError` of the container's reader; `.unsupported` for another kind of GGUF file, `.shapeMismatch`
  ///   for another shape, `.tensorNotFinite`.
  public init(path: String, width d: Int) throws(InferenceError) {
    let file = try MappedFile(path: path)
    self.path = path
    if file.bytes.starts(with: "GGUF".utf8) {
      let gguf = try file.checking { () throws(InferenceError) in try GGUFFile(file: file) }
      (vectors, modelHint) = (try Self.read(gguf, d), try? gguf.string("controlvector.model_hint"))
    } else {
      let tensors = try TensorFile(file: file)
      (vectors, modelHint) = (try Self.read(tensors, d), nil)
    }
    try file.check()
    guard !vectors.isEmpty else {
      throw .fileMalformed(path: path, place: "tensors", expected: "at least one vector of width \(d)", found: "none")
    }
    for vector in vectors where !vector.values.allSatisfy(\.isFinite) {
      throw .tensorNotFinite(path: path, tensor: InferenceError.excerpt(vector.name))
    }
  }

  private static func read(_ file: GGUFFile, _ d: Int) throws(InferenceError) -> [Vector] {
    let kind = (try? file.string("general.architecture")) ?? "none"
    guard kind == "controlvector" else {
      throw .unsupported(
        path: file.path, what: "a GGUF file of architecture", found: InferenceError.excerpt(kind),
        supported: "a control vector")
    }
    var vectors: [Vector] = []
    for tensor in file.tensors {
      let prefix = "direction."
      guard tensor.name.hasPrefix(prefix), let layer = Int(tensor.name.dropFirst(prefix.count)), layer >= 1 else {
        throw .unsupported(
          path: file.path, what: "the tensor", found: InferenceError.excerpt(tensor.name),
          supported: "direction.1, direction.2, … alone, as llama.cpp reads them")
      }
      guard tensor.type == .f32 else {
        throw .unsupported(
          path: file.path, what: "\(tensor.name) of type", found: "\(tensor.type)", supported: "F32 numbers")
      }
      guard tensor.dimensions == [d] else {
        throw .shapeMismatch(path: file.path, tensor: tensor.name, expected: [d], found: tensor.dimensions.reversed())
      }
      let values = (0..<d).map {
        Float(bitPattern: tensor.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
      }
      vectors.append(Vector(name: tensor.name, row: nil, layer: layer, values: values))
    }
    return vectors.sorted { ($0.layer ?? 0) < ($1.layer ?? 0) }
  }

  private static func read(_ file: TensorFile, _ d: Int) throws(InferenceError) -> [Vector] {
    var vectors: [Vector] = []
    for name in file.names.sorted(by: inNumberOrder) {
      let shape = try file.shape(of: name)
      guard shape.last == d, shape.count == 1 || shape.count == 2 && (1...4096).contains(shape[0]) else {
        throw .shapeMismatch(path: file.path, tensor: InferenceError.excerpt(name), expected: [d], found: shape)
      }
      let values = try file.floats(named: name)
      let rows = shape.count == 1 ? 1 : shape[0]
      for row in 0..<rows {
        vectors.append(
          Vector(
            name: name, row: rows > 1 ? row : nil, layer: rows > 1 ? nil : soleNumber(in: name),
            values: Array(values[row * d..<(row + 1) * d])))
      }
    }
    return vectors
  }

  /// The number in a name that has one and no more; nil otherwise.
  static func soleNumber(in name: String) -> Int? {
    let numbers = name.split { !($0.isASCII && $0.isNumber) }
    return numbers.count == 1 ? Int(numbers[0]) : nil
  }

  /// Whether a name comes before another one, by its number if both have one: layers.2 before layers.10.
  private static func inNumberOrder(_ a: String, _ b: String) -> Bool {
    if let first = soleNumber(in: a), let second = soleNumber(in: b), first != second { return first < second }
    return a < b
  }
}
