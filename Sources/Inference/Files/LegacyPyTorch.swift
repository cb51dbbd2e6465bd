// The format of torch.save before PyTorch 1.6, which is no archive: five pickles one after another, then the storages.
//   magic number, protocol version 1001, {little_endian, …}, the content, [keys of storages]
//   for each key: its number of elements in 64 bits, then the elements
// The pickles are read as data, like those of the zip format. Source: torch/serialization.py, _legacy_load.

/// The parts of such a file.
struct LegacyPyTorch {
  let pickle: PyTorchPickle
  /// The bytes of each storage, by its key.
  let storages: [String: Range<Int>]

  /// The pickle of the number 0x1950a86a20f9469cfc6c.
  private static let magic: [UInt8] = [
    0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
  ]

  init(_ file: MappedFile) throws(InferenceError) {
    let path = file.path
    guard file.bytes.starts(with: Self.magic) else {
      throw .fileMalformed(
        path: path, place: "start of the file", expected: "a PyTorch checkpoint", found: "another pickle")
    }
    var offset = Self.magic.count
    func next() throws(InferenceError) -> PyTorchPickle {
      let end = min(file.count, offset + PyTorchFile.pickleLimit)
      let pickle = try PyTorchPickle(
        UnsafeRawBufferPointer(rebasing: file.bytes[offset..<end]), path: path, isFollowed: true)
      offset += pickle.length
      return pickle
    }
    guard case .int(1001) = try next().result else {
      throw .unsupported(path: path, what: "the checkpoint's version", found: "another", supported: "version 1001")
    }
    let system = try next()
    guard case .dictionary(let index) = system.result,
      system.dictionaries[index].contains(where: { key, value in
        if case .text("little_endian") = key, case .bool(true) = value { true } else { false }
      })
    else {
      throw .unsupported(path: path, what: "the byte order", found: "big", supported: "little-endian numbers")
    }
    pickle = try next()
    let keys = try next()
    guard case .list(let list) = keys.result else {
      throw .fileMalformed(path: path, place: "keys of storages", expected: "a list", found: "another value")
    }
    var reader = ByteReader(file.bytes, path: path)
    _ = try reader.take(offset, "keys of storages")
    var storages: [String: Range<Int>] = [:]
    for key in keys.lists[list] {
      guard case .text(let name) = key, let storage = pickle.storages[name], storages[name] == nil else {
        throw .fileMalformed(
          path: path, place: "keys of storages", expected: "each storage of the content once", found: "another key")
      }
      let place = "storage \(InferenceError.excerpt(name))"
      let count = try reader.readCount(itemSize: storage.type.size, place)
      storages[name] = try reader.take(count * storage.type.size, place)
    }
    guard reader.remaining == 0 else {
      throw .fileMalformed(
        path: path, place: "end of the file", expected: "nothing after the last storage",
        found: "\(reader.remaining) bytes")
    }
    self.storages = storages
  }
}
