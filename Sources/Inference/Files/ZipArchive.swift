// A zip archive in a mapped file: which bytes belong to each record, and what they unpack to. torch.save writes such
// archives with stored records, numpy.savez with stored or deflated ones. This walks over the central directory, zip64
// included. Encrypted records, other ways of compression, archives in several parts, records that leave the file or
// reach into the directory, and doubled names are errors. Checksums are not verified, because that would read every
// page of files of gigabytes. Records may overlap: that is harmless, since a record unpacks to at most
// `ZipArchive.expansionLimit` times its packed size. Source: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3.

/// The records of a zip archive.
struct ZipArchive {
  /// A record: its packed bytes in the file, and their number when they are unpacked.
  struct Record {
    let range: Range<Int>
    let size: Int
    let isDeflated: Bool
  }

  /// The records by name.
  private(set) var records: [String: Record] = [:]

  /// The largest ratio of unpacked to packed size. Deflate reaches 1,032 on zeros and cannot exceed it.
  static let expansionLimit = 1032

  private let path: String
  private let bytes: UnsafeRawBufferPointer

  private static let endSize = 22
  private static let locatorSize = 20

  /// Walks over the directory of the archive in `bytes`.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(InferenceError) {
    self.bytes = bytes
    self.path = path
    let directory = try findDirectory()
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<directory.range.upperBound]), path: path)
    _ = try reader.take(directory.range.lowerBound, "zip directory")
    // A directory entry takes at least 46 bytes, so a count above size / 46 is not believed.
    records.reserveCapacity(min(directory.count, directory.range.count / 46))
    for index in 0..<directory.count {
      try readEntry(&reader, index, limit: directory.range.lowerBound)
    }
    guard reader.remaining == 0 else {
      throw malformed("zip directory", "\(directory.count) records", "\(reader.remaining) bytes after them")
    }
  }

  /// Finds the central directory through the record at the end of the file.
  private func findDirectory() throws(InferenceError) -> (range: Range<Int>, count: Int) {
    // A comment of up to 65,535 bytes may follow; a record is valid only if its comment ends the file.
    var start = bytes.count - Self.endSize
    let lowest = max(0, start - 65_535)
    while start >= lowest {
      if load(UInt32.self, start) == 0x0605_4B50,
        Int(load(UInt16.self, start + 20)) == bytes.count - start - Self.endSize
      {
        break
      }
      start -= 1
    }
    guard start >= lowest else { throw malformed("end of the file", "the end of a zip archive", "other bytes") }
    var reader = ByteReader(bytes, path: path)
    _ = try reader.take(start + 4, "end of the zip archive")
    var parts = UInt32(try reader.read(UInt16.self, "zip parts")) | UInt32(try reader.read(UInt16.self, "zip parts"))
    let countHere = UInt64(try reader.read(UInt16.self, "zip records"))
    var count = UInt64(try reader.read(UInt16.self, "zip records"))
    var size = UInt64(try reader.read(UInt32.self, "size of the zip directory"))
    var offset = UInt64(try reader.read(UInt32.self, "place of the zip directory"))
    var agree = countHere == count
    var end = start
    if start >= Self.locatorSize, load(UInt32.self, start - Self.locatorSize) == 0x0706_4B50 {
      let place = load(UInt64.self, start - Self.locatorSize + 8)
      // The zip64 record before the locator takes 56 bytes.
      guard start - Self.locatorSize >= 56, place <= UInt64(start - Self.locatorSize - 56),
        load(UInt32.self, Int(place)) == 0x0606_4B50
      else { throw malformed("end of the zip archive", "a zip64 record", "byte \(place)") }
      end = Int(place)
      parts = load(UInt32.self, end + 16) | load(UInt32.self, end + 20)
      count = load(UInt64.self, end + 32)
      agree = load(UInt64.self, end + 24) == count
      size = load(UInt64.self, end + 40)
      offset = load(UInt64.self, end + 48)
    }
    guard parts == 0, agree else {
      throw .unsupported(path: path, what: "a zip archive", found: "of several parts", supported: "all in one file")
    }
    guard size <= UInt64(end), offset == UInt64(end) - size else {
      throw malformed("zip directory", "\(size) bytes before byte \(end)", "byte \(offset)")
    }
    guard count <= size / 46 else { throw malformed("zip directory", "room for \(count) records", "\(size) bytes") }
    return (Int(offset)..<end, Int(count))
  }

  /// Reads an entry of the directory and the local header that it points to.
  private mutating func readEntry(_ reader: inout ByteReader, _ index: Int, limit: Int) throws(InferenceError) {
    let place = "zip record \(index)"
    guard try reader.read(UInt32.self, place) == 0x0201_4B50 else {
      throw malformed("\(place) (byte \(reader.offset - 4))", "a directory entry", "other bytes")
    }
    _ = try reader.take(4, place)
    let flags = try reader.read(UInt16.self, place)
    let method = try reader.read(UInt16.self, place)
    _ = try reader.take(8, place)
    var packed = UInt64(try reader.read(UInt32.self, place))
    var size = UInt64(try reader.read(UInt32.self, place))
    let nameLength = Int(try reader.read(UInt16.self, place))
    let extraLength = Int(try reader.read(UInt16.self, place))
    let commentLength = Int(try reader.read(UInt16.self, place))
    _ = try reader.take(8, place)
    var header = UInt64(try reader.read(UInt32.self, place))
    let nameRange = try reader.take(nameLength, place)
    let extra = try reader.take(extraLength, place)
    _ = try reader.take(commentLength, place)
    guard let name = String(validating: bytes[nameRange], as: UTF8.self) else {
      throw malformed(place, "a name in UTF-8", "other bytes")
    }
    let title = "zip record \(InferenceError.excerpt(name))"
    guard flags & 1 == 0, method == 0 || method == 8 else {
      throw .unsupported(
        path: path, what: title, found: flags & 1 == 0 ? "compressed (method \(method))" : "encrypted",
        supported: "records that are stored or deflated")
    }
    try readZip64(extra, title, &size, &packed, &header)
    let data = try dataRange(header: header, size: packed, name: nameRange, title: title, limit: limit)
    if method == 0 {
      guard packed == size else { throw malformed(title, "\(size) bytes", "\(packed)") }
    } else {
      let (most, overflow) = packed.multipliedReportingOverflow(by: UInt64(Self.expansionLimit))
      guard !overflow, size <= most else {
        throw malformed(title, "at most \(Self.expansionLimit) bytes for each of \(packed) packed ones", "\(size)")
      }
    }
    let record = Record(range: data, size: Int(size), isDeflated: method == 8)
    guard records.updateValue(record, forKey: name) == nil else { throw malformed(title, "each name once", "it twice") }
  }

  /// Takes the sizes and the place from the zip64 field if the short fields say so.
  private func readZip64(
    _ extra: Range<Int>, _ title: String, _ size: inout UInt64, _ packed: inout UInt64, _ header: inout UInt64
  ) throws(InferenceError) {
    let full = UInt64(UInt32.max)
    guard size == full || packed == full || header == full else { return }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[extra]), path: path)
    while reader.remaining >= 4 {
      let id = try reader.read(UInt16.self, title)
      let length = Int(try reader.read(UInt16.self, title))
      let field = try reader.take(length, title)
      guard id == 1 else { continue }
      var inner = ByteReader(UnsafeRawBufferPointer(rebasing: reader.bytes[field]), path: path)
      if size == full { size = try inner.read(UInt64.self, title) }
      if packed == full { packed = try inner.read(UInt64.self, title) }
      if header == full { header = try inner.read(UInt64.self, title) }
      return
    }
    throw malformed(title, "a zip64 field", "none")
  }

  /// The bytes of the record: they follow its local header, which repeats the name, and end before the directory.
  private func dataRange(
    header: UInt64, size: UInt64, name: Range<Int>, title: String, limit: Int
  ) throws(InferenceError) -> Range<Int> {
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<limit]), path: path)
    guard header <= UInt64(limit) else { throw malformed(title, "a place before byte \(limit)", "byte \(header)") }
    _ = try reader.take(Int(header), title)
    guard try reader.read(UInt32.self, title) == 0x0403_4B50 else {
      throw malformed("\(title) (byte \(header))", "a local header", "other bytes")
    }
    _ = try reader.take(22, title)
    let nameLength = Int(try reader.read(UInt16.self, title))
    let extraLength = Int(try reader.read(UInt16.self, title))
    let localName = try reader.take(nameLength, title)
    guard bytes[localName].elementsEqual(bytes[name]) else {
      throw malformed("\(title) (byte \(header))", "the same name in its local header", "another")
    }
    _ = try reader.take(extraLength, title)
    guard size <= UInt64(reader.remaining) else {
      throw malformed(title, "\(size) bytes", "\(reader.remaining) before the directory")
    }
    return try reader.take(Int(size), title)
  }

  /// The first bytes of a record, unpacked.
  /// - Parameter count: how many are wanted; fewer come if the record is shorter.
  func bytes(of record: Record, named name: String, first count: Int) throws(InferenceError) -> [UInt8] {
    let packed = UnsafeRawBufferPointer(rebasing: bytes[record.range])
    let wanted = min(count, record.size)
    guard record.isDeflated else { return Array(packed.prefix(wanted)) }
    let title = "zip record \(InferenceError.excerpt(name))"
    let inflater = try Inflater(.raw, packed, path: path, place: title)
    var result = [UInt8](repeating: 0, count: wanted)
    let found: Result<Int, InferenceError> = result.withUnsafeMutableBytes { buffer in
      do throws(InferenceError) { return .success(try inflater.read(into: buffer)) } catch { return .failure(error) }
    }
    guard try found.get() == wanted else { throw malformed(title, "\(record.size) unpacked bytes", "fewer") }
    return result
  }

  private func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ offset: Int) -> T {
    T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  private func malformed(_ place: String, _ expected: String, _ found: String) -> InferenceError {
    .fileMalformed(path: path, place: place, expected: expected, found: found)
  }
}
