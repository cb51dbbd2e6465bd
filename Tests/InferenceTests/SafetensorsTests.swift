import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct SafetensorsTests {
  let folder = TemporaryFolder()

  func file(_ header: String, data: [UInt8] = []) -> [UInt8] {
    GGUFBuilder.bytes(UInt64(header.utf8.count)) + Array(header.utf8) + data
  }

  func refusal(_ bytes: [UInt8]) throws -> String {
    let path = try folder.file("bad.safetensors", bytes)
    let error = #expect(throws: InferenceError.self) { try SafetensorsFile(path: path) }
    return error.map(String.init(describing:)) ?? "accepted"
  }

  func refusal(_ header: String, data: [UInt8] = []) throws -> String { try refusal(file(header, data: data)) }

  var small: SafetensorsWriter {
    var writer = SafetensorsWriter(metadata: ["layer": "14", "quote": "\"\\\n\u{1}é"])
    writer.add("w", shape: [2, 3], floats: [1, -2, 0.5, 3, .infinity, 1e-30])
    writer.add("half", shape: [3], floats: [1, 1.00390625, -0.1], as: .bf16)
    writer.add("ids", shape: [2], int32s: [-1, 49_151])
    writer.add("long", shape: [], int64s: [1 << 40])
    writer.add("exact", shape: [1], doubles: [Double.pi])
    writer.add("none", shape: [0, 4], floats: [])
    return writer
  }

  @Test func readsBackWhatItWrote() throws {
    let path = folder.path + "/a.safetensors"
    try small.write(to: path)
    let file = try SafetensorsFile(path: path)
    #expect(try file.floats(named: "w") == [1, -2, 0.5, 3, .infinity, 1e-30])
    #expect(try file.shape(of: "w") == [2, 3])
    #expect(try file.floats(named: "half") == [1, 1, -0.10009765625])
    #expect(try file.ints(named: "ids") == [-1, 49_151])
    #expect(try file.ints(named: "long") == [1 << 40])
    #expect(try file.shape(of: "long") == [])
    #expect(try file.tensor(named: "exact").doubles() == [Double.pi])
    #expect(try file.floats(named: "none") == [])
    #expect(try file.tensor(named: "w").floats(2..<4) == [0.5, 3])
    #expect(file.metadata == ["layer": "14", "quote": "\"\\\n\u{1}é"])
    #expect(throws: InferenceError.tensorMissing(path: path, tensor: "x")) { try file.floats(named: "x") }
    #expect(throws: InferenceError.self) { try file.floats(named: "ids") }
    #expect(throws: InferenceError.self) { try file.ints(named: "w") }
  }

  @Test func writesEqualBytesWhateverTheOrderOfAdding() throws {
    var first = SafetensorsWriter(metadata: ["a": "1", "b": "2"])
    first.add("x", shape: [1], floats: [1])
    first.add("y", shape: [1], floats: [2], as: .bf16)
    var second = SafetensorsWriter(metadata: ["b": "2", "a": "1"])
    second.add("y", shape: [1], floats: [2], as: .bf16)
    second.add("x", shape: [1], floats: [1])
    try first.write(to: folder.path + "/1")
    try second.write(to: folder.path + "/2")
    let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/1"))
    #expect(try bytes == Data(contentsOf: URL(fileURLWithPath: folder.path + "/2")))
    #expect((bytes.count - 6) % 8 == 0)
  }

  @Test func writesLargeTensorsInChunks() throws {
    let count = 700_001
    var writer = SafetensorsWriter()
    writer.add("big", shape: [count], as: .f32) { range, buffer in
      for (index, element) in range.enumerated() { buffer[index] = Float(element) }
    }
    writer.add("rounded", shape: [count], as: .bf16) { range, buffer in
      for (index, element) in range.enumerated() { buffer[index] = Float(element) }
    }
    let path = folder.path + "/big"
    try writer.write(to: path)
    let file = try SafetensorsFile(path: path)
    #expect(try file.floats(named: "big") == (0..<count).map { Float($0) })
    #expect(try file.floats(named: "rounded") == (0..<count).map { float(bfloat16Bits: bfloat16Bits(Float($0))) })
  }

  @Test func roundsToTheNearestBfloat16WithTiesToEven() {
    #expect(bfloat16Bits(1) == 0x3F80)
    #expect(bfloat16Bits(Float(bitPattern: 0x3F80_8000)) == 0x3F80)
    #expect(bfloat16Bits(Float(bitPattern: 0x3F81_8000)) == 0x3F82)
    #expect(bfloat16Bits(Float(bitPattern: 0x3F80_8001)) == 0x3F81)
    #expect(bfloat16Bits(-.infinity) == 0xFF80)
    #expect(bfloat16Bits(.greatestFiniteMagnitude) == 0x7F80)
    #expect(float(bfloat16Bits: bfloat16Bits(Float(bitPattern: 0x7F80_0001))).isNaN)
    #expect(float(bfloat16Bits: bfloat16Bits(Float(bitPattern: 0xFFFF_FFFF))).isNaN)
  }

  @Test func convertsEveryType() throws {
    func one(_ type: String, _ bytes: [UInt8]) throws -> SafetensorsTensor {
      let header = "{\"t\":{\"dtype\":\"\(type)\",\"shape\":[],\"data_offsets\":[0,\(bytes.count)]}}"
      return try SafetensorsFile(path: folder.file("\(type)", file(header, data: bytes))).tensor(named: "t")
    }
    #expect(try one("F16", [0x00, 0x3E]).floats() == [1.5])
    #expect(try one("F16", [0x01, 0x00]).floats() == [Float(1) / Float(1 << 24)])
    #expect(try one("F64", GGUFBuilder.bytes(2.5)).floats() == [2.5])
    #expect(try one("I16", [0xFF, 0xFF]).ints() == [-1])
    #expect(try one("I8", [0x80]).ints() == [-128])
    #expect(try one("U8", [0x80]).ints() == [128])
    #expect(try one("BOOL", [1]).ints() == [1])
    #expect(try one("U16", [0xFF, 0xFF]).ints() == [65_535])
    #expect(try one("U32", [0xFF, 0xFF, 0xFF, 0xFF]).ints() == [4_294_967_295])
    let huge = try one("U64", [UInt8](repeating: 0xFF, count: 8))
    #expect(throws: InferenceError.self) { try huge.ints() }
  }

  @Test func acceptsWhatTheFormatAllows() throws {
    let accepted = [
      "{}", "{}      ", "{\"__metadata__\":{}}", " {}".trimmingCharacters(in: .whitespaces),
      "{ \"\\u00e9\\ud83d\\ude00\" : { \"shape\" : [ 0 ] , \"data_offsets\" : [ 0 , 0 ] , \"dtype\" : \"F32\" } }",
    ]
    for header in accepted {
      let path = try folder.file("good", file(header))
      #expect(throws: Never.self, "\(header)") { try SafetensorsFile(path: path) }
    }
    let last = try SafetensorsFile(path: folder.file("last", file(accepted[4])))
    #expect(last.tensors.map(\.name) == ["é😀"])
  }

  @Test func refusesHeadersThatBreakTheFormat() throws {
    func entry(_ shape: String = "[1]", _ offsets: String = "[0,4]", dtype: String = "\"F32\"") -> String {
      "{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }
    let four: [UInt8] = [0, 0, 0, 0]
    #expect(try refusal([1, 2, 3]).contains("length of the header"))
    #expect(try refusal(GGUFBuilder.bytes(UInt64.max)).contains("length of the header"))
    #expect(try refusal(GGUFBuilder.bytes(UInt64(1 << 32))).contains("length of the header"))
    #expect(try refusal("").contains("{ as its first byte"))
    #expect(try refusal(" {}").contains("{ as its first byte"))
    #expect(try refusal("{}\n").contains("only spaces"))
    #expect(try refusal("{}{}").contains("only spaces"))
    #expect(try refusal(file("{\"") + [0xFF]).contains("damaged"))
    #expect(try refusal("{\"a\":\(entry()),\"a\":\(entry("[0]", "[4,4]"))}", data: four).contains("a twice"))
    #expect(try refusal("{\"a\":\(entry())}", data: []).contains("tensor a"))
    #expect(try refusal("{\"a\":\(entry())}", data: four + [0]).contains("expected 4 bytes, found 5"))
    #expect(try refusal("{\"a\":\(entry("[2]"))}", data: four).contains("expected 8 bytes for F32 [2]"))
    #expect(try refusal("{\"a\":\(entry("[1]", "[1,5]"))}", data: four + [0]).contains("data from byte 0 on"))
    #expect(
      try refusal("{\"a\":\(entry()),\"b\":\(entry())}", data: four).contains("tensor b: expected data from byte 4"))
    #expect(try refusal("{\"a\":\(entry("[0]", "[4,0]"))}", data: four).contains("tensor a"))
    #expect(try refusal("{\"a\":\(entry("[4294967296,4294967296]"))}", data: four).contains("a size that fits"))
    #expect(try refusal("{\"a\":\(entry("[9223372036854775808]"))}", data: four).contains("below 2^63"))
    #expect(try refusal("{\"a\":\(entry("[-1]"))}", data: four).contains("non-negative"))
    #expect(try refusal("{\"a\":\(entry("[1.0]"))}", data: four).contains("damaged"))
    #expect(try refusal("{\"a\":\(entry("[01]"))}", data: four).contains("non-negative"))
    #expect(try refusal("{\"a\":\(entry("[1]", "[0]"))}", data: four).contains("two data_offsets"))
    #expect(try refusal("{\"a\":\(entry("[1]", "[0,4,4]"))}", data: four).contains("two data_offsets"))
    #expect(try refusal("{\"a\":\(entry(dtype: "\"F8_E4M3\""))}", data: four).contains("F8_E4M3"))
    #expect(try refusal("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", data: four).contains("damaged"))
    #expect(try refusal("{\"a\":{\"dtype\":\"F32\",\"extra\":[1]}}", data: four).contains("extra in a"))
    #expect(try refusal("{\"__metadata__\":{\"a\":1}}").contains("damaged"))
    #expect(try refusal("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}").contains("a twice"))
    #expect(try refusal("{\"\\ud800\":\(entry())}", data: four).contains("surrogates"))
    #expect(try refusal("{\"a\\q\":\(entry())}", data: four).contains("escape"))
    #expect(try refusal("{\"a").contains("the end of the header"))
    #expect(try refusal(String(repeating: "{\"a\":", count: 100_000)).contains("damaged"))
  }

  @Test func survivesEveryTruncationAndFlippedByte() throws {
    let path = folder.path + "/small"
    try small.write(to: path)
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    for length in 1..<bytes.count {
      let cut = try folder.file("cut", Array(bytes[..<length]))
      #expect(throws: InferenceError.self, "cut to \(length) bytes") { try SafetensorsFile(path: cut) }
    }
    for index in bytes.indices {
      for mask: UInt8 in [0x01, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= mask
        guard let file = try? SafetensorsFile(path: folder.file("flip", changed)) else { continue }
        for tensor in file.tensors {
          #expect((try? tensor.floats())?.count ?? tensor.count == tensor.count)
          #expect((try? tensor.ints())?.count ?? tensor.count == tensor.count)
        }
      }
    }
  }

  @Test func leavesNothingBehindWhenAWriteFails() throws {
    let path = folder.path + "/out"
    try small.write(to: path)
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    var succeeded = false
    for failing in 1...100 where !succeeded {
      var calls = 0
      // Also writes only part of what it is given, as write(2) may.
      let file = try AtomicFile(path: path) { descriptor, start, count in
        calls += 1
        guard calls < failing else {
          errno = ENOSPC
          return -1
        }
        return write(descriptor, start, min(count, 64))
      }
      do {
        try small.write(to: file)
        succeeded = true
      } catch {
        #expect(error == .fileUnwritable(path: path, reason: "No space left on device"))
      }
      #expect(folder.names == ["out"])
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }
    #expect(succeeded)
  }

  @Test func nothingIsThereBeforeTheEndNorWhenItIsDropped() throws {
    var file: AtomicFile? = try AtomicFile(path: folder.path + "/out")
    try file?.write([1, 2, 3])
    #expect(folder.names == [])
    file = nil
    #expect(folder.names == [])
  }

  @Test func saysWhyItCannotWrite() throws {
    let path = folder.path + "/none/out"
    #expect(throws: InferenceError.fileUnwritable(path: path, reason: "No such file or directory")) {
      try small.write(to: path)
    }
    try FileManager.default.createDirectory(atPath: folder.path + "/taken", withIntermediateDirectories: true)
    #expect(throws: InferenceError.self) { try small.write(to: folder.path + "/taken") }
    #expect(folder.names == ["taken"])
  }
}
