// Arrays that numpy wrote: one in a .npy file, or several in a .npz archive, stored or deflated. A header of one
// Python dictionary says type, order and shape; NumPyHeader reads it. An array that is deflated or big-endian is read
// into memory when it is asked for, every other one stays in the mapped file.
// Source: numpy's documentation, numpy.lib.format.

/// A mapped file of numpy arrays.
public struct NumPyFile: Sendable {
  /// The name of the array of a .npy file, which holds none.
  public static let soleName = "array"

  /// The path as given.
  public var path: String { file.path }
  let file: MappedFile
  private let entries: [Entry]

  private struct Entry: Sendable {
    let name: String
    let header: NumPyHeader
    let record: ZipArchive.Record
  }

  /// Whether bytes begin as a .npy file does.
  static func isArray(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: NumPyHeader.magic) }

  /// Whether a zip archive holds arrays and nothing else, which tells it from PyTorch's.
  static func isArchive(_ file: MappedFile) throws(InferenceError) -> Bool {
    // The old format of PyTorch is no archive; its reader says so.
    guard file.bytes.starts(with: "PK".utf8) else { return false }
    let names = try ZipArchive(file.bytes, path: file.path).records.keys
    return !names.isEmpty && names.allSatisfy { $0.hasSuffix(".npy") }
  }

  /// Reads the header of a .npy file.
  init(array file: MappedFile) throws(InferenceError) {
    self.file = file
    let record = ZipArchive.Record(range: 0..<file.count, size: file.count, isDeflated: false)
    entries = [try Self.entry(Self.soleName, record, Array(file.bytes.prefix(NumPyHeader.limit)), file)]
  }

  /// Reads the headers of all arrays of a .npz archive.
  init(archive file: MappedFile) throws(InferenceError) {
    self.file = file
    let archive = try ZipArchive(file.bytes, path: file.path)
    var entries: [Entry] = []
    for (name, record) in archive.records.sorted(by: { $0.key < $1.key }) {
      let start = try archive.bytes(of: record, named: name, first: NumPyHeader.limit)
      entries.append(try Self.entry(String(name.dropLast(".npy".count)), record, start, file))
    }
    self.entries = entries
  }

  /// Checks an array's size against what its record holds.
  private static func entry(
    _ name: String, _ record: ZipArchive.Record, _ start: [UInt8], _ file: MappedFile
  ) throws(InferenceError) -> Entry {
    let place = "array \(InferenceError.excerpt(name))"
    let header = try NumPyHeader(start, path: file.path, place: place)
    guard header.length + header.byteCount == record.size else {
      throw .fileMalformed(
        path: file.path, place: place, expected: "\(header.byteCount) bytes for the shape \(header.shape)",
        found: "\(record.size - header.length)")
    }
    return Entry(name: name, header: header, record: record)
  }

  /// The names of all arrays.
  public var names: [String] { entries.map(\.name) }

  /// Whether there is an array with a name.
  public func hasTensor(named name: String) -> Bool { entries.contains { $0.name == name } }

  /// An array's shape, slowest dimension first.
  /// - Throws: `InferenceError.tensorMissing`.
  public func shape(of name: String) throws(InferenceError) -> [Int] { try entry(named: name).header.shape }

  private func entry(named name: String) throws(InferenceError) -> Entry {
    guard let entry = entries.first(where: { $0.name == name }) else {
      throw .tensorMissing(path: path, tensor: InferenceError.excerpt(name))
    }
    return entry
  }

  /// An array; unpacked into memory if the file does not hold its numbers as this machine reads them.
  /// - Throws: `InferenceError.tensorMissing`, `.fileMalformed` for damaged deflate data, `.memoryShort`.
  public func tensor(named name: String) throws(InferenceError) -> StridedTensor {
    let entry = try entry(named: name)
    let header = entry.header
    var (storage, start) = (file, entry.record.range.lowerBound)
    if entry.record.isDeflated || header.isBigEndian {
      (storage, start) = (try unpacked(entry), 0)
    }
    let count = header.shape.reduce(1, *)
    let data = start + header.length
    return StridedTensor(
      name: entry.name, shape: header.shape, strides: header.strides, offset: 0, count: count, span: count,
      storage: SafetensorsTensor(
        name: entry.name, type: header.type, shape: [count], file: storage,
        range: data..<data + header.byteCount))
  }

  /// A copy of a record: inflated, and with the bytes of every number in this machine's order.
  private func unpacked(_ entry: Entry) throws(InferenceError) -> MappedFile {
    let (record, header) = (entry.record, entry.header)
    try MemoryBudget.require(
      2 * record.size, for: "the array \(InferenceError.excerpt(entry.name)) of \(path)",
      remedy: "close other programs, or save the array with numpy.savez, which stores it")
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: record.size, alignment: 16)
    defer { copy.deallocate() }
    let packed = UnsafeRawBufferPointer(rebasing: file.bytes[record.range])
    if record.isDeflated {
      let place = "array \(InferenceError.excerpt(entry.name))"
      let found = try Inflater(.raw, packed, path: path, place: place).read(into: copy)
      guard found == record.size else {
        throw .fileMalformed(path: path, place: place, expected: "\(record.size) bytes", found: "\(found)")
      }
    } else {
      copy.copyMemory(from: packed)
    }
    let size = header.type.size
    if header.isBigEndian, size > 1 {
      for start in stride(from: header.length, to: record.size, by: size) {
        var number = UnsafeMutableRawBufferPointer(rebasing: copy[start..<start + size])
        number.reverse()
      }
    }
    return try MappedFile(path: path, content: UnsafeRawBufferPointer(copy))
  }
}
