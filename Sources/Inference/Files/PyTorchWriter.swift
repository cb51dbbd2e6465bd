// Writes a dictionary of tensors as torch.save does since PyTorch 1.6: a zip archive with the pickle data.pkl, one record of
// numbers for each tensor, stored and aligned to 64 bytes, and the records `byteorder` and `version`. The pickle names only
// what torch.load(weights_only=True) admits. Archives beyond 4 GB would need zip's 64-bit records and are refused.
// Source: PyTorch's serialization notes; APPNOTE.TXT of zip.

import CZlib

/// Collects tensors, then writes them to one PyTorch file.
public struct PyTorchWriter {
  private struct Item {
    let name: String
    let shape: [Int]
    let storage: String
    let bytes: [UInt8]
    let count: Int
  }

  private var items: [Item] = []

  /// A writer without tensors.
  public init() {}

  /// Adds fp32 values, row-major.
  public mutating func add(_ name: String, shape: [Int], floats: [Float]) {
    precondition(floats.count == shape.reduce(1, *), "\(name): \(floats.count) values for the shape \(shape)")
    let bytes = floats.map(\.bitPattern.littleEndian).withUnsafeBytes { Array($0) }
    items.append(Item(name: name, shape: shape, storage: "FloatStorage", bytes: bytes, count: floats.count))
  }

  /// Adds 64-bit integers, row-major.
  public mutating func add(_ name: String, shape: [Int], int64s: [Int64]) {
    precondition(int64s.count == shape.reduce(1, *), "\(name): \(int64s.count) values for the shape \(shape)")
    let bytes = int64s.map(\.littleEndian).withUnsafeBytes { Array($0) }
    items.append(Item(name: name, shape: shape, storage: "LongStorage", bytes: bytes, count: int64s.count))
  }

  /// Writes the file, which appears complete or not at all.
  /// - Throws: `InferenceError.fileUnwritable`, also if the archive would be larger than 4 GB.
  public func write(to path: String, replacing: Bool = true) throws(InferenceError) {
    guard items.reduce(1 << 20, { $0 + $1.bytes.count }) < Int(UInt32.max) else {
      throw .fileUnwritable(path: path, reason: "a PyTorch archive of more than 4 GB is not written; write safetensors")
    }
    let file = try AtomicFile(path: path)
    var archive = Archive(file: file)
    try archive.add("archive/data.pkl", pickle)
    try archive.add("archive/byteorder", Array("little".utf8))
    for (index, item) in items.enumerated() { try archive.add("archive/data/\(index)", item.bytes) }
    try archive.add("archive/version", Array("3\n".utf8))
    try archive.finish()
    try file.commit(replacing: replacing)
  }

  // MARK: the pickle

  /// A dictionary of names and of torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()).
  private var pickle: [UInt8] {
    var out: [UInt8] = [0x80, 2] + Array("}(".utf8)
    func text(_ text: String) -> [UInt8] {
      let bytes = Array(text.utf8)
      return [UInt8(ascii: "X")] + Self.littleEndian(UInt32(bytes.count)) + bytes
    }
    func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
    func integer(_ value: Int) -> [UInt8] {
      if let small = Int32(exactly: value) {
        return [UInt8(ascii: "J")] + Self.littleEndian(UInt32(bitPattern: small))
      }
      return [0x8A, 8] + (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    func tuple(_ values: [Int]) -> [UInt8] {
      [UInt8(ascii: "(")] + values.flatMap(integer) + [UInt8(ascii: "t")]
    }
    for (index, item) in items.enumerated() {
      var strides: [Int] = []
      for dimension in item.shape.indices { strides.append(item.shape[(dimension + 1)...].reduce(1, *)) }
      out += text(item.name) + global("torch._utils", "_rebuild_tensor_v2") + Array("((".utf8)
      out += text("storage") + global("torch", item.storage) + text("\(index)") + text("cpu") + integer(item.count)
      out += Array("tQ".utf8) + integer(0) + tuple(item.shape) + tuple(strides) + [0x89]
      out += global("collections", "OrderedDict") + Array(")RtR".utf8)
    }
    return out + Array("u.".utf8)
  }

  fileprivate static func littleEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  fileprivate static func littleEndian(_ value: UInt16) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
  }
}

// MARK: the archive

/// A zip archive of stored records that is being written.
private struct Archive {
  let file: AtomicFile
  private var offset = 0
  private var directory: [UInt8] = []
  private var count: UInt16 = 0

  init(file: AtomicFile) { self.file = file }

  mutating func add(_ name: String, _ bytes: [UInt8]) throws(InferenceError) {
    let sum = bytes.withUnsafeBytes { bytes in
      UInt32(truncatingIfNeeded: crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
    }
    // Padding in the extra field puts the numbers on a multiple of 64.
    let start = offset + 30 + name.utf8.count
    let padding = (64 - (start + 4) % 64) % 64
    let sizes =
      PyTorchWriter.littleEndian(sum) + PyTorchWriter.littleEndian(UInt32(bytes.count))
      + PyTorchWriter.littleEndian(UInt32(bytes.count))
    let common: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]  // version, flags, stored, and the date 1980-01-01
    var header = Array("PK".utf8) + [3, 4] + [20] + common.dropFirst() + sizes
    header += PyTorchWriter.littleEndian(UInt16(name.utf8.count)) + PyTorchWriter.littleEndian(UInt16(padding + 4))
    header += Array(name.utf8)
    header += Array("FB".utf8) + PyTorchWriter.littleEndian(UInt16(padding)) + [UInt8](repeating: 0x5A, count: padding)
    try file.write(header)
    try file.write(bytes)
    directory += Array("PK".utf8) + [1, 2] + [20, 0] + [20] + common.dropFirst() + sizes
    directory += PyTorchWriter.littleEndian(UInt16(name.utf8.count))
    // No extra field, no comment, first disk, no attributes.
    directory += [UInt8](repeating: 0, count: 12) + PyTorchWriter.littleEndian(UInt32(offset)) + Array(name.utf8)
    (offset, count) = (offset + header.count + bytes.count, count + 1)
  }

  mutating func finish() throws(InferenceError) {
    try file.write(directory)
    var end = Array("PK".utf8) + [5, 6, 0, 0, 0, 0]
    end += PyTorchWriter.littleEndian(count) + PyTorchWriter.littleEndian(count)
    end += PyTorchWriter.littleEndian(UInt32(directory.count)) + PyTorchWriter.littleEndian(UInt32(offset)) + [0, 0]
    try file.write(end)
  }
}
