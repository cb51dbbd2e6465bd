// Gemma 3 270M as published in Q4_K_M, a file of Q5_0, Q8_0, Q4_K and Q6_K weights, against transformers in fp32 on the
// dequantised file (Fixtures/make_gemma3.py): logits of ten prompts and greedy tokens, exact and fast.

import Foundation
import TestSupport
import Testing

@testable import Inference
@testable import Kernels

@Suite(.enabled(if: RealModel.gemma != nil, RealModel.gemmaMissing))
struct GemmaParityTests {
  private struct Reference: Decodable {
    struct Values: Decodable {
      let ids: [Int]
      let logits: [Float]
    }
    struct Prompt: Decodable {
      let ids: [Int32]
      let top: Values
      let spread: Values
    }
    struct Greedy: Decodable {
      let prompt: Int
      let ids: [Int32]
    }
    let prompts: [Prompt]
    let greedy: [Greedy]
  }

  private let reference: Reference

  init() throws {
    let data = try Data(contentsOf: URL(filePath: fixturePath("gemma3-270m.json")))
    reference = try JSONDecoder().decode(Reference.self, from: data)
  }

  @Test(arguments: [(Precision.exact, Float(1e-3)), (.fast, 0.05)])
  func logitsAgree(precision: Precision, tolerance: Float) throws {
    let model = try Transformer.load(path: try #require(RealModel.gemma), precision: precision)
    var largest: Float = 0
    for prompt in reference.prompts {
      let logits = try model.forward([Segment(stream: 0, cache: model.makeCache(), tokens: prompt.ids)])[0]
      for values in [prompt.top, prompt.spread] {
        for (id, wanted) in zip(values.ids, values.logits) { largest = max(largest, abs(logits[0, id] - wanted)) }
      }
      #expect(LlamaParityTests.top(logits.row(0)) == prompt.top.ids[0])
    }
    print("Gemma 3 270M \(precision): largest difference of a logit \(largest)")
    #expect(largest <= tolerance)
  }

  @Test(arguments: Precision.allCases) func greedyTokensAreIdentical(precision: Precision) throws {
    let engine = try Engine(model: try #require(RealModel.gemma), precision: precision)
    for greedy in reference.greedy {
      let decoding = Decoding(
        engine: engine, streams: [DecodingStream(source: .sampled(.greedy))],
        prompt: reference.prompts[greedy.prompt].ids, limit: greedy.ids.count)
      while !decoding.isFinished { _ = try decoding.step() }
      #expect(decoding.produced(0) == greedy.ids)
    }
  }
}
