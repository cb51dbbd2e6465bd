// A GGUF model file, mapped: its metadata and the places of its tensors. The header's lengths, counts, offsets and
// names are checked against the file before memory is spent on them. Tensors that overlap or leave the file, versions
// other than 2 and 3, and big-endian files are errors. Source: the GGUF specification (ggml/docs/gguf.md).

/// A GGUF file, mapped read-only and checked.
public struct GGUFFile: Sendable {
  /// The path as given.
  public var path: String { file.path }
  /// The format's version, 2 or 3.
  public let version: Int
  /// The tensors in the order of the file.
  public let tensors: [GGUFTensor]

  let file: MappedFile
  let metadata: [String: GGUFValue]
  private let indexOfTensor: [String: Int]

  /// Maps and parses the file at `path`. This takes one pass over the header: milliseconds for a vocabulary of 256,000.
  /// - Throws: `InferenceError.fileUnreadable`, `.fileMalformed` or `.unsupported`.
  public init(path: String) throws(InferenceError) {
    let file = try MappedFile(path: path)
    self = try file.checking { () throws(InferenceError) in try GGUFFile(file: file) }
  }

  init(file: MappedFile) throws(InferenceError) {
    self.file = file
    var reader = ByteReader(file.bytes, path: file.path)
    let (version, tensorCount, keyCount) = try Self.readHead(&reader)
    self.version = version
    metadata = try Self.readMetadata(&reader, count: keyCount, file: file)
    let alignment = try Self.alignment(metadata, path: file.path)
    tensors = try Self.readTensors(&reader, count: tensorCount, alignment: alignment, file: file)
    var index: [String: Int] = [:]
    index.reserveCapacity(tensors.count)
    for (position, tensor) in tensors.enumerated() {
      guard index.updateValue(position, forKey: tensor.name) == nil else {
        throw .fileMalformed(
          path: file.path, place: "tensor \(InferenceError.excerpt(tensor.name))", expected: "each name once",
          found: "it twice")
      }
    }
    indexOfTensor = index
    try Self.refuseOverlaps(tensors, path: file.path)
  }

  /// The tensor with a name.
  /// - Throws: `InferenceError.tensorMissing`.
  public func tensor(named name: String) throws(InferenceError) -> GGUFTensor {
    guard let index = indexOfTensor[name] else { throw .tensorMissing(path: path, tensor: name) }
    return tensors[index]
  }

  /// Whether there is a tensor with a name.
  public func hasTensor(named name: String) -> Bool { indexOfTensor[name] != nil }
}

/// A tensor of a GGUF file: its type, its shape and its bytes, which stay in the file.
public struct GGUFTensor: Sendable {
  /// The name, such as `blk.0.attn_q.weight`.
  public let name: String
  /// The dimensions in the order of the file, fastest first: a matrix `[out, in]` has `[in, out]` here.
  public let dimensions: [Int]
  /// How the elements are stored.
  public let type: GGMLType

  /// The mapped file. Hold it while you use pointers into `bytes`.
  public let file: MappedFile
  let range: Range<Int>

  /// The number of columns: the fastest dimension.
  public var columns: Int { dimensions[0] }
  /// The number of rows: the product of all other dimensions, 1 for a vector.
  public var rows: Int { dimensions.dropFirst().reduce(1, *) }
  /// The bytes of the elements, row after row. Hold `file` while you use them.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[range]) }
}

extension GGUFFile {
  private static func readHead(_ reader: inout ByteReader) throws(InferenceError) -> (Int, Int, Int) {
    let path = reader.path
    let magic = try reader.read(UInt32.self, "magic number")
    guard magic == 0x4655_4747 else {
      throw .fileMalformed(path: path, place: "first 4 bytes", expected: "GGUF", found: hexadecimal(magic))
    }
    let version = try reader.read(UInt32.self, "version")
    guard version == 2 || version == 3 else {
      let name = version.byteSwapped <= 3 ? "\(version.byteSwapped), big-endian" : "\(version)"
      throw .unsupported(path: path, what: "GGUF version", found: name, supported: "version 2 or 3, little-endian")
    }
    // A tensor takes at least 32 bytes of the header (length, rank, one dimension, type, offset), a key at least 13.
    let tensorCount = try reader.readCount(itemSize: 32, "number of tensors")
    let keyCount = try reader.readCount(itemSize: 13, "number of metadata keys")
    return (Int(version), tensorCount, keyCount)
  }

  private static func alignment(_ metadata: [String: GGUFValue], path: String) throws(InferenceError) -> Int {
    guard let value = metadata["general.alignment"] else { return 32 }
    guard case .integer(let alignment) = value, alignment > 0, alignment & (alignment - 1) == 0, alignment <= 1 << 30
    else {
      throw .fileMalformed(
        path: path, place: "general.alignment", expected: "a power of two up to 2^30", found: value.kind)
    }
    return Int(alignment)
  }

  private static func readTensors(
    _ reader: inout ByteReader, count: Int, alignment: Int, file: MappedFile
  ) throws(InferenceError) -> [GGUFTensor] {
    struct Entry {
      var name: String
      var dimensions: [Int]
      var type: GGMLType
      var offset: UInt64
      var size: Int
    }
    var entries: [Entry] = []
    entries.reserveCapacity(count)
    for index in 0..<count {
      let name = try reader.readString(limit: 65_535, "name of tensor \(index)")
      let place = "tensor \(InferenceError.excerpt(name))"
      let rank = try reader.read(UInt32.self, place)
      guard (1...4).contains(rank) else {
        throw .fileMalformed(path: file.path, place: place, expected: "1 to 4 dimensions", found: "\(rank)")
      }
      var dimensions: [Int] = []
      for _ in 0..<rank {
        let dimension = try reader.read(UInt64.self, place)
        guard dimension > 0, dimension <= UInt64(Int.max) else {
          throw .fileMalformed(path: file.path, place: place, expected: "dimensions above 0", found: "\(dimension)")
        }
        dimensions.append(Int(dimension))
      }
      let number = try reader.read(UInt32.self, place)
      guard let type = GGMLType(rawValue: number) else {
        throw .unsupported(
          path: file.path, what: "the type of \(place),", found: "number \(number),", supported: "F32, F16, BF16 or Q…")
      }
      let offset = try reader.read(UInt64.self, place)
      let size = try byteCount(dimensions, type, place: place, path: file.path)
      entries.append(Entry(name: name, dimensions: dimensions, type: type, offset: offset, size: size))
    }
    // The data begins at the next multiple of the alignment.
    let start = (reader.offset + alignment - 1) / alignment * alignment
    let space = file.count - start
    var tensors: [GGUFTensor] = []
    tensors.reserveCapacity(count)
    for entry in entries {
      let place = "tensor \(InferenceError.excerpt(entry.name))"
      guard entry.offset % UInt64(alignment) == 0 else {
        throw .fileMalformed(
          path: file.path, place: place, expected: "an offset that is a multiple of \(alignment)",
          found: "\(entry.offset)")
      }
      guard space >= entry.size, entry.offset <= UInt64(space - entry.size) else {
        throw .fileMalformed(
          path: file.path, place: place, expected: "\(entry.size) bytes at \(entry.offset) of the data",
          found: "only \(max(0, space)) bytes of data")
      }
      let begin = start + Int(entry.offset)
      tensors.append(
        GGUFTensor(
          name: entry.name, dimensions: entry.dimensions, type: entry.type, file: file,
          range: begin..<begin + entry.size))
    }
    return tensors
  }

  /// The bytes of a tensor, computed with overflow checks.
  private static func byteCount(
    _ dimensions: [Int], _ type: GGMLType, place: String, path: String
  ) throws(InferenceError) -> Int {
    guard dimensions[0] % type.blockSize == 0 else {
      throw .fileMalformed(
        path: path, place: place, expected: "rows of a multiple of \(type.blockSize) elements (\(type.name))",
        found: "\(dimensions[0])")
    }
    var elements = 1
    var overflow = false
    for dimension in dimensions where !overflow {
      (elements, overflow) = elements.multipliedReportingOverflow(by: dimension)
    }
    let (size, tooLarge) = (elements / type.blockSize).multipliedReportingOverflow(by: type.bytesPerBlock)
    guard !overflow, !tooLarge else {
      throw .fileMalformed(path: path, place: place, expected: "a size that fits", found: "dimensions \(dimensions)")
    }
    return size
  }

  private static func refuseOverlaps(_ tensors: [GGUFTensor], path: String) throws(InferenceError) {
    let sorted = tensors.sorted { $0.range.lowerBound < $1.range.lowerBound }
    for (first, second) in zip(sorted, sorted.dropFirst()) where first.range.upperBound > second.range.lowerBound {
      throw .fileMalformed(
        path: path, place: "tensor \(InferenceError.excerpt(second.name))", expected: "bytes of its own",
        found: "an overlap with \(InferenceError.excerpt(first.name))")
    }
  }
}

/// A 32-bit value as `0x…`, for messages.
func hexadecimal(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }
