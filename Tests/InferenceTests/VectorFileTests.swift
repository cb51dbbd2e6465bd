// Steering vectors of others, in every container in which people keep them.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct VectorFileTests {
  private func reference(_ file: String, _ name: String) throws -> [Float] {
    try SafetensorsFile(path: fixturePath(file)).floats(named: name)
  }

  private func read(_ path: String, width: Int = 96) throws -> [VectorFile.Vector] {
    try VectorFile(path: fixturePath(path), width: width).vectors
  }

  private func refusal(_ path: String, width: Int = 96) -> String {
    do {
      _ = try VectorFile(path: path, width: width)
      return "accepted"
    } catch { return String(describing: error) }
  }

  @Test func controlVectorsSayTheirBlocks() throws {
    let vectors = try read("vectors/cvector.gguf")
    #expect(vectors.map(\.layer) == [1, 2, 3])
    let numpy = "numpy/reference.safetensors"
    for vector in vectors {
      #expect(try vector.values == reference(numpy, "vector.\(vector.layer ?? 0)"), "\(vector.name)")
    }
    #expect(try read("vectors/one_layer.gguf").map(\.layer) == [2])
  }

  @Test func aNumberInANameIsABlock() throws {
    let file = "vectors/reference.safetensors"
    let layers = try read("vectors/by_layer.safetensors")
    #expect(layers.map(\.layer) == [1, 2, 3])
    for vector in layers { #expect(try vector.values == reference(file, vector.name)) }
    #expect(try read("vectors/one.safetensors").map(\.layer) == [nil])
    #expect(try read("vectors/one.safetensors")[0].values == reference(file, "one"))
    let stack = try read("vectors/stack.safetensors")
    #expect(stack.map(\.row) == [0, 1, 2] && stack.allSatisfy { $0.layer == nil })
    #expect(try stack.flatMap(\.values) == reference(file, "stack"))
    #expect(try read("numpy/vectors_compressed.npz").map(\.layer) == [1, 2, 3])
    #expect(try read("numpy/float16_row.npy").map(\.row) == [nil])
    #expect(try read("torch-vectors/by_layer.pt").map(\.layer) == [1, 2, 3])
    #expect(VectorFile.soleNumber(in: "layers.10") == 10 && VectorFile.soleNumber(in: "2 of 3") == nil)
  }

  @Test func aSliceOfALargerStorageIsReadFromItsPlace() throws {
    let means = try reference("vectors/lens-reference.safetensors", "mean_difference")
    #expect(try read("vectors/mean_pos_0.pt")[0].values == Array(means[96..<192]))
  }

  @Test func everyOtherFileIsRefusedInOneLine() throws {
    let folder = TemporaryFolder()
    for (name, words) in [
      ("vectors/cvector.gguf", "should have the shape [95]"), ("numpy/vector.npy", "should have the shape [95]"),
    ] { #expect(refusal(fixturePath(name), width: 95).contains(words)) }
    #expect(refusal(fixturePath("quants.gguf")).contains("a control vector"))
    let path = folder.path + "/nan.safetensors"
    var writer = SafetensorsWriter()
    writer.add("v", shape: [2], floats: [1, .nan])
    try writer.write(to: path)
    #expect(refusal(path, width: 2).contains("not finite"))
    let empty = folder.path + "/empty.safetensors"
    try SafetensorsWriter().write(to: empty)
    #expect(refusal(empty).contains("at least one vector"))
    let whole = try fixture("vectors/cvector.gguf")
    for count in stride(from: 1, to: whole.count, by: 7) {
      let cut = folder.path + "/cut.gguf"
      try whole.prefix(count).write(to: URL(fileURLWithPath: cut))
      let words = refusal(cut)
      #expect(words.hasPrefix(cut) && !words.contains("\n"), "\(count): \(words)")
    }
  }
}
