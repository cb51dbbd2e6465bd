// Rules that rank latents, against a naive loop in fp64: the k largest of a token, of each model, of groups; ties go to the
// lower latent, and what rounding in fp32 could exchange is decided by exact values.

import Inference
import Kernels
import TestSupport
import Testing

@testable import Diffing

@Suite struct CodeRuleTests {
  private struct Case {
    let crosscoder: Crosscoder
    let x: PairedActivations
  }

  /// Latents in near or exact pairs, whose order fp32 would not tell.
  private func make(
    _ selection: CodeSelection, F: Int, d: Int, seed: UInt64, normalization: CodeNormalization = .sae
  ) -> Case {
    var generator = SplitMix64(seed: seed)
    var rows = generator.normals(F * 2 * d)
    for latent in stride(from: 1, to: F, by: 2) {
      for index in 0..<2 * d {
        let twin = rows[(latent - 1) * 2 * d + index]
        rows[latent * 2 * d + index] = latent % 4 == 1 ? twin : twin.nextUp
      }
    }
    let decoder = normalization == .sae ? [Float](repeating: 1, count: F * 2 * d) : generator.normals(F * 2 * d)
    return Case(
      crosscoder: Crosscoder(
        encoder: Matrix(rows: F, columns: 2 * d, values: rows), encoderBias: [Float](repeating: 0.5, count: F),
        decoder: Matrix(rows: F, columns: 2 * d, values: decoder),
        decoderBias: [Float](repeating: 0, count: 2 * d), codeNormalization: normalization, selection: selection),
      x: randomActivations(tokens: 40, d: d, seed: seed + 1))
  }

  /// p of each latent at a token, in fp64.
  private func preactivations(_ one: Case, _ token: Int) -> [Double] {
    let width = 2 * one.crosscoder.dModel
    return one.x.values.withUnsafeBufferPointer { x in
      one.crosscoder.encoder.values.withUnsafeBufferPointer { weights in
        (0..<one.crosscoder.nLatents).map { latent in
          guard let x = x.baseAddress, let weights = weights.baseAddress else { return 0 }
          let input = (0..<width).map { Double(x[token * width + $0]) }
          return input.withUnsafeBufferPointer { input in
            guard let input = input.baseAddress else { return 0 }
            return dotInDouble(weights + latent * width, input, count: width) + 0.5
          }
        }
      }
    }
  }

  private func largest(_ k: Int, of values: [Double], among latents: Range<Int>) -> Set<Int> {
    let order = latents.sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }
    return Set(order.prefix(k).filter { values[$0] > 0 })
  }

  @Test(arguments: [1, 2, 3, 7, 40, 96, 200]) func theLargestOfAToken(k: Int) throws {
    for d in [1, 5, 64] {
      let one = make(.largest(k, scaled: false), F: 96, d: d, seed: UInt64(k * 100 + d))
      let codes = try one.crosscoder.encode(one.x)
      for token in 0..<one.x.tokens {
        let pre = preactivations(one, token)
        let found = codes.entries(of: token).map { Int(codes.latents[$0]) }
        #expect(Set(found) == largest(k, of: pre, among: 0..<96) && found == found.sorted())
        for entry in codes.entries(of: token) { #expect(codes.values[entry] == Float(pre[Int(codes.latents[entry])])) }
      }
    }
  }

  @Test(arguments: [1, 2, 8, 48, 96]) func theLargestOfGroups(k: Int) throws {
    let one = make(.largestOfGroups(k), F: 96, d: 9, seed: UInt64(k))
    let codes = try one.crosscoder.encode(one.x)
    let size = 96 / k
    for token in 0..<one.x.tokens {
      let pre = preactivations(one, token)
      let wanted = (0..<k).map { largest(1, of: pre, among: $0 * size..<($0 + 1) * size) }
      #expect(Set(codes.entries(of: token).map { Int(codes.latents[$0]) }) == wanted.reduce(Set()) { $0.union($1) })
    }
  }

  @Test(arguments: [1, 4, 30]) func theLargestOfEachModel(k: Int) throws {
    let one = make(.largest(k, scaled: true), F: 64, d: 6, seed: 7, normalization: .decoupled)
    let codes = try one.crosscoder.encode(one.x)
    for token in 0..<one.x.tokens {
      let pre = preactivations(one, token)
      for (model, norms) in [(PairModel.base, one.crosscoder.baseNorms), (.chat, one.crosscoder.chatNorms)] {
        let wanted = largest(k, of: zip(pre, norms).map { $0 * $1 }, among: 0..<64)
        let found = codes.entries(of: token).filter { codes.models(of: $0).contains(model.set) }
        #expect(Set(found.map { Int(codes.latents[$0]) }) == wanted)
      }
    }
  }

  @Test func codesThatRankLatentsAreNotReadAlone() throws {
    let one = make(.largest(3, scaled: false), F: 8, d: 2, seed: 1)
    #expect(!one.crosscoder.hasCodesOfLatents)
    #expect { try LatentReader(0, one.crosscoder) } throws: { "\($0)".contains("depends on all others") }
    #expect(throws: Never.self) { try one.crosscoder.requireCodesOfTexts() }
  }
}
