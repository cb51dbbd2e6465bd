// Parity of the forward pass with Hugging Face transformers in fp32 on the real model, as a ladder:
// residual stream after blocks 0, 14, 29, then logits, steered logits, greedy tokens.

import Foundation
import TestSupport
import Testing

@testable import Inference
@testable import Kernels

@Suite(.enabled(if: RealModel.path != nil, RealModel.missing))
struct LlamaParityTests {
  let model: Transformer
  let reference: SafetensorsFile
  let ids: [Int32]

  init() throws {
    model = try Transformer(gguf: GGUFFile(path: try #require(RealModel.path)))
    reference = try SafetensorsFile(path: fixturePath("smollm2/forward.safetensors"))
    ids = try reference.ints(named: "input_ids").map(Int32.init)
  }

  static func cosine(_ a: some Collection<Float>, _ b: some Collection<Float>) -> Double {
    var (ab, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      ab += Double(x) * Double(y)
      aa += Double(x) * Double(x)
      bb += Double(y) * Double(y)
    }
    return ab / (aa * bb).squareRoot()
  }

  static func top(_ row: some Collection<Float>) -> Int {
    row.enumerated().max { $0.element < $1.element }?.offset ?? -1
  }

  @Test func hiddenStatesAndLogitsAgree() throws {
    var hooks = Hooks()
    nonisolated(unsafe) var seen: [Int: [Float]] = [:]
    for layer in [0, 14, 29] {
      hooks.add(layer: layer, site: .residPost) { view in
        seen[layer] = Array(UnsafeBufferPointer(start: view.values, count: 37 * view.d))
      }
    }
    let logits = try model.forward(
      [Segment(stream: 0, cache: model.makeCache(), tokens: ids, logits: .all)], hooks: hooks)[0]
    for layer in [0, 14, 29] {
      let wanted = try reference.floats(named: "hidden.\(layer)")
      let got = try #require(seen[layer])
      for position in 0..<37 {
        let range = position * 576..<(position + 1) * 576
        #expect(Self.cosine(got[range], wanted[range]) >= 0.99999, "block \(layer) position \(position)")
      }
    }
    let wanted = try reference.floats(named: "logits")
    for i in 0..<4 {
      let (got, want) = (logits.row(33 + i), wanted[i * 49152..<(i + 1) * 49152])
      #expect(Self.cosine(got, want) >= 0.99999)
      #expect(Self.top(got) == Self.top(want))
    }
  }

  @Test func steeredLogitsAgree() throws {
    let layer = try #require(reference.ints(named: "steer_layer").first)
    let vector = try reference.floats(named: "steer_vector")
    var hooks = Hooks()
    hooks.add(layer: layer, site: .residPost) { view in
      for rows in view.segments { for row in rows.rows { addScaled(1, vector, to: view.row(row), count: view.d) } }
    }
    let logits = try model.forward(
      [Segment(stream: 0, cache: model.makeCache(), tokens: ids, logits: .all)], hooks: hooks)[0]
    let wanted = try reference.floats(named: "steered_logits")
    for i in 0..<4 {
      let (got, want) = (logits.row(33 + i), wanted[i * 49152..<(i + 1) * 49152])
      #expect(Self.cosine(got, want) >= 0.99999)
      #expect(Self.top(got) == Self.top(want))
    }
  }

  @Test func greedyTokensAreIdentical() throws {
    let wanted = try reference.ints(named: "greedy_ids")
    let cache = model.makeCache()
    var got: [Int] = []
    var next = ids
    for _ in 0..<wanted.count {
      let logits = try model.forward([Segment(stream: 0, cache: cache, tokens: next)])[0]
      got.append(Self.top(logits.row(0)))
      next = [Int32(got[got.count - 1])]
    }
    #expect(got == wanted)
  }

  @Test func piecesEqualTheWhole() throws {
    let whole = try model.forward([Segment(stream: 0, cache: model.makeCache(), tokens: ids)])[0]
    for cut in [1, 5, 20, 36] {
      let cache = model.makeCache()
      _ = try model.forward([Segment(stream: 0, cache: cache, tokens: Array(ids[..<cut]), logits: .none)])
      let rest = try model.forward([Segment(stream: 0, cache: cache, tokens: Array(ids[cut...]))])[0]
      #expect(Self.cosine(rest.values, whole.values) > 0.9999999)
      #expect(Self.top(rest.values) == Self.top(whole.values))
    }
  }

  @Test func companyDoesNotChangeAStream() throws {
    let caches = (0..<3).map { _ in model.makeCache() }
    let texts: [[Int32]] = [Array(ids[..<20]), Array(ids[3..<9]), Array(ids[10..<37])]
    let together = try model.forward(
      texts.indices.map { i in
        Segment(
          stream: i, cache: caches[i], tokens: texts[i], lastLayer: i == 1 ? 14 : nil, logits: i == 1 ? .none : .last)
      })
    for i in [0, 2] {
      let alone = try model.forward([Segment(stream: 0, cache: model.makeCache(), tokens: texts[i])])[0]
      #expect(Self.cosine(alone.values, together[i].values) > 0.9999999)
    }
    #expect(together[1].rows == 0)
    // Decoding uses kernels whose result is exactly the same in company.
    let a = try model.forward(
      [0, 2].map { Segment(stream: $0, cache: caches[$0], tokens: [ids[0]]) })
    caches[0].truncate(to: 20)
    let b = try model.forward([Segment(stream: 0, cache: caches[0], tokens: [ids[0]])])
    #expect(a[0].values == b[0].values)
  }
}
