// Steering with the baseline's attention weights: against a model written out in fp64, and where it must change nothing.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

/// The tiny Llama in fp64, straight from its formulas: one stream, and beside it another one that attends by its weights.
private struct NaiveLlama {
  let file: GGUFFile
  let heads = 4
  let keyValueHeads = 2
  let d = TinyModel.dModel

  func tensor(_ name: String) throws -> (rows: Int, columns: Int, values: [Double]) {
    let tensor = try file.tensor(named: name)
    let values = tensor.withBytes { bytes in
      (0..<tensor.rows * tensor.columns).map { Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
    }
    return (tensor.rows, tensor.columns, values)
  }

  func times(_ name: String, _ x: [Double]) throws -> [Double] {
    let w = try tensor(name)
    return (0..<w.rows).map { row in (0..<w.columns).reduce(0) { $0 + w.values[row * w.columns + $1] * x[$1] } }
  }

  func normed(_ x: [Double]) -> [Double] {  // all norm weights of the tiny model are 1
    let scale = 1 / (x.reduce(0) { $0 + $1 * $1 } / Double(x.count) + 1e-5).squareRoot()
    return x.map { $0 * scale }
  }

  /// GGUF's order of rows turns neighbours.
  func rotated(_ x: [Double], position: Int) -> [Double] {
    let c = d / heads
    var x = x
    for pair in 0..<x.count / 2 {
      let angle = Double(position) * pow(10_000, -2 * Double(pair % (c / 2)) / Double(c))
      let (a, b) = (x[2 * pair], x[2 * pair + 1])
      (x[2 * pair], x[2 * pair + 1]) = (a * cos(angle) - b * sin(angle), a * sin(angle) + b * cos(angle))
    }
    return x
  }

  /// Softmax weights `[head][t][s]` of a block.
  func weights(_ layer: Int, _ x: [[Double]]) throws -> [[[Double]]] {
    let c = d / heads
    let q = try x.enumerated().map { rotated(try times("blk.\(layer).attn_q.weight", normed($1)), position: $0) }
    let k = try x.enumerated().map { rotated(try times("blk.\(layer).attn_k.weight", normed($1)), position: $0) }
    return (0..<heads).map { head in
      let key = head / (heads / keyValueHeads)
      return x.indices.map { t in
        let scores = (0...t).map { s in
          (0..<c).reduce(0) { $0 + q[t][head * c + $1] * k[s][key * c + $1] } / Double(c).squareRoot()
        }
        let total = scores.reduce(0) { $0 + exp($1) }
        return scores.map { exp($0) / total }
      }
    }
  }

  /// A block's output, given whose weights it attends by.
  func block(_ layer: Int, _ x: [[Double]], by weights: [[[Double]]]) throws -> [[Double]] {
    let c = d / heads
    let v = try x.map { try times("blk.\(layer).attn_v.weight", normed($0)) }
    return try x.indices.map { t in
      var mixed = [Double](repeating: 0, count: d)
      for head in 0..<heads {
        let value = head / (heads / keyValueHeads)
        for s in 0...t {
          for i in 0..<c { mixed[head * c + i] += weights[head][t][s] * v[s][value * c + i] }
        }
      }
      let middle = zip(x[t], try times("blk.\(layer).attn_output.weight", mixed)).map(+)
      let gate = try times("blk.\(layer).ffn_gate.weight", normed(middle)).map { $0 / (1 + exp(-$0)) }
      let up = try times("blk.\(layer).ffn_up.weight", normed(middle))
      return zip(middle, try times("blk.\(layer).ffn_down.weight", zip(gate, up).map(*))).map(+)
    }
  }
}

@Suite struct FrozenAttentionTests {
  @Test func weightsOfTheBaselineAndValuesOfTheSteeredStreamAsInFP64() throws {
    let folder = TemporaryFolder()
    let path = try TinyModel.writeGGUF(in: folder)
    let engine = try Engine(model: path)
    let tokens: [Int32] = [40, 7, 99, 130, 12, 12, 201, 3, 77, 54]
    let layer = 1
    var generator = SplitMix64(seed: 3)
    let delta = generator.normals(TinyModel.dModel)
    var hooks = Hooks()
    hooks.add(layer: layer, site: .residPost) { view in
      guard let rows = view.segment(ofStream: 1) else { return }
      for row in rows.rows { for i in 0..<view.d { view.row(row)[i] += delta[i] } }
    }
    func segments(_ part: Range<Int>, _ caches: [KVCache]) -> [Segment] {
      (0..<2).map { stream in
        Segment(
          stream: stream, cache: caches[stream], tokens: Array(tokens[part]), logits: .all,
          attention: stream == 0 ? nil : .init(stream: 0, above: layer))
      }
    }
    let whole = try engine.model.forward(
      segments(0..<tokens.count, [engine.model.makeCache(), engine.model.makeCache()]), hooks: hooks)

    let naive = NaiveLlama(file: try GGUFFile(path: path))
    let embedding = try naive.tensor("token_embd.weight")
    var baseline = tokens.map { id in
      Array(embedding.values[Int(id) * naive.d..<(Int(id) + 1) * naive.d])
    }
    for block in 0...layer { baseline = try naive.block(block, baseline, by: naive.weights(block, baseline)) }
    var frozen = baseline.map { zip($0, delta).map { $0 + Double($1) } }
    var steered = frozen
    for block in layer + 1..<TinyModel.nLayers {
      let weights = try naive.weights(block, baseline)
      baseline = try naive.block(block, baseline, by: weights)
      frozen = try naive.block(block, frozen, by: weights)
      steered = try naive.block(block, steered, by: naive.weights(block, steered))
    }
    func logits(_ x: [[Double]]) throws -> [Double?] {
      try x.flatMap { try naive.times("token_embd.weight", naive.normed($0)) }
    }
    for (found, wanted) in [(whole[0], baseline), (whole[1], frozen)] {
      #expect(relativeDifference(found.values.map { Double($0) }, try logits(wanted)) < 1e-5)
    }
    #expect(relativeDifference(try logits(steered), try logits(frozen)) > 1e-3, "freezing changes something")

    // In pieces, as in decoding, it is the same.
    let caches = [engine.model.makeCache(), engine.model.makeCache()]
    var last: [Float] = []
    for start in [0, 6, 7, 8, 9] {
      let part = start..<(start == 0 ? 6 : start + 1)
      last = Array(try engine.model.forward(segments(part, caches), hooks: hooks)[1].values.suffix(TinyModel.vocabSize))
    }
    #expect(relativeDifference(last.map { Double($0) }, try logits([frozen[tokens.count - 1]])) < 1e-5)
  }

  @Test(arguments: PairKind.allCases)
  func withoutAChangeItIsTheBaselineBitForBit(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    var plans = SteeringMode.allCases.filter { $0 != .clamp }.map {
      SteeringPlan(interventions: [Intervention(latent: 3, mode: $0, strength: 0)], freezesAttention: true)
    }
    plans.append(
      SteeringPlan(interventions: [Intervention(latent: 3, mode: .add, strength: 2)], freezesAttention: true))
    let settings = GenerationSettings(maxTokens: 8, temperature: 1, seed: 5, samples: 2)
    let run = try tiny.run(plans, settings)
    for sample in 0..<2 {
      let baseline = run.stream(arm: 0, sample: sample)
      for index in plans.indices.dropLast() {
        let stream = run.stream(arm: index + 1, sample: sample)
        #expect(run.produced(stream) == run.produced(baseline))
        #expect(run.logProbabilities(stream) == run.logProbabilities(baseline))
      }
      let steered = run.stream(arm: plans.count, sample: sample)
      #expect(run.produced(steered).count <= run.produced(baseline).count, "it ends when its baseline does")
    }
    let given = try tiny.given(plans)
    let scores = try given.score(run.produced(0))
    #expect(scores[1].divergences.allSatisfy { $0 == 0 } && scores[plans.count].divergences.contains { $0 > 0 })
  }

  @Test func belowTheLastBlockNothingIsLeftToFreeze() throws {
    let tiny = try TinySteering(.adapter)
    func plan(_ frozen: Bool) -> SteeringPlan {
      SteeringPlan(interventions: [Intervention(latent: 3, mode: .add, strength: 2)], freezesAttention: frozen)
    }
    func scores(_ layer: Int) throws -> [GivenAnswerScore] {
      try GivenAnswers(
        engine: tiny.engine, crosscoder: tiny.crosscoder, layer: layer, prompt: tiny.prompt,
        plans: [plan(false), plan(true)], maxActivations: tiny.maxActivations
      ).score([5, 6, 7])
    }
    let (last, before) = (try scores(TinyModel.nLayers - 1), try scores(TinyModel.nLayers - 2))
    #expect(last[1] == last[2] && last[1] != last[0])
    #expect(before[1] != before[2])
  }
}
