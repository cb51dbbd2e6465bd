// Statistics and contexts of latents over made-up codes whose answers are known.

import Diffing
import Inference
import Kernels
import Testing

/// A crosscoder whose scaled activation is the code itself: every decoder row has norm ½ in each model.
private func unitCrosscoder(F: Int) -> Crosscoder {
  Crosscoder(
    encoder: Matrix(rows: F, columns: 2, values: [Float](repeating: 0, count: 2 * F)),
    encoderBias: [Float](repeating: 0, count: F),
    decoder: Matrix(rows: F, columns: 2, values: [Float](repeating: 0.5, count: 2 * F)), decoderBias: [0, 0])
}

/// Codes of rows of (latent, value).
private func codes(_ rows: [[(Int32, Float)]], F: Int) -> SparseCodes {
  var offsets = [0]
  for row in rows { offsets.append(offsets[offsets.count - 1] + row.count) }
  return SparseCodes(
    nLatents: F, offsets: offsets, latents: rows.flatMap { $0.map(\.0) }, values: rows.flatMap { $0.map(\.1) })
}

private func text(_ ids: [Int32], template: Set<Int> = [], corpus: Corpus = .plain, kept: [Int]? = nil) -> EncodedText {
  EncodedText(
    CorpusText(ids: ids, templateMask: ids.indices.map { template.contains($0) }, corpus: corpus),
    kept: kept ?? Array(ids.indices))
}

@Suite struct LatentStatisticsTests {
  /// Position 0 of each text is left out; plain has 2 rows, chat 3, the first of them template.
  private var statistics: LatentStatistics {
    var statistics = LatentStatistics(crosscoder: unitCrosscoder(F: 4))
    statistics.add(
      codes: codes([[(0, 2)], [(0, 4), (1, 0.0005)], [(0, 8), (2, 1)], [(2, 3)], []], F: 4),
      texts: [
        text([1, 2, 3], kept: [1, 2]), text([1, 2, 3, 4], template: [1], corpus: .chat, kept: [1, 2, 3]),
      ])
    return statistics
  }

  @Test func frequenciesAndMaximaAreCountedByCorpus() {
    let statistics = statistics
    #expect(statistics.tokens(.plain) == 2)
    #expect(statistics.tokens(.chat) == 3)
    #expect(statistics.frequency(0, .plain) == 1)
    #expect(statistics.frequency(0, .chat) == 1.0 / 3)
    #expect(statistics.frequency(0) == 0.6)
    #expect(statistics.maximum(0) == 8)
    #expect(statistics.figures(0, .plain).mean == 3)
  }

  @Test func templateShareCountsActiveTokens() {
    #expect(statistics.templateShare(0) == 1.0 / 3)
    #expect(statistics.templateShare(2) == 0.5)
    #expect(statistics.templateShare(3) == nil)
  }

  @Test func weakActivationsDoNotCount() {
    #expect(statistics.isDead(1))
    #expect(statistics.isDead(3))
    #expect(!statistics.isDead(0))
  }

  @Test func histogramsHoldEveryActiveToken() {
    let figures = statistics.figures(0, .plain)
    #expect(figures.histogram.reduce(0, +) == 2)
    for value in [2.0, 4.0] {
      let bin = LatentStatistics.binEdges.lastIndex { $0 <= value } ?? 0
      #expect(figures.histogram[bin] == 1)
    }
    #expect(abs(LatentStatistics.binEdges[0] - 1e-3) < 1e-9)
    #expect(abs(LatentStatistics.binEdges[49] * 1.380384264602885 - 1e4) < 1e-6)
  }

  @Test func shardsMergeToTheWhole() {
    var (whole, first, second) = (statistics, statistics, statistics)
    let more = codes([[(3, 7)]], F: 4)
    whole.add(codes: more, texts: [text([5])])
    second = LatentStatistics(crosscoder: unitCrosscoder(F: 4))
    second.add(codes: more, texts: [text([5])])
    first.merge(second)
    for latent in 0..<4 {
      for corpus in Corpus.allCases { #expect(first.figures(latent, corpus) == whole.figures(latent, corpus)) }
    }
    #expect(first.tokens(.plain) == 3)
  }
}

@Suite struct ExampleCollectorTests {
  private func collect(
    _ batches: [([[(Int32, Float)]], [EncodedText])], F: Int = 2,
    _ change: (inout ExampleCollector.Configuration) -> Void = { _ in }
  ) -> ExampleSet {
    var configuration = ExampleCollector.Configuration()
    change(&configuration)
    let crosscoder = unitCrosscoder(F: F)
    var statistics = LatentStatistics(crosscoder: crosscoder)
    for (rows, texts) in batches { statistics.add(codes: codes(rows, F: F), texts: texts) }
    var collector = ExampleCollector(crosscoder: crosscoder, statistics: statistics, configuration: configuration)
    for (rows, texts) in batches { collector.add(codes: codes(rows, F: F), texts: texts) }
    return collector.examples()
  }

  /// One text a value, of which latent 0 fires with that value at position 1.
  private func single(_ values: [Float]) -> [([[(Int32, Float)]], [EncodedText])] {
    values.enumerated().map { (index: Int, value: Float) -> ([[(Int32, Float)]], [EncodedText]) in
      ([[], [(Int32(0), value)], []], [text([Int32(index), 7, Int32(index + 1000)])])
    }
  }

  @Test func quantilesAreFractionsOfTheMaximum() {
    let set = collect(single([25, 26, 50, 51, 75, 76, 95, 96, 100, 1]))
    let bands = Dictionary(uniqueKeysWithValues: set.examples.map { ($0.maxActivation, $0.quantile) })
    #expect(bands == [25: 0, 1: 0, 26: 1, 50: 1, 51: 2, 75: 2, 76: 3, 95: 3, 96: 4, 100: 4])
    #expect(set.examples.first?.maxActivation == 100)
    #expect(set.examples.filter { $0.quantile == 4 }.map(\.rank) == [0, 1])
  }

  @Test func bandsShareTheRoomAndStrongOnesTakeTheRest() {
    // 100 texts evenly over the maximum: 4 of each band; then only two bands: the upper one fills up.
    let even = collect(single((1...100).map { Float($0) }))
    #expect((0..<5).map { band in even.examples.filter { $0.quantile == band }.count } == [4, 4, 4, 4, 4])
    #expect(even.examples.filter { $0.quantile == 4 }.map(\.maxActivation) == [100, 99, 98, 97])
    #expect(even.examples.filter { $0.quantile == 3 }.map(\.maxActivation) == [95, 94, 93, 92])
    let two = collect(single((1...20).map { Float($0) / 1000 + 0.01 } + (1...40).map { 100 - Float($0) / 100 }))
    #expect(two.examples.filter { $0.quantile == 4 }.count == 16)
    #expect(two.examples.filter { $0.quantile == 0 }.count == 4)
  }

  @Test func contextsOfTheSameTokensCountOnce() {
    let same = text([5, 6, 7])
    let set = collect([
      ([[], [(0, 3)], []], [same]), ([[], [(0, 4)], []], [same]), ([[], [(0, 4)], [(1, 1)]], [same]),
      ([[], [(0, 2)], []], [text([5, 6, 8])]),
    ])
    #expect(set.examples.filter { $0.latent == 0 }.map(\.maxActivation) == [4, 2])
    #expect(set.examples.filter { $0.latent == 1 }.count == 1)
    // The two latents that need the same stretch of one text share it; another text with the same tokens is another source.
    #expect(set.sequences.map(\.source) == [1, 2, 3])
  }

  @Test func longTextsAreCutAroundThePeakWithAllActivationsInside() throws {
    var rows = [[(Int32, Float)]](repeating: [], count: 500)
    rows[10] = [(0, 1)]
    rows[200] = [(0, 9)]
    rows[210] = [(0, 5)]
    rows[400] = [(0, 8)]
    let set = collect([(rows, [text((0..<500).map { Int32($0) })])])
    let example = try #require(set.examples.first)
    #expect(set.examples.count == 1, "a text counts once for a latent")
    let sequence = set.sequences[example.sequence]
    #expect(sequence.start == 160)
    #expect(sequence.text.ids == (160..<256).map { Int32($0) })
    #expect(example.peak == 40)
    #expect(example.positions == [40, 50])
    #expect(example.values == [9, 5])
    // Near the end there is less to the right, never less than the text has.
    rows = [[(Int32, Float)]](repeating: [], count: 500)
    rows[499] = [(0, 9)]
    let last = collect([(rows, [text((0..<500).map { Int32($0) })])])
    #expect(last.sequences.first?.start == 448)
    #expect(last.sequences.first?.text.ids.count == 52)
  }

  @Test func bandAndPeakAreThoseOfTheLargestActivation() throws {
    // Latent 0 fires on the template most strongly, and on text too.
    let rows: [[(Int32, Float)]] = [[(0, 9), (1, 5)], [(0, 3)], []]
    let other: [[(Int32, Float)]] = [[], [(0, 6)], []]
    let texts = [text([1, 2, 3], template: [0], corpus: .chat), text([4, 5, 6], template: [0], corpus: .chat)]
    let set = collect([(rows + other, texts)])
    let (first, second) = (set.examples[0], set.examples[1])
    #expect(first.latent == 0 && first.peak == 0 && first.maxActivation == 9 && first.quantile == 4)
    #expect(first.positions == [0, 1] && first.values == [9, 3])
    #expect(second.latent == 0 && second.peak == 1 && second.maxActivation == 6 && second.quantile == 2)
  }

  @Test func tokensWithoutARowAreShownButNeverActive() throws {
    let set = collect([([[(0, 2)]], [text([1, 2, 3], kept: [2])])])
    let example = try #require(set.examples.first)
    #expect(example.positions == [2])
    #expect(set.sequences[0].text.ids == [1, 2, 3])
  }

  @Test func batchesDoNotChangeTheChoice() {
    var generator = SplitMix64(seed: 1)
    var batches: [([[(Int32, Float)]], [EncodedText])] = []
    for index in 0..<300 {
      let rows = (0..<6).map { _ in
        (0..<2).filter { _ in generator.uniform() < 0.4 }.map { (Int32($0), Float(generator.uniform())) }
      }
      batches.append((rows, [text((0..<6).map { Int32(index * 10 + $0) })]))
    }
    let whole = [(batches.flatMap(\.0), batches.flatMap(\.1))]
    #expect(collect(batches) == collect(whole))
    let set = collect(whole)
    for latent in 0..<2 { #expect(set.examples.filter { $0.latent == latent }.count == 20) }
    #expect(Set(set.examples.map(\.sequence)) == Set(set.sequences.indices), "no stretch is kept for nothing")
  }
}
