import Foundation
import TestSupport
import Testing

@testable import Inference

/// Arrays that numpy wrote, in every form, and damaged ones.
@Suite struct NumPyFileTests {
  private static let files = [
    "vector.npy", "stack_float64.npy", "fortran_order.npy", "big_endian.npy", "float16_row.npy", "vectors.npz",
    "vectors_compressed.npz",
  ]

  private func reference() throws -> [[Float]] {
    let file = try SafetensorsFile(path: fixturePath("numpy/reference.safetensors"))
    return try (1...3).map { try file.floats(named: "vector.\($0)") }
  }

  private func open(_ bytes: some Sequence<UInt8>) throws(InferenceError) -> TensorFile {
    try Array(bytes).withUnsafeBufferPointer { (buffer) throws(InferenceError) in
      try TensorFile(file: MappedFile(path: "x.npz", content: UnsafeRawBufferPointer(buffer)))
    }
  }

  private func refusal(_ bytes: some Sequence<UInt8>) -> String {
    do {
      let file = try open(bytes)
      for name in file.names { _ = try file.floats(named: name) }
      return "accepted"
    } catch { return String(describing: error) }
  }

  /// A .npy file with a header of our own.
  private func array(_ header: String, _ data: [UInt8]) -> [UInt8] {
    let text = Array((header + "\n").utf8)
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.count & 255), UInt8(text.count >> 8)] + text + data
  }

  @Test func readsOneArrayInEveryOrderAndType() throws {
    let vectors = try reference()
    for name in ["vector.npy", "big_endian.npy"] {
      let file = try TensorFile(path: fixturePath("numpy/\(name)"))
      #expect(file.names == [NumPyFile.soleName])
      #expect(try file.shape(of: NumPyFile.soleName) == [96])
      #expect(try file.floats(named: NumPyFile.soleName) == vectors[0], "\(name)")
    }
    let rounded = try TensorFile(path: fixturePath("numpy/float16_row.npy")).floats(named: NumPyFile.soleName)
    #expect(rounded == vectors[1].map { Float(Float16($0)) })
    for name in ["stack_float64.npy", "fortran_order.npy"] {
      let file = try TensorFile(path: fixturePath("numpy/\(name)"))
      let shape = try file.shape(of: NumPyFile.soleName)
      let values = try file.floats(named: NumPyFile.soleName)
      #expect(shape == [3, 96] && values == vectors.flatMap { $0 }, "\(name) has \(shape)")
    }
    // Only rows of numbers in the machine's own order stay in the file.
    #expect(try TensorFile(path: fixturePath("numpy/vector.npy")).tensorInPlace(named: NumPyFile.soleName) != nil)
    #expect(
      try TensorFile(path: fixturePath("numpy/fortran_order.npy")).tensorInPlace(named: NumPyFile.soleName) == nil)
  }

  @Test func readsStoredAndDeflatedArchives() throws {
    let vectors = try reference()
    for (name, names) in [("vectors", ["layer_1", "layer_2", "layer_3"]), ("vectors_compressed", ["1", "2", "3"])] {
      let file = try TensorFile(path: fixturePath("numpy/\(name).npz"))
      #expect(file.names == names)
      for (index, array) in names.enumerated() { #expect(try file.floats(named: array) == vectors[index]) }
    }
  }

  @Test(arguments: files)
  func aCutFileIsNamedAtEveryByte(_ name: String) throws {
    let whole = [UInt8](try fixture("numpy/\(name)"))
    for count in 1..<whole.count {
      let words = refusal(whole[..<count])
      #expect(words.hasPrefix("x.npz") && !words.contains("\n"), "\(count) bytes: \(words)")
    }
  }

  @Test(arguments: files)
  func aFlippedByteNeverCrashes(_ name: String) throws {
    let whole = [UInt8](try fixture("numpy/\(name)"))
    for place in stride(from: 0, to: whole.count, by: 3) {
      var bytes = whole
      bytes[place] ^= 0xFF
      #expect(!refusal(bytes).contains("\n"))
    }
  }

  @Test func refusesWhatItCannotRead() {
    let data = [UInt8](repeating: 0, count: 8)
    for (header, words) in [
      ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "elements of type <c8"),
      ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "elements of type |O"),
      ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "several fields"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "12 bytes"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807,), }", "a size that fits"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807), }", "a size that fits"),
      ("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", "dictionary"),
      ("{'descr': '<f4', 'shape': (2,), }", "fortran_order"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 'y', }", "the keys"),
      ("__import__('os')", "dictionary"),
    ] { #expect(refusal(array(header, data)).contains(words), "\(header): \(refusal(array(header, data)))") }
    #expect(refusal(array("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", data)) == "accepted")
    #expect(refusal(array("{'descr':\"<f4\",'shape':(1,2L),'fortran_order':True}", data)) == "accepted")
  }

  @Test func aRecordThatSaysMoreThanDeflateCanHoldIsRefusedBeforeItIsUnpacked() throws {
    var bytes = [UInt8](try fixture("numpy/vectors_compressed.npz"))
    // The unpacked size in the first entry of the directory.
    let entry = try #require(bytes.indices.first { bytes[$0...].starts(with: [0x50, 0x4B, 0x01, 0x02]) })
    for (index, byte) in [UInt8]([0xFE, 0xFF, 0xFF, 0x7F]).enumerated() { bytes[entry + 24 + index] = byte }
    #expect(refusal(bytes).contains("at most 1032 bytes for each"))
    // A size that is merely wrong is found when the data end.
    bytes[entry + 26] = 0
    bytes[entry + 27] = 0
    #expect(refusal(bytes).contains("x.npz is damaged"))
  }

  @Test func gzipMembersFollowOneAnotherAndDamageIsNamed() throws {
    // What Python's gzip.compress makes of "steer ".
    let packed: [UInt8] = [
      0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3, 0x2B, 0x2E, 0x49, 0x4D, 0x2D, 0x52, 0, 0, 0x85, 0xAD, 0xA5, 0x54, 6, 0, 0, 0,
    ]
    func inflated(_ bytes: [UInt8]) throws -> String {
      try bytes.withUnsafeBytes { source in
        let inflater = try Inflater(.gzip, source, path: "x.gz", place: "batch")
        var result = [UInt8](repeating: 0, count: 64)
        let count = try result.withUnsafeMutableBytes { try inflater.read(into: $0) }
        return String(decoding: result.prefix(count), as: UTF8.self)
      }
    }
    let one = try inflated(packed)
    #expect(one == "steer ")
    #expect(try inflated(packed + packed) == one + one)
    for count in 0..<packed.count {
      let error = #expect(throws: InferenceError.self) { try inflated(Array(packed.prefix(count))) }
      #expect(error.map(String.init(describing:))?.contains("batch") == true)
    }
  }
}

/// Vectors that torch.save wrote in the ways people save them.
@Suite struct PyTorchVectorTests {
  @Test(arguments: [
    ("vector.pt", "tensor", 1), ("parameter.pt", "tensor", 2), ("by_layer.pt", "2", 2),
    ("strided_view.pt", "tensor", 2),
  ])
  func readsOneTensorAndKeysThatAreNumbers(_ name: String, _ key: String, _ vector: Int) throws {
    let reference = try SafetensorsFile(path: fixturePath("torch-vectors/reference.safetensors"))
    let file = try TensorFile(path: fixturePath("torch-vectors/\(name)"))
    #expect(try file.floats(named: key) == reference.floats(named: "vector.\(vector)"), "\(file.names)")
  }

  @Test func whatIsBesideATensorIsLeftOut() throws {
    let file = try TensorFile(path: fixturePath("torch-vectors/with_metadata.pt"))
    #expect(file.names.count == 1)
    #expect(try TensorFile(path: fixturePath("torch-vectors/stack_bfloat16.pt")).shape(of: "tensor") == [3, 96])
  }

  @Test func theFormatBeforeVersionOneSixIsRead() throws {
    let reference = try SafetensorsFile(path: fixturePath("torch-vectors/reference.safetensors"))
    let file = try TensorFile(path: fixturePath("torch-vectors/legacy_format.pt"))
    #expect(try file.floats(named: PyTorchFile.soleName) == reference.floats(named: "vector.1"))
    #expect(try file.tensorInPlace(named: PyTorchFile.soleName) != nil)
  }

  @Test func aCutOrFlippedByteOfTheOldFormatNeverCrashes() throws {
    func read(_ bytes: [UInt8]) -> String {
      do throws(InferenceError) {
        let file = try bytes.withUnsafeBufferPointer { (buffer) throws(InferenceError) in
          try TensorFile(file: MappedFile(path: "old.pt", content: UnsafeRawBufferPointer(buffer)))
        }
        for name in file.names { _ = try file.floats(named: name) }
        return "accepted"
      } catch { return String(describing: error) }
    }
    let whole = [UInt8](try fixture("torch-vectors/legacy_format.pt"))
    #expect(read(whole) == "accepted" && read(whole + [0]).contains("nothing after the last storage"))
    for count in 1..<whole.count {
      let words = read(Array(whole[..<count]))
      #expect(words.hasPrefix("old.pt") && !words.contains("\n"), "\(count): \(words)")
    }
    for place in whole.indices {
      var bytes = whole
      bytes[place] ^= 0xFF
      #expect(!read(bytes).contains("\n"))
    }
  }
}
