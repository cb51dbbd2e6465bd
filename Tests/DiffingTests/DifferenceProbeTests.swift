// The comparison of two models against numbers that transformers computed in fp64, with two files and with an adapter.

import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct DifferenceProbeTests {
  @Test(arguments: [true, false]) func numbersAreThoseOfTheReference(withAdapter: Bool) throws {
    let models =
      withAdapter
      ? try PairedModels(model: fixture("diffing/base"), adapter: fixture("diffing/adapter"))
      : try PairedModels(model: fixture("diffing/chat"), base: fixture("diffing/base"))
    let folder = TemporaryFolder()
    let path = folder.path + "/out.safetensors"
    try DifferenceProbe(path: fixture("diffing/probe.safetensors")).run(models).write(to: path)
    let (found, wanted) = (
      try SafetensorsFile(path: path), try SafetensorsFile(path: fixture("diffing/reference.safetensors"))
    )
    let inputs: Set = ["alpha", "patch_scales", "input_ids", "layers", "patch_ids", "position", "top_k"]
    var compared = 0
    for tensor in wanted.tensors where !inputs.contains(tensor.name) {
      if !withAdapter, tensor.name == "amplified_weights_logits" { continue }
      func values(_ tensor: SafetensorsTensor) throws -> [Double] {
        tensor.type == .i32 ? try tensor.ints().map(Double.init) : try tensor.floats().map(Double.init)
      }
      let expected = try values(tensor)
      let own = try found.tensor(named: tensor.name)
      #expect(own.shape == tensor.shape, "\(tensor.name)")
      let largest = expected.map(abs).max() ?? 0
      let error = zip(expected, try values(own)).map { abs($0 - $1) }.max() ?? 0
      // Counts agree but for ties and differences that rounding turns over.
      let isCount = tensor.type == .i32
      #expect(error <= (isCount ? 1 : 1e-4 * largest), "\(tensor.name): \(error) of \(largest)")
      compared += 1
    }
    #expect(compared == (withAdapter ? 28 : 27))
    #expect(Set(found.tensors.map(\.name)).isSubset(of: Set(wanted.tensors.map(\.name))))
  }

  @Test func aProbeThatNamesALayerTwiceIsRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/probe.safetensors"
    var writer = SafetensorsWriter()
    writer.add("input_ids", shape: [1, 3], int32s: [1, 2, 3])
    writer.add("patch_ids", shape: [2], int32s: [1, 2])
    writer.add("layers", shape: [2], int32s: [1, 1])
    for (name, value) in [("position", 1), ("top_k", 2)] as [(String, Int32)] {
      writer.add(name, shape: [1], int32s: [value])
    }
    writer.add("alpha", shape: [1], floats: [1])
    writer.add("patch_scales", shape: [1], floats: [1])
    try writer.write(to: path)
    #expect(throws: DiffingError.self) { try DifferenceProbe(path: path) }
  }

  @Test func aLayerThatDoesNotExistIsNamed() throws {
    var probe = try DifferenceProbe(path: fixture("diffing/probe.safetensors"))
    probe.layers = [4]
    let models = try PairedModels(model: fixture("diffing/chat"), base: fixture("diffing/base"))
    #expect(throws: DiffingError.settingInvalid(name: "layer", expected: "one of the models' blocks, 0…3", found: "4"))
    {
      try probe.run(models)
    }
  }
}
