import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct GGUFFileTests {
  let folder = TemporaryFolder()

  func open(_ builder: GGUFBuilder) throws -> GGUFFile {
    try GGUFFile(path: folder.file("model.gguf", builder.file))
  }

  /// Opens a file that must be refused, and gives the refusal's words.
  func refusal(_ change: (inout GGUFBuilder) -> Void) throws -> String {
    var builder = GGUFBuilder.small
    change(&builder)
    let error = #expect(throws: InferenceError.self) { try open(builder) }
    return error.map(String.init(describing:)) ?? "accepted"
  }

  @Test func readsMetadataOfEveryKind() throws {
    let file = try open(.small)
    #expect(file.version == 3)
    #expect(try file.string("general.architecture") == "llama")
    #expect(try file.int("a.count") == 7)
    #expect(try file.float("a.rate") == 0.5)
    #expect(try file.float("a.count") == 7)
    #expect(try file.bool("a.flag"))
    #expect(try Array(file.strings("a.words")) == ["Ġt", "", "höher"])
    #expect(try file.ints("a.types") == [1, -2, 3])
    #expect(try file.floats("a.scores") == [0.25, -1])
    #expect(file.contains("a.count") && !file.contains("a.none"))
  }

  @Test func readsTensorsInPlace() throws {
    let file = try open(.small)
    let vector = try file.tensor(named: "vector")
    #expect((vector.rows, vector.columns, vector.type) == (1, 3, .f32))
    #expect(vector.withBytes { $0.loadUnaligned(fromByteOffset: 8, as: Float.self) } == 3)
    let matrix = try file.tensor(named: "matrix")
    #expect((matrix.rows, matrix.columns, matrix.bytes.count / matrix.rows, matrix.type) == (2, 32, 20, .q4_1))
    #expect(matrix.withBytes { Array($0) } == (0..<40).map { UInt8($0) })
  }

  /// The file's tensors are named after their types; the gguf package wrote it.
  @Test func opensEveryCommonElementType() throws {
    let file = try GGUFFile(path: fixturePath("quants.gguf"))
    let wanted = try SafetensorsFile(path: fixturePath("quants.safetensors"))
    #expect(file.tensors.count == 11)
    for tensor in file.tensors {
      #expect(tensor.type.name == tensor.name)
      #expect((tensor.rows, tensor.columns) == (32, 512))
      #expect(try wanted.shape(of: tensor.name) == [32, 512])
    }
  }

  @Test func namesWhatIsMissingOrMistyped() throws {
    let file = try open(.small)
    #expect(throws: InferenceError.keyMissing(path: file.path, key: "a.none")) { try file.int("a.none") }
    #expect(throws: InferenceError.tensorMissing(path: file.path, tensor: "none")) { try file.tensor(named: "none") }
    #expect(
      throws: InferenceError.typeMismatch(
        path: file.path, key: "a.words", expected: "an integer", found: "an array of 3 strings")
    ) { try file.int("a.words") }
    #expect(throws: InferenceError.self) { try file.string("a.count") }
    #expect(throws: InferenceError.self) { try file.int("a.wide") }
    #expect(throws: InferenceError.self) { try file.ints("a.scores") }
    #expect(throws: InferenceError.self) { try file.floats("a.types") }
  }

  @Test func refusesWhatIsNoModelFile() throws {
    #expect(throws: InferenceError.fileUnreadable(path: "/none/x", reason: "No such file or directory")) {
      try GGUFFile(path: "/none/x")
    }
    #expect(throws: InferenceError.fileUnreadable(path: folder.path, reason: "it is a directory")) {
      try GGUFFile(path: folder.path)
    }
    #expect(throws: InferenceError.fileUnreadable(path: "/dev/zero", reason: "it is not a regular file")) {
      try GGUFFile(path: "/dev/zero")
    }
    let empty = try folder.file("empty", [])
    #expect(throws: InferenceError.fileUnreadable(path: empty, reason: "it is empty")) { try GGUFFile(path: empty) }
    #expect(try refusal { $0.magic = 0x1234_5678 }.contains("expected GGUF, found 0x12345678"))
  }

  @Test func refusesOtherVersionsAndBigEndianFiles() throws {
    #expect(try refusal { $0.version = 1 }.contains("GGUF version 1 is not supported"))
    #expect(try refusal { $0.version = 4 }.contains("GGUF version 4 is not supported"))
    #expect(try refusal { $0.version = 0x0300_0000 }.contains("version 3, big-endian"))
  }

  @Test func refusesAbsurdCounts() throws {
    #expect(try refusal { $0.tensorCount = .max }.contains("number of tensors"))
    #expect(try refusal { $0.tensorCount = 1 << 40 }.contains("number of tensors"))
    #expect(try refusal { $0.keyCount = .max }.contains("number of metadata keys"))
    for elementType: UInt32 in [0, 4, 8, 10] {
      for count: UInt64 in [.max, 1 << 62, 1 << 33] {
        let array = GGUFBuilder.bytes(elementType) + GGUFBuilder.bytes(count)
        #expect(try refusal { $0.metadata.append(("a.huge", .raw(9, array))) }.contains("a.huge"))
      }
    }
    #expect(try refusal { $0.metadata.append(("a.long", .raw(8, GGUFBuilder.bytes(UInt64.max)))) }.contains("a.long"))
  }

  @Test func refusesUnknownTypesAndNestedArrays() throws {
    #expect(try refusal { $0.metadata[1].1 = .raw(13, []) }.contains("a value type from 0 to 12, found 13"))
    let nested = GGUFBuilder.bytes(UInt32(9)) + GGUFBuilder.bytes(UInt64(0))
    #expect(try refusal { $0.metadata[1].1 = .raw(9, nested) }.contains("array of arrays"))
    #expect(try refusal { $0.tensors[0].type = 4 }.contains("type of tensor vector"))
    #expect(try refusal { $0.metadata[3].1 = .raw(7, [2]) }.contains("expected 0 or 1, found 2"))
    let notText = GGUFBuilder.bytes(UInt64(2)) + [0xC3, 0x28]
    #expect(try refusal { $0.metadata[0].1 = .raw(8, notText) }.contains("UTF-8"))
  }

  @Test func refusesDuplicateNames() throws {
    #expect(try refusal { $0.metadata.append(("a.count", .uint32(1))) }.contains("a.count: expected each key once"))
    #expect(try refusal { $0.tensors[1].name = "vector" }.contains("vector: expected each name once"))
  }

  @Test func refusesTensorsThatDoNotFit() throws {
    #expect(try refusal { $0.tensors[1].offset = 64 }.contains("expected 40 bytes at 64"))
    #expect(try refusal { $0.tensors[1].offset = .max & ~31 }.contains("tensor matrix"))
    #expect(try refusal { $0.tensors[1].offset = 33 }.contains("multiple of 32"))
    #expect(try refusal { $0.tensors[1].offset = 0 }.contains("overlap with vector"))
    #expect(try refusal { $0.tensors[1].dimensions = [33, 2] }.contains("multiple of 32 elements (Q4_1)"))
    #expect(try refusal { $0.tensors[0].dimensions = [1 << 62, 1 << 62] }.contains("a size that fits"))
    #expect(try refusal { $0.tensors[0].dimensions = [1 << 61, 2] }.contains("a size that fits"))
    #expect(try refusal { $0.tensors[0].dimensions = [.max] }.contains("dimensions above 0"))
    #expect(try refusal { $0.tensors[0].dimensions = [0] }.contains("dimensions above 0"))
    #expect(try refusal { $0.tensors[0].dimensions = [] }.contains("1 to 4 dimensions"))
    #expect(try refusal { $0.tensors[0].dimensions = [1, 1, 1, 1, 1] }.contains("1 to 4 dimensions, found 5"))
    #expect(try refusal { $0.data = [] }.contains("bytes of data"))
  }

  @Test func honoursAndChecksTheAlignment() throws {
    var builder = GGUFBuilder.small
    builder.alignment = 64
    builder.metadata.append(("general.alignment", .uint32(64)))
    builder.tensors[1].offset = 64
    builder.data.insert(contentsOf: [UInt8](repeating: 0, count: 32), at: 32)
    #expect(try open(builder).tensor(named: "matrix").withBytes { Array($0) } == (0..<40).map { UInt8($0) })
    for alignment: UInt32 in [0, 3, 48, 1 << 31] {
      #expect(try refusal { $0.metadata.append(("general.alignment", .uint32(alignment))) }.contains("alignment"))
    }
  }

  @Test func refusesEveryTruncation() throws {
    let bytes = GGUFBuilder.small.file
    for length in 1..<bytes.count {
      let path = try folder.file("cut.gguf", Array(bytes[..<length]))
      #expect(throws: InferenceError.self, "cut to \(length) bytes") { try GGUFFile(path: path) }
    }
  }

  /// A flipped byte may give another valid file; reading all of it must then be safe.
  @Test func survivesEveryFlippedHeaderByte() throws {
    let builder = GGUFBuilder.small
    let bytes = builder.file
    for index in builder.header.indices {
      for mask: UInt8 in [0x01, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= mask
        let path = try folder.file("flip.gguf", changed)
        guard let file = try? GGUFFile(path: path) else { continue }
        var touched = 0
        for tensor in file.tensors {
          touched += tensor.withBytes { $0.reduce(0) { $0 + Int($1) } } + tensor.rows * tensor.columns
        }
        for key in file.keys {
          touched += (try? file.strings(key))?.reduce(0) { $0 + $1.utf8.count } ?? 0
          touched += (try? file.ints(key))?.count ?? 0
          touched += (try? file.floats(key))?.count ?? 0
          touched += (try? file.bools(key))?.count ?? 0
        }
        #expect(touched >= 0)
      }
    }
  }

  @Test(.enabled(if: RealModel.path != nil, RealModel.missing))
  func readsTheRealModel() throws {
    let file = try GGUFFile(path: #require(RealModel.path))
    #expect(try file.string("general.architecture") == "llama")
    #expect(try file.int("llama.block_count") == 30)
    #expect(try file.strings("tokenizer.ggml.tokens").count == 49_152)
    #expect(try file.strings("tokenizer.ggml.merges")[48_899] == "ect able")
    let embedding = try file.tensor(named: "token_embd.weight")
    #expect((embedding.rows, embedding.columns, embedding.type) == (49_152, 576, .q8_0))
    #expect(file.tensors.count == 272)
  }
}
