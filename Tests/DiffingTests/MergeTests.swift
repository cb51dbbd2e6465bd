// Running sums over shards: any division of the tokens gives what one run gives, counts exactly and sums to rounding;
// and explained variance against its definition in a naive loop.

import Inference
import Kernels
import Testing

@testable import Diffing

@Suite struct MergeTests {
  static let (d, F, T) = (6, 14, 700)
  let crosscoder = randomCrosscoder(d: Self.d, F: Self.F, seed: 21, threshold: 4)
  let x = randomActivations(tokens: Self.T, d: Self.d, seed: 22)

  /// The tokens cut at random places, empty shards among them.
  private func shards(_ count: Int, seed: UInt64) -> [Range<Int>] {
    var generator = SplitMix64(seed: seed)
    let cuts = [0] + (1..<count).map { _ in Int.random(in: 0...Self.T, using: &generator) }.sorted() + [Self.T]
    return zip(cuts, cuts.dropFirst()).map { $0..<$1 }
  }

  private func numbers(_ betas: [LatentScaling.Betas]) -> [Double?] {
    betas.flatMap {
      [
        $0.errorBase, $0.errorChat, $0.reconstructionBase, $0.reconstructionChat, $0.activationBase,
        $0.activationChat, $0.activationNoBiasBase, $0.activationNoBiasChat, $0.nuError, $0.nuReconstruction,
      ]
    }
  }

  @Test(arguments: [1, 2, 3, 8, 40]) func latentScalingMerges(count: Int) throws {
    func scaling(_ range: Range<Int>) throws -> LatentScaling {
      var scaling = LatentScaling(crosscoder: crosscoder)
      try scaling.add(codes: crosscoder.encode(x.tokens(range)), activations: x.tokens(range))
      return scaling
    }
    let whole = try scaling(0..<Self.T).betas()
    var merged = LatentScaling(crosscoder: crosscoder)
    for range in shards(count, seed: UInt64(count)) { merged.merge(try scaling(range)) }
    let found = merged.betas()
    #expect(found.map(\.activeTokens) == whole.map(\.activeTokens))
    #expect(whole.contains { $0.activeTokens > 50 })
    #expect(relativeDifference(numbers(found), numbers(whole)) < 1e-12)
  }

  @Test(arguments: [1, 2, 3, 8, 40]) func explainedVarianceMerges(count: Int) throws {
    func variance(_ range: Range<Int>) throws -> ExplainedVariance {
      var variance = ExplainedVariance(dModel: Self.d)
      let part = x.tokens(range)
      variance.add(part, reconstruction: crosscoder.decode(try crosscoder.encode(part), of: part))
      return variance
    }
    func numbers(_ variance: ExplainedVariance) -> [Double?] {
      [variance.shares(.base), variance.shares(.chat), variance.sharesOfDifference()].flatMap {
        [$0?.explained, $0?.error, $0?.offset]
      }
    }
    var merged = ExplainedVariance(dModel: Self.d)
    for range in shards(count, seed: UInt64(count)) { merged.merge(try variance(range)) }
    #expect(relativeDifference(numbers(merged), numbers(try variance(0..<Self.T))) < 1e-12)
  }

  @Test(arguments: [1, 2, 3, 8, 40]) func statisticsAndDivergenceMerge(count: Int) throws {
    var generator = SplitMix64(seed: 5)
    let mask = (0..<Self.T).map { _ in Bool.random(using: &generator) }
    let twins = [Twins(chatOnly: 0, baseOnly: 1, cosine: 1), Twins(chatOnly: 5, baseOnly: 9, cosine: 1)]
    func counted(_ range: Range<Int>) throws -> (LatentStatistics, TwinDivergence) {
      var statistics = LatentStatistics(crosscoder: crosscoder)
      var divergence = TwinDivergence(
        twins: twins, crosscoder: crosscoder, maxima: [Float](repeating: 30, count: Self.F))
      let codes = try crosscoder.encode(x.tokens(range))
      let corpus = CorpusText(
        ids: range.map { Int32($0) }, templateMask: Array(mask[range]), corpus: .chat)
      statistics.add(codes: codes, texts: [EncodedText(corpus, kept: Array(0..<range.count))])
      divergence.add(codes: codes)
      return (statistics, divergence)
    }
    let whole = try counted(0..<Self.T)
    var merged = try counted(0..<0)
    for range in shards(count, seed: UInt64(count)) {
      let part = try counted(range)
      merged.0.merge(part.0)
      merged.1.merge(part.1)
    }
    #expect(merged.1.divergences == whole.1.divergences && whole.1.divergences.contains { $0 != nil })
    for latent in 0..<Self.F {
      let (found, wanted) = (merged.0.figures(latent, .chat), whole.0.figures(latent, .chat))
      #expect(found.histogram == wanted.histogram && found.maximum == wanted.maximum)
      #expect(found.active == wanted.active && found.activeTemplate == wanted.activeTemplate)
      #expect(abs(found.sum - wanted.sum) <= 1e-12 * wanted.sum)
      #expect(merged.0.templateShare(latent) == whole.0.templateShare(latent))
    }
  }
}

@Suite struct ExplainedVarianceTests {
  @Test func sharesFollowTheirDefinition() throws {
    let (d, T) = (5, 600)
    let (x, made) = (randomActivations(tokens: T, d: d, seed: 1), randomActivations(tokens: T, d: d, seed: 2))
    // Halfway to the truth and off by a constant, so that all three shares are there.
    let xHat = PairedActivations(
      dModel: d, values: zip(x.values, made.values).map { 0.7 * $0 + 0.2 * $1 + 0.3 })
    var variance = ExplainedVariance(dModel: d)
    variance.add(x, reconstruction: xHat)
    func target(_ x: PairedActivations, _ index: Int) -> [[Double]] {
      (0..<T).map { token in
        let (base, chat) = (x.vector(token: token, model: .base), x.vector(token: token, model: .chat))
        return index == 0
          ? base.map(Double.init)
          : index == 1 ? chat.map(Double.init) : zip(chat, base).map { Double($0) - Double($1) }
      }
    }
    func variation(_ rows: [[Double]]) -> (around: Double, offset: Double) {
      let mean = (0..<d).map { i in rows.reduce(0) { $0 + $1[i] } / Double(T) }
      let around = rows.reduce(0.0) { sum, row in sum + zip(row, mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      }
      return (around, Double(T) * mean.reduce(0) { $0 + $1 * $1 })
    }
    for index in 0..<3 {
      let (h, hHat) = (target(x, index), target(xHat, index))
      let error = variation(zip(h, hHat).map { zip($0, $1).map { $0 - $1 } })
      let total = variation(h).around
      let found = try #require(
        index == 2 ? variance.sharesOfDifference() : variance.shares(index == 0 ? .base : .chat))
      #expect(abs(found.error - error.around / total) < 1e-10)
      #expect(abs(found.offset - error.offset / total) < 1e-10)
      #expect(abs(found.explained + found.error + found.offset - 1) < 1e-10)
    }
  }

  @Test func withoutVarianceThereAreNoShares() {
    var variance = ExplainedVariance(dModel: 2)
    #expect(variance.shares(.base) == nil)
    let same = PairedActivations(dModel: 2, values: [1, 2, 3, 4, 1, 2, 3, 4])
    variance.add(same, reconstruction: same)
    #expect(variance.shares(.chat) == nil && variance.sharesOfDifference() == nil)
  }
}
