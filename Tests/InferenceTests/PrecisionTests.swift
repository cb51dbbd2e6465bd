// What the fast precision costs: the distance of its distributions from the exact ones, which must stay far below what
// quantising the weights did (llama.cpp's own 8-bit activations are 0.003 to 0.005 away on SmolLM2 Q4_1).

import Foundation
import TestSupport
import Testing

@testable import Inference
@testable import Kernels

@Suite struct PrecisionTests {
  private static func divergence(_ p: some Collection<Float>, _ q: some Collection<Float>) -> Double {
    func logSum(_ x: some Collection<Float>) -> Double {
      let largest = Double(x.max() ?? 0)
      return largest + log(x.reduce(0) { $0 + exp(Double($1) - largest) })
    }
    let (sumP, sumQ) = (logSum(p), logSum(q))
    return zip(p, q).reduce(0) { $0 + exp(Double($1.0) - sumP) * (Double($1.0) - sumP - Double($1.1) + sumQ) }
  }

  private func tokens(_ count: Int, seed: UInt64, vocabulary: Int) -> [Int32] {
    var generator = SeededGenerator(seed)
    return (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &generator) }
  }

  @Test(.enabled(if: RealModel.path != nil, RealModel.missing))
  func exactIsWithinRoundingOfTheReference() throws {
    let model = try Transformer.load(path: try #require(RealModel.path))
    let reference = try SafetensorsFile(path: fixturePath("smollm2/forward.safetensors"))
    let ids = try reference.ints(named: "input_ids").map(Int32.init)
    let logits = try model.forward([Segment(stream: 0, cache: model.makeCache(), tokens: ids, logits: .all)])[0]
    let wanted = try reference.floats(named: "logits")
    let difference = Families.difference(logits.values[33 * 49152..<37 * 49152], wanted)
    print("SmolLM2 exact: largest difference of a logit from transformers \(difference)")
    #expect(difference <= 5e-4)
  }

  @Test(.enabled(if: RealModel.path != nil, RealModel.missing))
  func fastIsCloseToExact() throws {
    let path = try #require(RealModel.path)
    let (exact, fast) = (try Transformer.load(path: path), try Transformer.load(path: path, precision: .fast))
    let tokenizer = try Tokenizer(gguf: GGUFFile(path: path))
    let texts = [
      "The quick brown fox jumps over the lazy dog, and the dog, being lazy, does nothing about it at all.",
      "def fibonacci(n):\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n",
      "<|im_start|>user\nWhich city is the capital of France?<|im_end|>\n<|im_start|>assistant\nThe capital is",
    ]
    var (divergence, count, same) = (0.0, 0, 0)
    for text in texts {
      let ids = tokenizer.encode(text, parseSpecial: true)
      let both = try [exact, fast].map {
        try $0.forward([Segment(stream: 0, cache: $0.makeCache(), tokens: ids, logits: .all)])[0]
      }
      for row in 0..<ids.count {
        divergence += Self.divergence(both[0].row(row), both[1].row(row))
        same += LlamaParityTests.top(both[0].row(row)) == LlamaParityTests.top(both[1].row(row)) ? 1 : 0
        count += 1
      }
    }
    print("SmolLM2 fast: mean KL to exact \(divergence / Double(count)), same best token \(same) of \(count)")
    #expect(divergence / Double(count) <= 1e-4)
    #expect(same >= count - 1)
  }

  @Test(arguments: Families.all) func fastAgreesOnBF16Weights(name: String) throws {
    let folder = TemporaryFolder()
    let copy = try ModelCopy(folder: Families.folder(name)).write(in: folder, as: .bf16)
    let exact = try Transformer.load(path: copy)
    let fast = try Transformer.load(path: copy, precision: .fast)
    // More rows than decoding's kernels serve, so that bf16 products are used where the processor has them.
    let ids = tokens(60, seed: 3, vocabulary: exact.configuration.vocabSize)
    let both = try [exact, fast].map { try Families.logits($0, [ids])[0] }
    for row in 0..<ids.count {
      #expect(LlamaParityTests.cosine(both[0].row(row), both[1].row(row)) >= 0.9999)
    }
  }

  @Test(.enabled(if: RealModel.path != nil, RealModel.missing))
  func fastGivesTheSameBitsTokenByTokenAndAtOnce() throws {
    let model = try Transformer.load(path: try #require(RealModel.path), precision: .fast)
    let ids = tokens(6, seed: 9, vocabulary: model.configuration.vocabSize)
    let whole = try Families.logits(model, [ids])[0]
    let cache = model.makeCache()
    for (row, id) in ids.enumerated() {
      let logits = try model.forward([Segment(stream: 0, cache: cache, tokens: [id])])[0]
      #expect(logits.row(0) == whole.row(row))
    }
  }
}
