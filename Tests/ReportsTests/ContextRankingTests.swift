// The order of contexts beside a naive one, on random pages.

import Inference
import Testing

@testable import Reports
@testable import Storage

@Suite struct ContextRankingTests {
  /// A page of random contexts; many tokens are template, many texts the same.
  private static func page(_ random: inout some RandomNumberGenerator) -> LatentPage {
    var latent = LatentRecord(id: 3)
    latent.maxActivation = 16
    let texts = (0..<4).map { _ in (0..<30).map { _ in Int32.random(in: 0..<6, using: &random) } }
    var contexts: [Context] = []
    for rank in 0..<Int.random(in: 0...12, using: &random) {
      let ids = texts[Int.random(in: 0..<4, using: &random)]
      let mask = ids.map { _ in Int.random(in: 0..<3, using: &random) == 0 }
      let some = (0..<30).filter { _ in Int.random(in: 0..<12, using: &random) == 0 }
      let positions = (some.isEmpty ? [Int.random(in: 0..<30, using: &random)] : some).map { Int32($0) }
      let values = positions.map { _ in Float(Int.random(in: 1...16, using: &random)) }
      let largest = values.max() ?? 0
      let peak = positions[values.firstIndex(of: largest) ?? 0]
      contexts.append(
        Context(
          example: ExampleRecord(
            latent: 3, quantile: [4, 8, 12, 15.2].firstIndex { largest <= $0 } ?? 4, rank: rank,
            sequence: Int32(rank), positions: positions, values: values),
          sequence: SequenceRecord(id: Int32(rank), tokenIDs: ids, corpus: "chat", templateMask: mask),
          maxActivation: largest, peak: Int(peak)))
    }
    contexts.sort { ($1.example.quantile, $0.example.rank) < ($0.example.quantile, $1.example.rank) }
    return LatentPage(
      latent: latent, tags: [], note: nil, explanations: [], contexts: contexts, contextCount: contexts.count,
      logits: [], histograms: [], neighbours: [],
      tokens: [5: TokenRecord(id: 5, bytes: Array("<s>".utf8), isSpecial: true)])
  }

  /// The strongest token outside of the template, looked for at every position.
  private static func textPeak(_ context: Context) -> (position: Int, activation: Float)? {
    var best: (position: Int, activation: Float)?
    for (position, activation) in context.activations.enumerated() {
      let isText = !context.sequence.templateMask[position] && context.sequence.tokenIDs[position] != 5
      if isText, activation > 0, activation > best?.activation ?? 0 { best = (position, activation) }
    }
    return best
  }

  @Test func theRankingIsTheNaiveOne() {
    var random = SplitMix64(seed: 7)
    var (left, copies, fallbacks) = (0, 0, 0)
    for _ in 0..<400 {
      let page = Self.page(&random)
      let all = ContextRanking(page, .init(showsDuplicates: true))
      let peaks = page.contexts.map(Self.textPeak)
      if peaks.allSatisfy({ $0 == nil }) {
        #expect(all.countsTemplate && all.entries.map(\.index) == Array(page.contexts.indices))
        fallbacks += 1
        continue
      }
      #expect(!all.countsTemplate && all.duplicates == 0)
      #expect(all.templateOnly == peaks.filter { $0 == nil }.count)
      #expect(Set(all.entries.map(\.index)) == Set(peaks.indices.filter { peaks[$0] != nil }))
      for entry in all.entries {
        #expect(entry.peak == peaks[entry.index]?.position && entry.activation == peaks[entry.index]?.activation)
        let share = entry.activation / 16
        #expect(entry.band == [0.25, 0.5, 0.75, 0.95].firstIndex { share <= $0 } ?? 4)
      }
      // By activation alone, since bands follow from it; equal ones as the store has them.
      let order = peaks.indices.filter { peaks[$0] != nil }.sorted {
        let (first, second) = (peaks[$0]?.activation ?? 0, peaks[$1]?.activation ?? 0)
        return first == second ? $0 < $1 : first > second
      }
      #expect(all.entries.map(\.index) == order)

      let shown = ContextRanking(page)
      var kept: [ContextRanking.Entry] = []
      for entry in all.entries {
        func window(_ entry: ContextRanking.Entry) -> [Int32] {
          let ids = page.contexts[entry.index].sequence.tokenIDs
          return (entry.peak - 8...entry.peak + 8).filter { ids.indices.contains($0) }.map { ids[$0] }
        }
        if !kept.contains(where: { window($0) == window(entry) }) { kept.append(entry) }
      }
      #expect(shown.entries == kept && shown.duplicates == all.entries.count - kept.count)
      left += all.templateOnly
      copies += shown.duplicates
    }
    #expect(left > 50 && copies > 50 && fallbacks > 5, "the pages show all cases")
  }

  @Test func withTemplateTokensTheOrderIsTheStores() {
    var random = SplitMix64(seed: 8)
    for _ in 0..<100 {
      let page = Self.page(&random)
      let ranking = ContextRanking(page, .init(countsTemplate: true, showsDuplicates: true))
      #expect(ranking.entries.map(\.index) == Array(page.contexts.indices) && ranking.templateOnly == 0)
      for entry in ranking.entries {
        let context = page.contexts[entry.index]
        #expect(entry.peak == context.peak && entry.activation == context.maxActivation)
        #expect(entry.band == context.example.quantile)
      }
    }
  }
}
