// Amplified weights: against transformers in fp64, the two kinds of pairs against each other, the ends of λ, and what is
// refused.

import Foundation
import Inference
import TestSupport
import Testing

@Suite struct AmplifiedWeightsTests {
  let folder = TemporaryFolder()

  /// Block 1 with attention at 1.5 and MLP at 0.5, as in the reference.
  static let referenceFactors = [
    WeightFactor(1.5, blocks: 1...1, module: .attention), WeightFactor(0.5, blocks: 1...1, module: .mlp),
  ]

  @Test func logitsAreThoseOfTransformers() throws {
    let expected = try Difference.reference("amplified_weights_logits")
    for pair in [try Difference.withAdapter(), try Difference.withFiles()] {
      #expect(relativeDifference(try pair.logits(Self.referenceFactors), expected) <= 1e-4)
      #expect(relativeDifference(try pair.logits(), expected) > 0.01, "the factors change nothing")
    }
  }

  @Test func anAdapterAndTwoFilesAgreeAtAnyFactor() throws {
    let (adapter, files) = (try Difference.withAdapter(), try Difference.withFiles())
    for factors in [
      [WeightFactor(2)], [WeightFactor(-1, module: .mlp)], [WeightFactor(0), WeightFactor(1, blocks: 2...3)],
    ] {
      #expect(relativeDifference(try files.logits(factors), try adapter.logits(factors)) <= 1e-4)
    }
  }

  @Test func factor0IsBaseAndFactor1IsChatToTheBit() throws {
    for pair in [try Difference.withAdapter(), try Difference.withFiles()] {
      let chat = [WeightFactor(3), WeightFactor(1)]
      #expect(try AmplifiedWeights.between(base: pair.base, chat: pair.chat, chat) == nil)
      #expect(try pair.logits([WeightFactor(0)]) == pair.logits(of: .base))
      #expect(try pair.logits([WeightFactor(0)]) != pair.logits(of: .chat))
    }
  }

  @Test func inOneBatchEachTimelineHasItsOwnWeights() throws {
    for hasFiles in [false, true] {
      let pair = try tinyPair(ofFiles: hasFiles)
      let weights = [
        nil, try pair.amplifiedWeights([WeightFactor(2)]), try pair.amplifiedWeights([WeightFactor(2)]),
        try pair.amplifiedWeights([WeightFactor(0, blocks: 0...0)]), nil,
      ]
      func decode(_ indices: [Int]) throws -> [[Float]] {
        let caches = indices.map { _ in pair.model.makeCache() }
        var logits: [[Float]] = []
        // One token a segment at a time: the kernels for few rows promise equal bits.
        for id in [5, 90, 17, 200] as [Int32] {
          let segments = zip(indices, caches).map { index, cache in
            var segment = Segment(stream: index, cache: cache, tokens: [id])
            segment.amplified = weights[index]
            return segment
          }
          logits = try pair.forward(segments, of: indices.map { $0 == 4 ? .base : .chat }).map(\.values)
        }
        return logits
      }
      let together = try decode(Array(weights.indices))
      for index in weights.indices { #expect(try decode([index])[0] == together[index]) }
      #expect(together[1] == together[2] && Set(together).count == 4)
    }
  }

  @Test func theOutsideOfBlocksFollowsFactorsThatNameNeither() throws {
    let pair = try tinyPair(ofFiles: true)
    let last = pair.model.configuration.nLayers - 1
    func logits(_ factors: [WeightFactor], of model: PairModel = .chat) throws -> [Float] {
      var segment = Segment(stream: 0, cache: pair.model.makeCache(), tokens: [5, 90, 17, 200], logits: .all)
      segment.amplified = try pair.amplifiedWeights(factors)
      return try pair.forward([segment], of: [model])[0].values
    }
    #expect(try logits([WeightFactor(0)]) == logits([], of: .base))
    #expect(try logits([WeightFactor(0, blocks: 0...last)]) != logits([], of: .base))
  }

  private func tinyPair(ofFiles hasFiles: Bool) throws -> Engine {
    let base = try TinyModel.writeGGUF(in: folder, name: hasFiles ? "base.gguf" : "model.gguf", seed: 1)
    guard hasFiles else { return try Engine(model: base, adapter: TinyModel.writeAdapter(in: folder)) }
    return try Engine(model: TinyModel.writeGGUF(in: folder, name: "chat.gguf", seed: 9), base: base)
  }

  @Test func whatCannotBeAmplifiedIsRefused() throws {
    let pair = try tinyPair(ofFiles: false)
    let alone = try Engine(model: TinyModel.writeGGUF(in: folder))
    for (engine, factor, word) in [
      (pair, WeightFactor(1.5, blocks: 3...4), "0…3"), (pair, WeightFactor(.nan), "-1000 and 1000"),
      (pair, WeightFactor(1001), "-1000 and 1000"), (alone, WeightFactor(2), "a pair of models"),
    ] {
      let error = #expect(throws: InferenceError.self) { try engine.amplifiedWeights([factor]) }
      #expect(error.map { "\($0)" }?.contains(word) == true)
    }
  }

  @Test func twoConfigurationsAreRefused() throws {
    let changed = folder.path + "/changed"
    try FileManager.default.copyItem(atPath: Difference.path("chat"), toPath: changed)
    let file = URL(fileURLWithPath: changed + "/config.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    try text.replacing("1e-06", with: "1e-05").write(to: file, atomically: true, encoding: .utf8)
    let pair = try Difference.withFiles(chat: changed)
    let error = #expect(throws: InferenceError.self) { try pair.logits([WeightFactor(2)]) }
    #expect(error.map { "\($0)" }?.contains("two configurations") == true)
  }

  @Test func factorsKeepTheirFormInJSON() throws {
    let factors = [WeightFactor(2), WeightFactor(-0.5, blocks: 3...9, module: .mlp)]
    let text = try JSONEncoder().encode(factors)
    #expect(try JSONDecoder().decode([WeightFactor].self, from: text) == factors)
    for wrong in [
      #"{"factor": 1, "blocks": [4]}"#, #"{"factor": 1, "blocks": [4, 3]}"#, #"{"factor": 1, "blocks": [-1, 3]}"#,
      #"{"blocks": [1, 3]}"#, #"{"factor": 1, "module": "norm"}"#, #"{"factor": 1, "layer": 2}"#,
    ] {
      #expect(throws: JSONFieldError.self) { try JSONDecoder().decode(WeightFactor.self, from: Data(wrong.utf8)) }
    }
  }
}

/// The tiny pair whose numbers transformers computed (Fixtures/diffing). It has no tokenizer.
struct Difference {
  let chat: Transformer
  let base: Transformer
  let adapter: Adapter?

  static func path(_ name: String) throws -> String { try fixture("diffing/" + name) }

  static func withAdapter() throws -> Difference {
    let model = try Transformer.load(path: path("base"))
    return Difference(chat: model, base: model, adapter: try Adapter(path: path("adapter"), for: model))
  }

  static func withFiles(chat: String? = nil) throws -> Difference {
    Difference(
      chat: try Transformer.load(path: chat ?? path("chat")), base: try Transformer.load(path: path("base")),
      adapter: nil)
  }

  static func reference(_ name: String) throws -> [Float] {
    try SafetensorsFile(path: path("reference.safetensors")).floats(named: name)
  }

  /// The twelve texts of sixteen tokens.
  static func texts() throws -> [[Int32]] {
    let ids = try SafetensorsFile(path: path("reference.safetensors")).ints(named: "input_ids").map(Int32.init)
    return stride(from: 0, to: ids.count, by: 16).map { Array(ids[$0..<$0 + 16]) }
  }

  /// The logits `[N·T, V]` of the texts by chat, all in one batch.
  func logits(_ factors: [WeightFactor] = []) throws -> [Float] {
    try logits(of: .chat, AmplifiedWeights.between(base: base, chat: chat, factors))
  }

  /// The logits `[N·T, V]` of the texts by one of the models.
  func logits(of model: PairModel, _ amplified: AmplifiedWeights? = nil) throws -> [Float] {
    let weights = model == .chat ? chat : base
    let segments = try Self.texts().enumerated().map {
      var segment = Segment(
        stream: $0, cache: weights.makeCache(), tokens: $1, adapter: model == .chat ? adapter : nil, logits: .all)
      segment.amplified = amplified
      return segment
    }
    return try weights.forward(segments).flatMap(\.values)
  }
}
