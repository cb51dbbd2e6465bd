// From the sums of a comparison to what a reader wants to know of it: orders, topics, what δ says, where the models part.

import Diffing
import Foundation
import Inference
import Storage

/// Makes the parts of a document from sums. It has one owner at a time.
package struct DifferenceFindings {
  package let engine: Engine
  package let models: PairedModels
  package let texts: [DifferenceText]
  package let sums: DifferenceSums
  package let seed: UInt64
  /// The most tokens of a list in the document.
  package static let listed = 100
  private static let lensTokens = 20

  package init(
    engine: Engine, models: PairedModels, texts: [DifferenceText], sums: DifferenceSums, seed: UInt64
  ) {
    (self.engine, self.models, self.texts, self.sums, self.seed) = (engine, models, texts, sums, seed)
  }

  func token(_ id: Int32, _ weight: Double) -> DifferenceDocument.Token {
    // Models may have more embeddings than their tokenizer has tokens.
    let isKnown = (0..<Int32(engine.tokenizer.vocabularySize)).contains(id)
    return .init(id: id, text: isKnown ? engine.tokenizer.decode([id]) : "[\(id)]", weight: weight)
  }

  func tokens(_ list: [TokenProbability]) -> [DifferenceDocument.Token] { list.map { token($0.id, $0.probability) } }

  // MARK: from the sums alone

  package func figures() -> [DifferenceDocument.CorpusFigures] {
    zip(Corpus.allCases, sums.losses).compactMap { corpus, losses in
      guard losses.predictions > 0 else { return nil }
      let count = Double(losses.predictions)
      return .init(
        corpus: corpus, texts: losses.texts, predictions: losses.predictions,
        perplexityBase: exp(losses.base.value / count), perplexityChat: exp(losses.chat.value / count))
    }
  }

  package func divergences() -> [DifferenceDocument.Divergence] {
    zip(TokenRole.allCases, sums.divergences).compactMap { role, found in
      guard found.count > 0 else { return nil }
      let count = Double(found.count)
      return .init(
        role: role, tokens: found.count, mean: found.chatFromBase.value / count,
        median: found.histogram.quantile(0.5) ?? 0, p90: found.histogram.quantile(0.9) ?? 0,
        p99: found.histogram.quantile(0.99) ?? 0, baseFromChat: found.baseFromChat.value / count)
    }
  }

  package func blocks() -> [DifferenceDocument.Block] {
    sums.blocks.enumerated().flatMap { block, roles -> [DifferenceDocument.Block] in
      zip(TokenRole.allCases, roles).compactMap { role, found -> DifferenceDocument.Block? in
        guard found.count > 0 else { return nil }
        let count = Double(found.count)
        return DifferenceDocument.Block(
          block: block, role: role, distance: found.differenceNorm.value / count,
          relative: found.baseNorm.value > 0 ? found.differenceNorm.value / found.baseNorm.value : 0,
          cosine: found.cosine.value / count)
      }
    }
  }

  /// - Parameter filters: what is left out of the lists, and which tokens count as one.
  package func orders(_ filters: [OrderFilter]) -> [DifferenceDocument.Order] {
    zip(Corpus.allCases, sums.tokens).flatMap { corpus, found -> [DifferenceDocument.Order] in
      guard found.positions > 0 else { return [] }
      return TokenOrder.allCases.map { order in
        .init(
          corpus: corpus, order: order,
          tokens: found.order(order).filtered(by: filters, engine.tokenizer).prefix(Self.listed).map {
            token($0.id, $0.weight)
          })
      }
    }
  }

  package func topics(_ count: Int) -> [DifferenceDocument.Topic] {
    zip(Corpus.allCases, sums.samples).flatMap { corpus, sample -> [DifferenceDocument.Topic] in
      func topics(_ measure: DifferenceDocument.Topic.Measure, _ rows: [SparseRow]) -> [DifferenceDocument.Topic] {
        guard rows.contains(where: { !$0.tokens.isEmpty }) else { return [] }
        return TokenTopics(rows, topics: count, seed: seed).list(tokens: 30).map { topic in
          .init(
            corpus: corpus, measure: measure, share: topic.share, tokens: topic.tokens.map { token($0.id, $0.weight) })
        }
      }
      return topics(.divergence, sample.rows.map(\.added)) + topics(.logit, sample.rows.map(\.raised))
    }
  }

  package func windows() -> [DifferenceDocument.Window] {
    zip(Corpus.allCases, sums.lists).flatMap { corpus, lists in
      lists.windows.map { window in
        DifferenceDocument.Window(
          corpus: corpus, text: window.text, start: window.start, gain: window.gain,
          content: engine.tokenizer.decode(
            Array(texts[window.text].ids[window.start..<window.start + window.count])))
      }
    }
  }

  // MARK: with the models

  /// The texts on which the models part most, token by token.
  package func partingTexts(progress: (Int, Int) -> Void) throws -> [DifferenceDocument.Text] {
    var chosen: [(corpus: Corpus, listed: ListedText)] = []
    for (corpus, lists) in zip(Corpus.allCases, sums.lists) {
      for listed in lists.byMean + lists.byLargest where !chosen.contains(where: { $0.listed.text == listed.text }) {
        chosen.append((corpus, listed))
      }
    }
    return try chosen.enumerated().map { index, item in
      defer { progress(index + 1, chosen.count) }
      let read = try models.read(texts[item.listed.text], likeliest: 3)
      return .init(
        corpus: item.corpus, text: item.listed.text, mean: item.listed.mean, largest: item.listed.largest,
        tokens: read.map { place in
          .init(
            id: place.id, text: token(place.id, 0).text, role: place.role, divergence: place.divergence,
            base: tokens(place.base), chat: tokens(place.chat))
        })
    }
  }

  /// What δ says at every layer and position of which means were kept, and its direction.
  package func lenses(
    patches: Bool, progress: (Int, Int) -> Void
  ) throws -> (lenses: [DifferenceDocument.Lens], directions: [DirectionRecord]) {
    var (lenses, directions): ([DifferenceDocument.Lens], [DirectionRecord]) = ([], [])
    let prompt = engine.beginning + engine.tokenizer.encode(Patchscope.prompt, parseSpecial: false)
    var done = 0
    let all = sums.settings.layers.count * 2 * sums.settings.positions
    for (index, layer) in sums.settings.layers.enumerated() {
      let patchscope = patches ? try Patchscope(models: models, prompt: prompt, layer: layer) : nil
      for corpus in Corpus.allCases {
        let found = sums.positions[index][corpus.number]
        for slot in 0..<sums.settings.positions {
          done += 1
          progress(done, all)
          // Without any difference there is no direction.
          guard let means = found.means(at: slot), means.difference.contains(where: { $0 != 0 }),
            let usual = found.meanNorm
          else { continue }
          let position = corpus == .plain ? slot : slot - DifferenceText.beforeAnswer
          let name = "δ \(layer) \(corpus.rawValue) \(position)"
          let lens = try models.chat.lens([
            means.difference, means.difference.map { -$0 }, means.base, means.chat,
          ]).map { tokens(TokenProbability.likeliest($0, Self.lensTokens)) }
          let norm = means.difference.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
          lenses.append(
            .init(
              name: name, layer: layer, corpus: corpus, position: position, texts: found.counts[slot], norm: norm,
              relative: usual > 0 ? norm / usual : 0, difference: lens[0], opposite: lens[1], base: lens[2],
              chat: lens[3], patch: try patchscope.flatMap { try patch($0, means, Float(usual)) }))
          directions.append(
            DirectionRecord(
              name: name, layer: layer, unit: usual, source: "mean difference chat − base at a position",
              card: storedJSON(
                DirectionCard(corpus: corpus, position: position, texts: found.counts[slot], norm: norm)),
              vector: means.difference))
        }
      }
    }
    return (lenses, directions)
  }

  private struct DirectionCard: Encodable {
    let corpus: Corpus
    let position: Int
    let texts: Int
    let norm: Double
  }

  private func patch(
    _ patchscope: Patchscope, _ means: (base: [Float], chat: [Float], difference: [Float]), _ usual: Float
  ) throws -> DifferenceDocument.Patch? {
    func read(_ vector: [Float]) throws -> [[Float]] {
      try patchscope.probabilities(Patchscope.scales.map { scaled(vector, to: $0 * usual) })
    }
    let (own, control) = (try read(means.difference), try read(means.base))
    guard
      let chosen = PatchReading.chosen(own, control: control, scales: Patchscope.scales, tokens: Self.lensTokens),
      let index = Patchscope.scales.firstIndex(of: chosen.scale)
    else { return nil }
    return .init(
      scale: chosen.scale, tokens: tokens(chosen.tokens),
      control: tokens(TokenProbability.likeliest(control[index], Self.lensTokens)))
  }
}
