// Adapters: the change they make, that base stays untouched beside it, and what is refused.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct AdapterTests {
  let folder = TemporaryFolder()

  private func logits(_ engine: Engine, _ adapter: Adapter?, _ ids: [Int32]) throws -> [Float] {
    try engine.model.forward(
      [Segment(stream: 0, cache: engine.model.makeCache(), tokens: ids, adapter: adapter)])[0].values
  }

  @Test func changesChatAndLeavesBaseAsItWas() throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let plain = try Engine(model: model)
    let pair = try Engine(model: model, adapter: TinyModel.writeAdapter(in: folder))
    let ids: [Int32] = [5, 90, 17, 200]
    let base = try logits(plain, nil, ids)
    #expect(try logits(pair, nil, ids) == base)
    #expect(try logits(pair, pair.adapter, ids) != base)
    #expect(pair.adapter?.layers == [0, 1])
  }

  @Test func ofStrengthZeroChangesNothing() throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let engine = try Engine(model: model, adapter: TinyModel.writeAdapter(in: folder, strength: 0))
    #expect(try logits(engine, nil, [9, 8, 7]) == logits(engine, engine.adapter, [9, 8, 7]))
  }

  @Test func inOneBatchEqualsEachAlone() throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let engine = try Engine(model: model, adapter: TinyModel.writeAdapter(in: folder))
    let ids: [Int32] = [3, 1, 4, 1, 5]
    let caches = (0..<3).map { _ in engine.model.makeCache() }
    let adapters = [engine.adapter, nil, engine.adapter]
    // One token a segment at a time: the kernels for few rows promise equal bits.
    var together: [[Float]] = []
    for id in ids {
      together = try engine.model.forward(
        adapters.indices.map { Segment(stream: $0, cache: caches[$0], tokens: [id], adapter: adapters[$0]) }
      ).map(\.values)
    }
    for (index, adapter) in adapters.enumerated() {
      let cache = engine.model.makeCache()
      var alone: [Float] = []
      for id in ids {
        alone = try engine.model.forward([Segment(stream: 0, cache: cache, tokens: [id], adapter: adapter)])[0].values
      }
      #expect(alone == together[index])
    }
  }

  @Test(arguments: [
    (#"{"peft_type":"IA3","r":4,"lora_alpha":8}"#, "peft_type"),
    (#"{"peft_type":"LORA","r":0,"lora_alpha":8}"#, "r should be"),
    (#"{"peft_type":"LORA","r":4,"lora_alpha":8,"use_dora":true}"#, "lora_magnitude_vector"),
    (#"{"peft_type":"LORA","r":4,"lora_alpha":8,"bias":"most"}"#, "bias"), (#"{"r":4,"lora_alpha":8}"#, "peft_type"),
    (#"{"peft_type":"LORA","r":8,"target_modules":"all-linear"}"#, "shape"), ("nonsense", "damaged"),
  ])
  func refusesWhatItWouldHaveToIgnore(configuration: String, word: String) throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    try configuration.write(toFile: adapter + "/adapter_config.json", atomically: true, encoding: .utf8)
    let error = #expect(throws: InferenceError.self) { try Engine(model: model, adapter: adapter) }
    #expect(error.map { "\($0)" }?.contains(word) == true)
  }

  @Test func refusesAnotherModelsAdapterAndNonFiniteWeights() throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    func write(_ name: String, shape: [Int], value: Float) throws {
      var writer = SafetensorsWriter()
      writer.add(name + ".lora_A.weight", shape: shape, floats: [Float](repeating: value, count: shape[0] * shape[1]))
      writer.add(name + ".lora_B.weight", shape: [32, 4], floats: [Float](repeating: 0, count: 128))
      try writer.write(to: adapter + "/adapter_model.safetensors")
    }
    let stem = "base_model.model.model.layers."
    try write(stem + "99.self_attn.q_proj", shape: [4, 32], value: 0)
    #expect(throws: InferenceError.self) { try Engine(model: model, adapter: adapter) }
    try write(stem + "0.self_attn.q_proj", shape: [4, 64], value: 0)
    #expect(throws: InferenceError.self) { try Engine(model: model, adapter: adapter) }
    try write(stem + "0.self_attn.q_proj", shape: [4, 32], value: .nan)
    #expect(throws: InferenceError.self) { try Engine(model: model, adapter: adapter) }
    try write(stem + "0.self_attn.q_proj", shape: [4, 32], value: 0)
    #expect(throws: Never.self) { try Engine(model: model, adapter: adapter) }
  }
}
