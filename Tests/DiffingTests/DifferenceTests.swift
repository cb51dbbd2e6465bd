// The comparison of two models: its sums against naive ones, parts against the whole, two equal models, topics against scikit-learn.

import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@testable import Diffing

@Suite struct DifferenceTests {
  let folder = TemporaryFolder()
  let models: PairedModels

  init() throws {
    models = try PairedModels(model: TinyModel.writeGGUF(in: folder), adapter: TinyModel.writeAdapter(in: folder))
  }

  private var settings: DifferenceSettings {
    DifferenceSettings(
      layers: [1, 3], positions: 6, mostRaised: 7, sampledPositions: 20, listed: 3, window: 4, windowStep: 2)
  }

  private func texts(_ count: Int, seed: UInt64 = 3) -> [DifferenceText] {
    var generator = SplitMix64(seed: seed)
    return (0..<count).map { _ in
      let length = 2 + Int(generator.uniform() * 14)
      return DifferenceText(plain: (0..<length).map { _ in Int32(3 + generator.uniform() * 256) })
    }
  }

  private func sums(_ texts: [DifferenceText], of models: PairedModels, first: Int = 0) throws -> DifferenceSums {
    let collector = try DifferenceCollector(models: models, settings: settings)
    // One text at a time, so that its company does not matter to last bits.
    for (index, text) in texts.enumerated() { try collector.add([text], first: first + index) }
    return collector.sums
  }

  @Test func sumsAreThoseOfEveryToken() throws {
    let texts = texts(5)
    let found = try sums(texts, of: models)
    let V = TinyModel.vocabSize
    var (differences, raised) = ([Double](repeating: 0, count: V), [Int32](repeating: 0, count: V))
    var losses = (base: 0.0, chat: 0.0)
    for text in texts {
      let logits = try PairModel.allCases.map { side in
        try models.forward(
          [Segment(stream: 0, cache: models.transformer(of: side).makeCache(), tokens: text.ids, logits: .all)],
          of: [side])[0]
      }
      for row in text.ids.indices {
        for v in 0..<V {
          let difference = logits[1][row, v] - logits[0][row, v]
          differences[v] += Double(difference)
          if difference > 0 { raised[v] += 1 }
        }
      }
      losses.base += nextTokenLosses(logits[0], ids: text.ids).reduce(0, +)
      losses.chat += nextTokenLosses(logits[1], ids: text.ids).reduce(0, +)
    }
    let tokens = found.tokens[Corpus.plain.number]
    let count = texts.reduce(0) { $0 + $1.ids.count }
    #expect(tokens.positions == count && found.tokenCount == count)
    for v in 0..<V { #expect(abs(tokens.sums.value(v) - differences[v]) < 1e-3) }
    #expect(zip(tokens.raised, raised).allSatisfy { abs($0 - $1) <= 1 })
    #expect(tokens.amongMostRaised.reduce(0, +) == Int32(7 * count))
    let plain = found.losses[Corpus.plain.number]
    #expect(abs(plain.base.value - losses.base) < 1e-3 && abs(plain.chat.value - losses.chat) < 1e-3)
    // What tokens add to the divergence is the divergence.
    let divergence = found.divergences[TokenRole.plain.number]
    let parts = (0..<V).reduce(0.0) { $0 + tokens.parts.value($1) }
    #expect(abs(parts - divergence.chatFromBase.value) < 1e-2 * divergence.chatFromBase.value)
  }

  @Test func sumsOfPartsAreThoseOfTheWhole() throws {
    let texts = texts(12)
    let whole = try sums(texts, of: models)
    var parts = try sums(Array(texts[7...]), of: models, first: 7)
    parts += try sums(Array(texts[..<7]), of: models)
    #expect(parts == whole)
    #expect(whole.lists[0].byMean.count == 3 && whole.samples[0].rows.count == 20)
    let kept = try PropertyListDecoder().decode(DifferenceSums.self, from: PropertyListEncoder().encode(whole))
    #expect(kept == whole)
  }

  @Test func equalModelsDifferInNothing() throws {
    let path = try TinyModel.writeGGUF(in: folder, name: "again.gguf")
    let equal = try PairedModels(model: path, base: path)
    let found = try sums(texts(6), of: equal)
    #expect(found.showsNoDifference)
    for tokens in found.tokens {
      for order in TokenOrder.allCases { #expect(tokens.order(order).isEmpty) }
    }
    #expect(found.lists.allSatisfy { $0.byMean.isEmpty && $0.byLargest.isEmpty && $0.windows.isEmpty })
    #expect(try !sums(texts(6), of: models).showsNoDifference)
  }

  @Test func twoFilesGiveWhatAnAdapterGives() throws {
    let merged = try TinyModel.writeGGUF(in: folder, name: "merged.gguf", merging: TinyModel.writeAdapter(in: folder))
    let files = try PairedModels(model: merged, base: TinyModel.writeGGUF(in: folder, name: "base.gguf"))
    let texts = texts(4)
    let (a, b) = (try sums(texts, of: models), try sums(texts, of: files))
    for (x, y) in zip(a.blocks, b.blocks) {
      let (x, y) = (x[0].differenceNorm.value, y[0].differenceNorm.value)
      #expect(abs(x - y) < 1e-3 * max(1, x))
    }
    #expect(abs(a.divergences[0].chatFromBase.value - b.divergences[0].chatFromBase.value) < 1e-3)
  }

  @Test func aScrambledAdapterIsAnotherChangeOfTheSameSize() throws {
    let adapter = try TinyModel.writeAdapter(in: folder)
    let scrambled = PairedModels(
      chat: models.chat, base: models.base, adapter: try Adapter(path: adapter, for: models.chat, scrambled: 1))
    let texts = texts(4)
    let (own, other) = (try sums(texts, of: models), try sums(texts, of: scrambled))
    #expect(own.divergences != other.divergences && !other.showsNoDifference)
  }

  @Test func positionsOfChatsCountFromTheAnswer() throws {
    let engine = try Engine(model: TinyModel.writeGGUF(in: folder))
    let chat = try engine.encodeChat(
      [ChatMessage(role: .user, content: "hello"), ChatMessage(role: .assistant, content: "good day")],
      addGenerationPrompt: false)
    let text = DifferenceText(chat: chat, limit: 1000)
    let start = try #require(text.answerStart)
    #expect(text.roles[start] == .assistant && text.roles[..<start].allSatisfy { $0 != .assistant })
    #expect(text.slot(of: start - 3) == 0 && text.slot(of: start) == 3 && text.slot(of: start - 4) == nil)
    #expect(text.compared == start - 3..<text.ids.count)
  }

  private struct Topics: Decodable {
    struct Row: Decodable {
      let tokens: [Int32]
      let values: [Float]
    }
    let rows: [Row]
    let loss: Double
  }

  @Test(arguments: [0, 1, 2] as [UInt64]) func topicsAreAsGoodAsScikitLearns(seed: UInt64) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture("topics.json")))
    let known = try JSONDecoder().decode(Topics.self, from: data)
    let rows = known.rows.map { SparseRow(tokens: $0.tokens, values: $0.values) }
    let found = TokenTopics(rows, topics: 3, seed: seed)
    #expect(found.loss < 1.01 * known.loss)
    #expect(found == TokenTopics(rows, topics: 3, seed: seed))
    // The three groups are 0…11, 12…23 and 24…35.
    let groups = found.list(tokens: 8).map { Set($0.tokens.map { $0.id / 12 }) }
    #expect(groups.allSatisfy { $0.count == 1 } && Set(groups).count == 3)
  }

  @Test func quantilesOfAHistogramAreWithinAPercent() {
    var histogram = LogHistogram()
    for i in 1...1000 { histogram.add(Double(i) / 100) }
    histogram.add(0)
    for (share, value) in [(0.5, 5.0), (0.9, 9.0), (0.99, 9.9)] {
      #expect(abs((histogram.quantile(share) ?? 0) / value - 1) < 0.012)
    }
    #expect(histogram.quantile(0) == 0 && LogHistogram().quantile(0.5) == nil)
  }

  @Test func theMostRaisedAreFoundAmongMany() {
    var generator = SplitMix64(seed: 5)
    let values = generator.normals(5000)
    let found = largestValues(values, count: values.count, most: 40)
    let sorted = values.indices.sorted { values[$0] > values[$1] }.prefix(40)
    #expect(found.map { Int($0.place) } == Array(sorted))
    #expect(largestValues(values, count: 3, most: 40).count == 3)
  }
}
