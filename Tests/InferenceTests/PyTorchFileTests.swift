import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct PyTorchFileTests {
  func open(_ bytes: [UInt8]) throws(InferenceError) -> PyTorchFile {
    try bytes.withUnsafeBufferPointer { (buffer) throws(InferenceError) in
      try PyTorchFile(file: MappedFile(path: "model.pt", content: UnsafeRawBufferPointer(buffer)))
    }
  }

  /// Opens a file that must be refused, and gives the refusal's words.
  func refusal(_ bytes: [UInt8]) -> String {
    let error = #expect(throws: InferenceError.self) { try open(bytes) }
    return error.map(String.init(describing:)) ?? "accepted"
  }

  func refusal(_ change: (inout ZipBuilder) -> Void) -> String {
    var builder = small
    change(&builder)
    return refusal(builder.file)
  }

  func refusal(pickle: [UInt8]) -> String {
    refusal(ZipBuilder(pickle: pickle, storages: [[UInt8](repeating: 0, count: 24)]).file)
  }

  /// Six floats as a matrix.
  var small: ZipBuilder {
    ZipBuilder(
      pickle: Pickle.file([("w", Pickle.tensor(shape: [2, 3], strides: [3, 1], count: 6))]),
      storages: [(0..<6).flatMap { GGUFBuilder.bytes(Float($0)) }])
  }

  @Test(arguments: ["model_final", "cc_weights", "kinds"])
  func readsWhatTorchWrites(_ name: String) throws {
    let file = try PyTorchFile(path: fixturePath("pytorch/\(name).pt"))
    let wanted = try SafetensorsFile(path: fixturePath("pytorch/\(name).safetensors"))
    #expect(Set(file.tensors.map(\.name)) == Set(wanted.tensors.map(\.name)))
    for tensor in wanted.tensors {
      let got = try file.tensor(named: tensor.name)
      #expect(got.shape == tensor.shape && got.type == tensor.type && got.count == tensor.count, "\(tensor.name)")
      switch tensor.type {
      case .f64, .f32, .f16, .bf16:
        #expect(try got.floats().map(\.bitPattern) == tensor.floats().map(\.bitPattern), "\(tensor.name)")
        #expect(throws: InferenceError.self) { try got.ints() }
      default:
        #expect(try got.ints() == tensor.ints(), "\(tensor.name)")
        #expect(throws: InferenceError.self) { try got.floats() }
      }
    }
  }

  @Test func dropsThePrefixOfCompiledModules() throws {
    let compiled = try PyTorchFile(path: fixturePath("pytorch/model_compiled.pt"))
    let plain = try PyTorchFile(path: fixturePath("pytorch/model_final.pt"))
    #expect(compiled.tensors.map(\.name) == plain.tensors.map(\.name))
    #expect(try compiled.floats(named: "decoder.weight") == plain.floats(named: "decoder.weight"))
    #expect(try compiled.shape(of: "decoder.weight") == [2, 96, 24])
    #expect(try !compiled.tensor(named: "decoder.weight").isContiguous)
    #expect(compiled.hasTensor(named: "encoder.bias") && !compiled.hasTensor(named: "_orig_mod.encoder.bias"))
    #expect(throws: InferenceError.tensorMissing(path: plain.path, tensor: "none")) { try plain.floats(named: "none") }
  }

  @Test func readsArchivesOfEveryForm() throws {
    for end in [true, false] {
      for wide in [true, false] {
        var builder = small
        builder.hasZip64End = end
        builder.comment = Array("a comment PK".utf8)
        for index in builder.records.indices { builder.records[index].isZip64 = wide }
        builder.records.append(.init(name: "archive/byteorder", data: Array("little".utf8)))
        #expect(try open(builder.file).floats(named: "w") == [0, 1, 2, 3, 4, 5])
      }
    }
  }

  @Test func honoursStridesAndRefusesViewsThatRepeat() throws {
    func view(_ shape: [Int], _ strides: [Int], offset: Int = 0) -> [UInt8] {
      var builder = small
      builder.records[0].data = Pickle.file([
        ("w", Pickle.tensor(shape: shape, strides: strides, offset: offset, count: 6))
      ])
      return builder.file
    }
    #expect(try open(view([3, 2], [1, 3])).floats(named: "w") == [0, 3, 1, 4, 2, 5])
    #expect(try open(view([2], [2], offset: 3)).floats(named: "w") == [3, 5])
    #expect(try open(view([], [], offset: 5)).floats(named: "w") == [5])
    #expect(try open(view([1, 6], [0, 1])).floats(named: "w") == [0, 1, 2, 3, 4, 5])
    #expect(try open(view([0, .max], [.max, 1])).floats(named: "w") == [])
    #expect(try open(view([0, 2, 1 << 62], [1, 1 << 62, 1])).floats(named: "w") == [])
    #expect(refusal(view([6], [0])).contains("expanded view"))
    #expect(refusal(view([2, 3], [3, 2])).contains("elements within the storage's 6, found element 7"))
    #expect(refusal(view([7], [1])).contains("at most the storage's 6"))
    #expect(refusal(view([2], [.max])).contains("damaged"))
    #expect(refusal(view([3], [.max])).contains("at most"))
    #expect(refusal(view([.max, .max], [1, 1])).contains("at most"))
    #expect(refusal(view([2], [1], offset: .max)).contains("at most"))
    #expect(refusal(view([2], [1], offset: 5)).contains("element 6"))
    #expect(refusal(view([0], [1], offset: 7)).contains("within"))
    #expect(refusal(view([-1], [1])).contains("a shape with its strides"))
    #expect(refusal(view([1], [1], offset: -1)).contains("a shape with its strides"))
    #expect(refusal(view([2, 3], [1])).contains("a shape with its strides"))
    #expect(refusal(view([Int](repeating: 1, count: 17), [])).contains("at most 16 dimensions"))
  }

  @Test func refusesEveryOtherNameAndOpcodeByName() {
    let run = Pickle.global("os", "system") + Pickle.text("true") + [0x85] + Array("R".utf8)
    #expect(refusal(pickle: Pickle.proto + run + Pickle.stop).contains("the Python name os.system"))
    #expect(refusal(pickle: Pickle.proto + Pickle.global("builtins", "eval")).contains("builtins.eval"))
    #expect(refusal(pickle: Pickle.proto + Pickle.global("torch.storage", "UntypedStorage")).contains("UntypedStorage"))
    let escape = Pickle.global("a\u{1B}[2J", "b")
    #expect(!refusal(pickle: Pickle.proto + escape).contains("\u{1B}"))
    for (byte, name) in PickleOpcode.names {
      #expect(refusal(pickle: Pickle.proto + [byte]).contains("the opcode \(name) (data.pkl, byte 2)"))
    }
    #expect(refusal(pickle: Pickle.proto + [0]).contains("number 0"))
    #expect(refusal(pickle: [0x80, 4]).contains("pickle protocol 4"))
    let list = Pickle.reduce(Pickle.global("collections", "OrderedDict"), [Pickle.tuple([])])
    #expect(refusal(pickle: Pickle.proto + list + Pickle.stop).contains("OrderedDict with arguments"))
  }

  @Test func refusesBrokenPickles() {
    func broken(_ bytes: [UInt8]) -> String { refusal(pickle: Pickle.proto + bytes) }
    #expect(broken([]).contains("data.pkl"))
    #expect(broken(Pickle.stop).contains("a value on the stack"))
    #expect(broken(Array("}".utf8)).contains("data.pkl"))
    #expect(broken(Array("}}.".utf8)).contains("nothing after"))
    #expect(broken(Array("}.}".utf8)).contains("nothing after"))
    #expect(broken(Array("(}.".utf8)).contains("nothing after"))
    #expect(broken(Array("t".utf8)).contains("a mark"))
    #expect(broken(Array("}(N}s".utf8)).contains("a value on the stack"))
    #expect(broken(Array("NNNs".utf8)).contains("a dictionary and pairs"))
    #expect(broken(Array("}(Nu".utf8)).contains("a dictionary and pairs"))
    #expect(broken(Array("N(".utf8) + [0x85]).contains("1 values on the stack, found 0"))
    #expect(broken(Array("h\u{7}".utf8)).contains("none with number 7"))
    #expect(broken([0x6A, 0xFF, 0xFF, 0xFF, 0xFF]).contains("4294967295"))
    #expect(broken([0x58, 0xFF, 0xFF, 0xFF, 0xFF]).contains("4294967295 bytes"))
    #expect(broken([0x58, 1, 0, 0, 0, 0xFF]).contains("UTF-8"))
    #expect(broken([0x8A, 9] + [UInt8](repeating: 0, count: 9)).contains("up to 8 bytes"))
    #expect(broken(Array("c".utf8) + [UInt8](repeating: 0x41, count: 1000)).contains("up to 256 bytes"))
    #expect(broken(Array("NNR".utf8)).contains("a call of None"))
    #expect(broken(Array("NQ".utf8)).contains("a storage's type"))
    #expect(broken(Array("NNb".utf8)).contains("BUILD on None"))
    #expect(broken(Array("N.".utf8)).contains("no dictionary"))
    let tensor = Pickle.tensor(shape: [6], strides: [1], count: 6)
    #expect(broken(Array("}N".utf8) + tensor + Array("s.".utf8)).contains("another key"))
    // A dictionary within itself, and one in two places.
    #expect(broken(Array("}q\u{0}".utf8) + Pickle.text("a") + Array("h\u{0}s.".utf8)).contains("each dictionary"))
    #expect(
      broken(Array("}(".utf8) + Pickle.text("a") + Array("}q\u{0}".utf8) + Pickle.text("b") + Array("h\u{0}u.".utf8))
        .contains("each dictionary"))
  }

  @Test func survivesDeepNesting() throws {
    let depth = 300_000
    let tuples = Pickle.proto + Array("}".utf8) + Pickle.text("a") + Array(")".utf8)
    let deep = tuples + [UInt8](repeating: 0x85, count: depth) + Array("s.".utf8)
    #expect(try open(ZipBuilder(pickle: deep).file).tensors.isEmpty)
    var dictionaries = Pickle.proto
    for _ in 0..<depth { dictionaries += Array("}".utf8) + Pickle.text("a") }
    dictionaries += Array("N".utf8) + [UInt8](repeating: 0x73, count: depth) + Pickle.stop
    #expect(refusal(ZipBuilder(pickle: dictionaries).file).contains("names of up to 256 bytes"))
  }

  @Test func refusesStoragesThatDoNotFit() {
    func tensor(_ key: String, _ count: Int, _ storage: String = "FloatStorage") -> String {
      refusal(
        pickle: Pickle.file([
          ("w", Pickle.tensor(shape: [1], strides: [1], key: key, storage: storage, count: count))
        ]))
    }
    #expect(tensor("1", 6).contains("a record data/1, found none"))
    #expect(tensor("../data.pkl", 6).contains("found none"))
    #expect(tensor("0", 5).contains("5 elements of F32 in data/0, found 24 bytes"))
    #expect(tensor("0", 7).contains("7 elements"))
    #expect(tensor("0", -6).contains("-6 elements"))
    #expect(tensor("0", .max, "DoubleStorage").contains("elements"))
    #expect(tensor("0", 6, "ComplexFloatStorage").contains("torch.ComplexFloatStorage"))
    let twice = Pickle.tensor(shape: [6], strides: [1], count: 6)
    #expect(refusal(pickle: Pickle.file([("w", twice), ("_orig_mod.w", twice)])).contains("each name once"))
  }

  @Test func refusesBrokenArchives() {
    #expect(refusal(Array("not a zip archive, though longer".utf8)).contains("the end of a zip archive"))
    #expect(refusal([1]).contains("the end of a zip archive"))
    #expect(refusal([0x80, 2]).contains("another pickle"))
    #expect(refusal { $0.records[1].method = 8 }.contains("compressed (method 8)"))
    #expect(refusal { $0.records[1].flags = 1 }.contains("encrypted"))
    #expect(refusal { $0.records[1].name = "archive/data.pkl" }.contains("each name once"))
    #expect(refusal { $0.records[1].localName = "archive/data/1" }.contains("the same name"))
    #expect(refusal { $0.records[1].claimedSize = 1 << 31 }.contains("before the directory"))
    #expect(refusal { $0.records[1].claimedOffset = 1 << 31 }.contains("a place before"))
    #expect(refusal { $0.records[1].claimedOffset = 1 }.contains("a local header"))
    for claimed: UInt64 in [.max, 1 << 63, UInt64(Int.max)] {
      #expect(
        refusal { builder in
          builder.records[1].isZip64 = true
          builder.records[1].claimedSize = claimed
        }.contains("before the directory"))
      #expect(
        refusal { builder in
          builder.records[1].isZip64 = true
          builder.records[1].claimedOffset = claimed
        }.contains("a place before"))
      #expect(refusal { $0.claimedCount = claimed }.contains("zip directory"))
      #expect(refusal { $0.claimedDirectory = claimed }.contains("zip directory"))
    }
    #expect(refusal { $0.claimedCount = 1 }.contains("bytes after them"))
    #expect(refusal { $0.parts = 1 }.contains("several parts"))
    #expect(refusal { $0.records[0].name = "archive/other.pkl" }.contains("one data.pkl, found 0"))
    #expect(refusal { $0.records[1].name = "other/data.pkl" }.contains("one data.pkl, found 2"))
    #expect(
      refusal { $0.records.append(.init(name: "archive/byteorder", data: Array("big".utf8))) }.contains("byte order"))
  }

  @Test func refusesEveryTruncation() {
    let bytes = small.file
    for length in 1..<bytes.count {
      #expect(throws: InferenceError.self, "cut to \(length) bytes") { try open(Array(bytes[..<length])) }
    }
  }

  /// A flipped bit may give another valid file; reading all of it must then be safe.
  @Test(arguments: [false, true])
  func survivesEveryFlippedBit(published: Bool) throws {
    let bytes =
      try published ? [UInt8](fixture("pytorch/kinds.pt")) : small.file
    for index in bytes.indices {
      for mask: UInt8 in published ? [0xFF] : [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= mask
        guard let file = try? open(changed) else { continue }
        for tensor in file.tensors {
          #expect((try? tensor.floats())?.count ?? tensor.count == tensor.count)
          #expect((try? tensor.ints())?.count ?? tensor.count == tensor.count)
        }
      }
    }
  }
}
