// A PyTorch checkpoint (torch.save's zip format), mapped: names, shapes and typed access to its tensors.
// Owns: the check that every tensor lies within its storage and every storage is a record of the right size.
// Refuses: anything that is not a dictionary of tensors, perhaps of dictionaries; views that show an element twice;
// big-endian files; the format from before PyTorch 1.6. No code of the file is ever run (PyTorchPickle).
// Names: keys of nested dictionaries are joined by dots; the prefix `_orig_mod.` of compiled modules is dropped.
// Values that are no tensors (a step count, a learning rate) are left out.

/// A PyTorch checkpoint, mapped read-only and checked.
public struct PyTorchFile: Sendable {
  /// The longest pickle that is read; tensors' data is not in it, so 4 MiB describe tens of thousands.
  static let pickleLimit = 4 << 20
  /// The longest name of a tensor.
  static let nameLimit = 1024

  /// The path as given.
  public var path: String { file.path }
  /// The tensors in the order of their dictionary.
  public let tensors: [PyTorchTensor]

  private let file: MappedFile
  private let indexOfTensor: [String: Int]

  /// Maps the file at `path` and checks everything but the tensors' elements. Costs no reading of those.
  /// - Throws: `InferenceError.fileUnreadable`, `.fileMalformed` or `.unsupported`.
  public init(path: String) throws(InferenceError) {
    try self.init(file: MappedFile(path: path))
  }

  init(file: MappedFile) throws(InferenceError) {
    self.file = file
    // Pickles of the old format begin with their protocol.
    if file.bytes[0] == 0x80 {
      throw .unsupported(
        path: file.path, what: "the checkpoint format", found: "of PyTorch before 1.6",
        supported: "the zip format (load it with torch and save it again)")
    }
    let archive = try PyTorchArchive(file.bytes, path: file.path)
    let (folder, range) = try Self.findPickle(archive, path: file.path)
    if let order = archive.records[folder + "byteorder"], !file.bytes[order].elementsEqual("little".utf8) {
      throw .unsupported(path: file.path, what: "the byte order", found: "big", supported: "little-endian numbers")
    }
    let pickle = try PyTorchPickle(UnsafeRawBufferPointer(rebasing: file.bytes[range]), path: file.path)
    var tensors: [PyTorchTensor] = []
    var index: [String: Int] = [:]
    for (name, tensor) in try Self.flatten(pickle, path: file.path) {
      guard index.updateValue(tensors.count, forKey: name) == nil else {
        throw Self.malformed(file.path, name, "each name once", "it twice")
      }
      tensors.append(try Self.place(tensor, name: name, folder: folder, archive: archive, file: file))
    }
    self.tensors = tensors
    indexOfTensor = index
  }

  /// The tensor of that name.
  /// - Throws: `InferenceError.tensorMissing`.
  public func tensor(named name: String) throws(InferenceError) -> PyTorchTensor {
    guard let index = indexOfTensor[name] else { throw .tensorMissing(path: path, tensor: name) }
    return tensors[index]
  }

  /// Whether there is a tensor of that name.
  public func hasTensor(named name: String) -> Bool { indexOfTensor[name] != nil }

  /// A tensor's shape, slowest dimension first.
  /// - Throws: `InferenceError.tensorMissing`.
  public func shape(of name: String) throws(InferenceError) -> [Int] { try tensor(named: name).shape }

  /// A whole tensor as fp32, row-major; see `PyTorchTensor.floats`.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func floats(named name: String) throws(InferenceError) -> [Float] { try tensor(named: name).floats() }

  /// A whole tensor as integers, row-major; see `PyTorchTensor.ints`.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func ints(named name: String) throws(InferenceError) -> [Int] { try tensor(named: name).ints() }
}

// From the archive to tensors.
extension PyTorchFile {
  /// The pickle's bytes, and the name of the folder in the archive (with its slash) that it stands in.
  private static func findPickle(
    _ archive: PyTorchArchive, path: String
  ) throws(InferenceError) -> (folder: String, Range<Int>) {
    let found = archive.records.filter {
      $0.key.utf8.split(separator: UInt8(ascii: "/")).last?.elementsEqual("data.pkl".utf8) == true
    }
    guard let (name, range) = found.first, found.count == 1, name.hasSuffix("/data.pkl") else {
      throw .fileMalformed(path: path, place: "zip archive", expected: "one data.pkl", found: "\(found.count)")
    }
    guard range.count <= pickleLimit else {
      throw .fileMalformed(
        path: path, place: "data.pkl", expected: "at most \(pickleLimit) bytes", found: "\(range.count)")
    }
    return (String(name.dropLast("data.pkl".count)), range)
  }

  /// The tensors of the outermost dictionary and of those within.
  private static func flatten(
    _ pickle: PyTorchPickle, path: String
  ) throws(InferenceError) -> [(String, PickleTensor)] {
    guard case .dictionary(let root) = pickle.result else {
      throw .unsupported(
        path: path, what: "the checkpoint's content,", found: "no dictionary,",
        supported: "a plain dictionary of tensors (a state_dict)")
    }
    var result: [(String, PickleTensor)] = []
    // Each dictionary is entered once: one that is reached twice, perhaps from within itself, could make any number
    // of names out of a few bytes.
    var entered: Set<Int> = [root]
    var open = [(dictionary: root, prefix: "", next: 0)]
    while let (dictionary, prefix, next) = open.popLast() {
      let pairs = pickle.dictionaries[dictionary]
      guard next < pairs.count else { continue }
      open.append((dictionary, prefix, next + 1))
      switch pairs[next].value {
      case .tensor(let tensor):
        result.append((try name(prefix, pairs[next].key, path: path), tensor))
      case .dictionary(let inner):
        guard entered.insert(inner).inserted else {
          throw .fileMalformed(
            path: path, place: "data.pkl", expected: "each dictionary in one place", found: "one in two")
        }
        if !pickle.dictionaries[inner].isEmpty {
          open.append((inner, try name(prefix, pairs[next].key, path: path) + ".", 0))
        }
      default: continue
      }
    }
    return result
  }

  private static func name(_ prefix: String, _ key: PickleValue, path: String) throws(InferenceError) -> String {
    guard case .text(let text) = key, prefix.utf8.count + text.utf8.count <= nameLimit else {
      throw .fileMalformed(
        path: path, place: "data.pkl", expected: "names of up to \(nameLimit) bytes", found: "another key")
    }
    let wrapper = "_orig_mod."
    return prefix + (prefix.isEmpty && text.hasPrefix(wrapper) ? String(text.dropFirst(wrapper.count)) : text)
  }

  /// Checks a tensor against its storage, and the storage against its record.
  private static func place(
    _ tensor: PickleTensor, name: String, folder: String, archive: PyTorchArchive, file: MappedFile
  ) throws(InferenceError) -> PyTorchTensor {
    let storage = tensor.storage
    let key = InferenceError.excerpt(storage.key)
    guard let record = archive.records["\(folder)data/\(storage.key)"] else {
      throw malformed(file.path, name, "a record data/\(key)", "none")
    }
    guard storage.count >= 0, record.count % storage.type.size == 0, record.count / storage.type.size == storage.count
    else {
      throw malformed(
        file.path, name, "\(storage.count) elements of \(storage.type.rawValue) in data/\(key)",
        "\(record.count) bytes")
    }
    guard tensor.shape.count == tensor.strides.count, tensor.shape.allSatisfy({ $0 >= 0 }),
      tensor.strides.allSatisfy({ $0 >= 0 }), tensor.offset >= 0
    else {
      throw malformed(file.path, name, "a shape with its strides", "\(tensor.shape) and \(tensor.strides)")
    }
    // No more elements than the storage has: bounds what reading allocates. An expanded view has more, or repeats some.
    var count = 1
    // The last element's place, if there is one.
    var last = tensor.offset
    for (dimension, step) in zip(tensor.shape, tensor.strides) {
      let (product, tooMany) = count.multipliedReportingOverflow(by: dimension)
      let (reach, tooFar) = max(0, dimension - 1).multipliedReportingOverflow(by: step)
      let (sum, beyond) = last.addingReportingOverflow(reach)
      guard !tooMany, !tooFar, !beyond, product <= storage.count else {
        throw malformed(
          file.path, name, "at most the storage's \(storage.count) elements", "the shape \(tensor.shape)")
      }
      guard step > 0 || dimension <= 1 else {
        throw .unsupported(
          path: file.path, what: "tensor \(InferenceError.excerpt(name)),", found: "an expanded view,",
          supported: "elements of its own (call .contiguous() before saving)")
      }
      (count, last) = (product, sum)
    }
    guard count == 0 ? tensor.offset <= storage.count : last < storage.count else {
      throw malformed(
        file.path, name, "elements within the storage's \(storage.count)", "element \(last)")
    }
    return PyTorchTensor(
      name: name, shape: tensor.shape, strides: tensor.strides, offset: count == 0 ? 0 : tensor.offset, count: count,
      span: count == 0 ? 0 : last - tensor.offset + 1,
      storage: SafetensorsTensor(
        name: name, type: storage.type, shape: [storage.count], file: file, range: record))
  }

  private static func malformed(
    _ path: String, _ tensor: String, _ expected: String, _ found: String
  ) -> InferenceError {
    .fileMalformed(path: path, place: "tensor \(InferenceError.excerpt(tensor))", expected: expected, found: found)
  }
}

/// A tensor of a PyTorch file: a view of a storage in place.
public struct PyTorchTensor: Sendable {
  /// The name.
  public let name: String
  /// The dimensions, slowest first in row-major order; empty for a scalar.
  public let shape: [Int]
  /// Elements of the storage from one index to the next, a dimension each. Transposed views are not in row-major order.
  public let strides: [Int]
  let offset: Int
  /// The number of elements: 1 for a scalar, 0 if a dimension is 0.
  public let count: Int
  /// Elements of the storage from the first to the last one shown.
  let span: Int
  let storage: SafetensorsTensor

  /// How the elements are stored.
  public var type: SafetensorsType { storage.type }

  /// Whether the elements lie in the file in row-major order without gaps.
  public var isContiguous: Bool {
    // Dimensions beside a 0 may be as large as they like: their product is not to be formed.
    guard count > 0 else { return true }
    var expected = 1
    for (dimension, step) in zip(shape, strides).reversed() where dimension != 1 {
      guard step == expected else { return false }
      expected *= dimension
    }
    return true
  }

  /// All elements as fp32, row-major; exact from F16 and BF16, rounded from F64. A view in another order costs a
  /// second copy.
  /// - Throws: `InferenceError.typeMismatch` for a tensor of integers.
  public func floats() throws(InferenceError) -> [Float] {
    arranged(try storage.floats(offset..<offset + span))
  }

  /// All elements as integers, row-major; booleans as 0 and 1.
  /// - Throws: `InferenceError.typeMismatch` for a tensor of floats.
  public func ints() throws(InferenceError) -> [Int] {
    arranged(try storage.ints(offset..<offset + span))
  }

  /// The elements of the view in row-major order, from those of its span.
  private func arranged<Element>(_ values: [Element]) -> [Element] {
    guard !isContiguous else { return values }
    var result: [Element] = []
    result.reserveCapacity(count)
    var indices = [Int](repeating: 0, count: shape.count)
    var place = 0
    for _ in 0..<count {
      result.append(values[place])
      // The next index, the last dimension running fastest.
      for axis in shape.indices.reversed() {
        indices[axis] += 1
        place += strides[axis]
        if indices[axis] < shape[axis] { break }
        place -= strides[axis] * shape[axis]
        indices[axis] = 0
      }
    }
    return result
  }
}
