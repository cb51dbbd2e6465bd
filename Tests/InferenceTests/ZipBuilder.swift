// Builds zip archives as torch.save does, and wrong ones.
import TestSupport

struct ZipBuilder {
  struct Record {
    var name: String
    var data: [UInt8]
    var flags: UInt16 = 0
    var method: UInt16 = 0
    /// What the directory says instead of the truth.
    var claimedSize: UInt64?
    var claimedOffset: UInt64?
    /// Sizes and place in the zip64 field rather than the short ones.
    var isZip64 = false
    var localName: String?
  }

  var records: [Record] = []
  var comment: [UInt8] = []
  /// Whether the end is written as torch does: the zip64 record and its locator before the old one.
  var hasZip64End = true
  var claimedCount: UInt64?
  var claimedDirectory: UInt64?
  var parts: UInt32 = 0

  /// An archive with this pickle and storages `data/0`, `data/1`, …
  init(pickle: [UInt8], storages: [[UInt8]] = []) {
    records = [Record(name: "archive/data.pkl", data: pickle)]
    records += storages.enumerated().map { Record(name: "archive/data/\($0)", data: $1) }
  }

  var file: [UInt8] {
    func b<T>(_ value: T) -> [UInt8] { GGUFBuilder.bytes(value) }
    var out: [UInt8] = []
    var directory: [UInt8] = []
    for record in records {
      let offset = record.claimedOffset ?? UInt64(out.count)
      let size = record.claimedSize ?? UInt64(record.data.count)
      let name = Array(record.name.utf8)
      let local = Array((record.localName ?? record.name).utf8)
      let short = { (value: UInt64) -> UInt32 in record.isZip64 ? .max : UInt32(truncatingIfNeeded: value) }
      out += b(UInt32(0x0403_4B50)) + b(UInt16(0)) + b(record.flags) + b(record.method) + b(UInt64(0))
      out += b(UInt32(record.data.count)) + b(UInt32(record.data.count)) + b(UInt16(local.count)) + b(UInt16(3))
      out += local + [1, 2, 3] + record.data
      let extra =
        record.isZip64 ? b(UInt32(0x0000_0007)) + b(UInt16(1)) + b(UInt16(24)) + b(size) + b(size) + b(offset) : []
      directory += b(UInt32(0x0201_4B50)) + b(UInt32(0)) + b(record.flags) + b(record.method) + b(UInt64(0))
      directory += b(short(size)) + b(short(size)) + b(UInt16(name.count)) + b(UInt16(extra.count)) + b(UInt16(0))
      directory += b(UInt64(0)) + b(short(offset)) + name + extra
    }
    let start = claimedDirectory ?? UInt64(out.count)
    let count = claimedCount ?? UInt64(records.count)
    out += directory
    let end = UInt64(out.count)
    if hasZip64End {
      out += b(UInt32(0x0606_4B50)) + b(UInt64(44)) + b(UInt32(0)) + b(parts) + b(parts) + b(count) + b(count)
      out += b(UInt64(directory.count)) + b(start)
      out += b(UInt32(0x0706_4B50)) + b(UInt32(0)) + b(end) + b(UInt32(1))
    }
    out += b(UInt32(0x0605_4B50)) + b(UInt16(parts)) + b(UInt16(parts))
    out += b(UInt16(truncatingIfNeeded: count)) + b(UInt16(truncatingIfNeeded: count))
    out += b(UInt32(directory.count)) + b(UInt32(truncatingIfNeeded: start)) + b(UInt16(comment.count)) + comment
    return out
  }
}

/// Writes pickles of protocol 2.
enum Pickle {
  static let proto: [UInt8] = [0x80, 2]
  static let stop = Array(".".utf8)
  static let orderedDict = global("collections", "OrderedDict") + Array(")R".utf8)

  static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
  static func text(_ text: String) -> [UInt8] { [0x58] + GGUFBuilder.bytes(UInt32(text.utf8.count)) + Array(text.utf8) }
  static func int(_ value: Int) -> [UInt8] { [0x8A, 8] + GGUFBuilder.bytes(value) }
  static func tuple(_ items: [[UInt8]]) -> [UInt8] { Array("(".utf8) + items.flatMap { $0 } + Array("t".utf8) }
  static func reduce(_ callable: [UInt8], _ arguments: [[UInt8]]) -> [UInt8] {
    callable + tuple(arguments) + Array("R".utf8)
  }
  static func dictionary(_ pairs: [([UInt8], [UInt8])]) -> [UInt8] {
    Array("}(".utf8) + pairs.flatMap { $0.0 + $0.1 } + Array("u".utf8)
  }
  static func tensor(
    shape: [Int], strides: [Int], offset: Int = 0, key: String = "0", storage: String = "FloatStorage", count: Int
  ) -> [UInt8] {
    let id = tuple([text("storage"), global("torch", storage), text(key), text("cpu"), int(count)]) + Array("Q".utf8)
    return reduce(
      global("torch._utils", "_rebuild_tensor_v2"),
      [id, int(offset), tuple(shape.map(int)), tuple(strides.map(int)), [0x89], orderedDict])
  }
  static func file(_ pairs: [(String, [UInt8])]) -> [UInt8] {
    proto + dictionary(pairs.map { (text($0.0), $0.1) }) + stop
  }
}
