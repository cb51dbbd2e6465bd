// A safetensors file, mapped: names, shapes and typed access to its tensors. The format's rules are checked before any
// tensor is read: the header has at most 100 MB and no duplicate names, sizes equal shape × type, and the tensors cover
// the data without gap or overlap. Source: the safetensors README, "Format".

/// A safetensors file, mapped read-only and checked.
public struct SafetensorsFile: Sendable {
  /// The longest header that is read, in bytes.
  static let headerLimit = 100_000_000

  /// The path as given.
  public var path: String { file.path }
  /// The tensors in the order of their data.
  public let tensors: [SafetensorsTensor]
  /// The texts in `__metadata__`.
  public let metadata: [String: String]

  let file: MappedFile
  private let indexOfTensor: [String: Int]

  /// Maps the file at `path` and checks its header.
  /// - Throws: `InferenceError.fileUnreadable`, `.fileMalformed` or `.unsupported`.
  public init(path: String) throws(InferenceError) {
    let file = try MappedFile(path: path)
    self = try file.checking { () throws(InferenceError) in try SafetensorsFile(file: file) }
  }

  init(file: MappedFile) throws(InferenceError) {
    self.file = file
    let path = file.path
    var reader = ByteReader(file.bytes, path: path)
    let length = try reader.readCount(itemSize: 1, "length of the header")
    guard length <= Self.headerLimit else {
      throw .fileMalformed(
        path: path, place: "length of the header", expected: "at most \(Self.headerLimit)", found: "\(length)")
    }
    let range = try reader.take(length, "header")
    let header = try SafetensorsHeader(UnsafeRawBufferPointer(rebasing: file.bytes[range]), path: path)
    metadata = header.metadata
    tensors = try Self.place(header.entries, start: range.upperBound, file: file)
    indexOfTensor = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// The tensor with a name.
  /// - Throws: `InferenceError.tensorMissing`.
  public func tensor(named name: String) throws(InferenceError) -> SafetensorsTensor {
    guard let index = indexOfTensor[name] else { throw .tensorMissing(path: path, tensor: name) }
    return tensors[index]
  }

  /// Whether there is a tensor with a name.
  public func hasTensor(named name: String) -> Bool { indexOfTensor[name] != nil }

  /// Checks that everything read so far belongs to the file as it was opened.
  /// - Throws: `InferenceError.fileChanged`.
  public func check() throws(InferenceError) { try file.check() }

  /// A tensor's shape, slowest dimension first.
  /// - Throws: `InferenceError.tensorMissing`.
  public func shape(of name: String) throws(InferenceError) -> [Int] { try tensor(named: name).shape }

  /// A whole tensor as fp32, row-major; see `SafetensorsTensor.floats`.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func floats(named name: String) throws(InferenceError) -> [Float] { try tensor(named: name).floats() }

  /// A whole tensor as integers, row-major; see `SafetensorsTensor.ints`.
  /// - Throws: `InferenceError.tensorMissing` or `.typeMismatch`.
  public func ints(named name: String) throws(InferenceError) -> [Int] { try tensor(named: name).ints() }

  /// Checks sizes and coverage, and returns the tensors in the order of their data.
  private static func place(
    _ entries: [SafetensorsEntry], start: Int, file: MappedFile
  ) throws(InferenceError) -> [SafetensorsTensor] {
    // An empty tensor sorts before the one that begins at the same place.
    let sorted = entries.sorted { ($0.begin, $0.end, $0.name) < ($1.begin, $1.end, $1.name) }
    let space = file.count - start
    var end = 0
    var tensors: [SafetensorsTensor] = []
    tensors.reserveCapacity(sorted.count)
    for entry in sorted {
      let place = "tensor \(InferenceError.excerpt(entry.name))"
      var size = entry.type.size
      for dimension in entry.shape {
        let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
        guard !overflow else {
          throw .fileMalformed(path: file.path, place: place, expected: "a size that fits", found: "\(entry.shape)")
        }
        size = product
      }
      guard entry.begin == end, entry.end >= entry.begin, entry.end <= space else {
        throw .fileMalformed(
          path: file.path, place: place, expected: "data from byte \(end) on, within \(space)",
          found: "bytes \(entry.begin) to \(entry.end)")
      }
      guard entry.end - entry.begin == size else {
        throw .fileMalformed(
          path: file.path, place: place, expected: "\(size) bytes for \(entry.type.rawValue) \(entry.shape)",
          found: "\(entry.end - entry.begin)")
      }
      end = entry.end
      tensors.append(
        SafetensorsTensor(
          name: entry.name, type: entry.type, shape: entry.shape, file: file,
          range: start + entry.begin..<start + entry.end))
    }
    guard end == space else {
      throw .fileMalformed(path: file.path, place: "data", expected: "\(end) bytes", found: "\(space)")
    }
    return tensors
  }
}

/// A tensor of a safetensors file: its type, its shape and its bytes, which stay in the file.
public struct SafetensorsTensor: Sendable {
  /// The name.
  public let name: String
  /// How the elements are stored.
  public let type: SafetensorsType
  /// The dimensions, slowest first; empty for a scalar.
  public let shape: [Int]

  /// The mapped file. Hold it while you use pointers into `bytes`.
  public let file: MappedFile
  let range: Range<Int>

  /// The number of elements: 1 for a scalar, 0 if a dimension is 0.
  public var count: Int { range.count / type.size }
  /// The bytes of the elements; hold `file` while you use them. Files of other writers may have them unaligned.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[range]) }

  /// Elements as fp32, row-major: exact from F16 and BF16, rounded from F64.
  /// - Parameter elements: the range of elements, counted over the whole tensor; all by default.
  /// - Throws: `InferenceError.typeMismatch` for a tensor of integers.
  public func floats(_ elements: Range<Int>? = nil) throws(InferenceError) -> [Float] {
    let elements = checked(elements)
    switch type {
    case .f32: return try convert(elements, UInt32.self) { Float(bitPattern: $0) }
    case .f16: return try convert(elements, UInt16.self) { Float(Float16(bitPattern: $0)) }
    case .bf16: return try convert(elements, UInt16.self) { float(bfloat16Bits: $0) }
    case .f64: return try convert(elements, UInt64.self) { Float(Double(bitPattern: $0)) }
    default: throw mistyped("F32, F16, BF16 or F64")
    }
  }

  /// Elements as fp64, row-major, without rounding.
  /// - Throws: `InferenceError.typeMismatch` for a tensor of integers.
  public func doubles(_ elements: Range<Int>? = nil) throws(InferenceError) -> [Double] {
    guard type == .f64 else { return try floats(elements).map(Double.init) }
    return try convert(checked(elements), UInt64.self) { Double(bitPattern: $0) }
  }

  /// Elements as integers, row-major; booleans as 0 and 1.
  /// - Throws: `InferenceError.typeMismatch` for a tensor of floats, or of U64 with a value beyond `Int.max`.
  public func ints(_ elements: Range<Int>? = nil) throws(InferenceError) -> [Int] {
    let elements = checked(elements)
    switch type {
    case .i64: return try convert(elements, Int64.self) { Int($0) }
    case .i32: return try convert(elements, Int32.self) { Int($0) }
    case .i16: return try convert(elements, Int16.self) { Int($0) }
    case .i8: return try convert(elements, Int8.self) { Int($0) }
    case .u32: return try convert(elements, UInt32.self) { Int($0) }
    case .u16: return try convert(elements, UInt16.self) { Int($0) }
    case .u8, .bool: return try convert(elements, UInt8.self) { Int($0) }
    case .u64:
      let values = try convert(elements, UInt64.self) { $0 }
      guard values.allSatisfy({ $0 <= UInt64(Int.max) }) else { throw mistyped("integers below 2^63") }
      return values.map { Int($0) }
    case .f64, .f32, .f16, .bf16: throw mistyped("integers")
    }
  }

  private func checked(_ elements: Range<Int>?) -> Range<Int> {
    guard let elements else { return 0..<count }
    precondition(
      elements.lowerBound >= 0 && elements.upperBound <= count, "elements \(elements) of \(count) in \(name)")
    return elements
  }

  private func mistyped(_ expected: String) -> InferenceError {
    .typeMismatch(path: file.path, key: "tensor \(name)", expected: expected, found: type.rawValue)
  }

  private func convert<Raw: FixedWidthInteger & BitwiseCopyable, Result>(
    _ elements: Range<Int>, _ raw: Raw.Type, _ body: (Raw) -> Result
  ) throws(InferenceError) -> [Result] {
    try MemoryBudget.require(
      elements.count * MemoryLayout<Result>.stride, for: "the numbers of \(name) in \(file.path)",
      remedy: "close other programs, or cut the file into smaller ones")
    let bytes = bytes
    let values = [Result](unsafeUninitializedCapacity: elements.count) { buffer, count in
      for index in elements {
        let value = bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Raw>.size, as: Raw.self)
        buffer.initializeElement(at: count, to: body(Raw(littleEndian: value)))
        count += 1
      }
    }
    try file.check()
    return values
  }
}
