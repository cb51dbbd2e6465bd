// A PyTorch checkpoint in torch.save's zip format, or in the one before PyTorch 1.6 (LegacyPyTorch), mapped: names, shapes
// and typed access to its tensors. Every tensor must lie within its storage, and every storage must be a record of the
// right size. The content must be one tensor or a dictionary of tensors and perhaps of further dictionaries, whose keys,
// texts or integers, are joined by dots. The prefix `_orig_mod.` of compiled modules is dropped, and so are values that
// are not tensors (a step count, a learning rate). Views that show an element twice and big-endian files are errors. No
// code in the file is ever run (PyTorchPickle).

/// A PyTorch checkpoint, mapped read-only and checked.
public struct PyTorchFile: Sendable {
  /// The longest pickle that is read. It does not hold the tensors' data, so 4 MiB suffice for tens of thousands.
  static let pickleLimit = 4 << 20
  /// The name of a tensor that is the whole content.
  public static let soleName = "tensor"
  /// The longest name of a tensor in bytes.
  static let nameLimit = 256

  /// The path as given.
  public var path: String { file.path }
  /// The tensors in the order of their dictionary.
  public let tensors: [StridedTensor]

  let file: MappedFile
  private let indexOfTensor: [String: Int]

  /// Maps the file at `path` and checks everything but the tensors' elements, which are not read.
  /// - Throws: `InferenceError.fileUnreadable`, `.fileMalformed` or `.unsupported`.
  public init(path: String) throws(InferenceError) {
    let file = try MappedFile(path: path)
    self = try file.checking { () throws(InferenceError) in try PyTorchFile(file: file) }
  }

  init(file: MappedFile) throws(InferenceError) {
    self.file = file
    // Files of the old format begin with a pickle, whose first byte is the protocol's.
    if file.bytes[0] == 0x80 {
      let old = try LegacyPyTorch(file)
      tensors = try Self.flatten(old.pickle, path: file.path).map { name, tensor throws(InferenceError) in
        try Self.place(tensor, name: name, in: old.storages[tensor.storage.key], file: file)
      }
      indexOfTensor = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
      return
    }
    let archive = try ZipArchive(file.bytes, path: file.path)
    if let (name, _) = archive.records.first(where: { $0.value.isDeflated }) {
      throw .unsupported(
        path: file.path, what: "zip record \(InferenceError.excerpt(name))", found: "compressed (method 8)",
        supported: "records stored as torch.save does")
    }
    let (folder, range) = try Self.findPickle(archive, path: file.path)
    if let order = archive.records[folder + "byteorder"], !file.bytes[order.range].elementsEqual("little".utf8) {
      throw .unsupported(path: file.path, what: "the byte order", found: "big", supported: "little-endian numbers")
    }
    let pickle = try PyTorchPickle(UnsafeRawBufferPointer(rebasing: file.bytes[range]), path: file.path)
    var tensors: [StridedTensor] = []
    for (name, tensor) in try Self.flatten(pickle, path: file.path) {
      let record = archive.records["\(folder)data/\(tensor.storage.key)"]?.range
      tensors.append(try Self.place(tensor, name: name, in: record, file: file))
    }
    self.tensors = tensors
    indexOfTensor = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// The tensor with a name.
  /// - Throws: `InferenceError.tensorMissing`.
  public func tensor(named name: String) throws(InferenceError) -> StridedTensor {
    guard let index = indexOfTensor[name] else { throw .tensorMissing(path: path, tensor: name) }
    return tensors[index]
  }

  /// Whether there is a tensor with a name.
  public func hasTensor(named name: String) -> Bool { indexOfTensor[name] != nil }

  /// A tensor's shape, slowest dimension first.
  /// - Throws: `InferenceError.tensorMissing`.
  public func shape(of name: String) throws(InferenceError) -> [Int] { try tensor(named: name).shape }

  /// A whole tensor as fp32, row-major; see `StridedTensor.floats`.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func floats(named name: String) throws(InferenceError) -> [Float] { try tensor(named: name).floats() }

  /// A whole tensor as integers, row-major; see `StridedTensor.ints`.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func ints(named name: String) throws(InferenceError) -> [Int] { try tensor(named: name).ints() }
}

// MARK: reading the archive
extension PyTorchFile {
  /// The bytes of the pickle, and the name of its folder in the archive (with its slash).
  private static func findPickle(
    _ archive: ZipArchive, path: String
  ) throws(InferenceError) -> (folder: String, Range<Int>) {
    let found = archive.records.filter {
      $0.key.utf8.split(separator: UInt8(ascii: "/")).last?.elementsEqual("data.pkl".utf8) == true
    }
    guard let (name, range) = found.first.map({ ($0.key, $0.value.range) }), found.count == 1,
      name.hasSuffix("/data.pkl")
    else {
      throw .fileMalformed(path: path, place: "zip archive", expected: "one data.pkl", found: "\(found.count)")
    }
    guard range.count <= pickleLimit else {
      throw .fileMalformed(
        path: path, place: "data.pkl", expected: "at most \(pickleLimit) bytes", found: "\(range.count)")
    }
    return (String(name.dropLast("data.pkl".count)), range)
  }

  /// The tensors of the outermost dictionary and of the dictionaries inside it, each with a unique name.
  private static func flatten(
    _ pickle: PyTorchPickle, path: String
  ) throws(InferenceError) -> [(String, PickleTensor)] {
    if case .tensor(let tensor) = pickle.result { return [(soleName, tensor)] }
    guard case .dictionary(let root) = pickle.result else {
      throw .unsupported(
        path: path, what: "the checkpoint's content,", found: "no dictionary,",
        supported: "a plain dictionary of tensors (a state_dict), or one tensor")
    }
    var result: [(String, PickleTensor)] = []
    var names: Set<String> = []
    // Each dictionary is entered once: with one that contains itself, a few bytes could make any number of names.
    var entered: Set<Int> = [root]
    var open = [(dictionary: root, prefix: "", next: 0)]
    while let (dictionary, prefix, next) = open.popLast() {
      let pairs = pickle.dictionaries[dictionary]
      guard next < pairs.count else { continue }
      open.append((dictionary, prefix, next + 1))
      switch pairs[next].value {
      case .tensor(let tensor):
        let name = try name(prefix, pairs[next].key, path: path)
        guard names.insert(name).inserted else { throw malformed(path, name, "each name once", "it twice") }
        result.append((name, tensor))
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
    let spelled: String? =
      switch key {
      case .text(let text): text
      // Vectors by layer have the layer's number as their key.
      case .int(let number): String(number)
      default: nil
      }
    guard let text = spelled, prefix.utf8.count + text.utf8.count <= nameLimit else {
      throw .fileMalformed(
        path: path, place: "data.pkl", expected: "names of up to \(nameLimit) bytes", found: "another key")
    }
    let wrapper = "_orig_mod."
    return prefix + (prefix.isEmpty && text.hasPrefix(wrapper) ? String(text.dropFirst(wrapper.count)) : text)
  }

  /// Checks a tensor against its storage, and the storage against its record.
  /// - Parameter record: the storage's bytes; nil if the file has none.
  private static func place(
    _ tensor: PickleTensor, name: String, in record: Range<Int>?, file: MappedFile
  ) throws(InferenceError) -> StridedTensor {
    let storage = tensor.storage
    let key = InferenceError.excerpt(storage.key)
    guard let record else {
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
    // A tensor has no more elements than its storage, which bounds what reading allocates. An expanded view would have
    // more, or would repeat some.
    var count = 1
    // The place of the last element, if there is one.
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
    return StridedTensor(
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
