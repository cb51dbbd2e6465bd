// What takes longer: what δ does for chat's predictions, and what chat writes by itself.

import Diffing
import Foundation
import Inference
import Kernels

extension DifferenceFindings {
  /// The tokens of the texts on which effects are measured, and the vectors that δ is held against.
  private static let (effectTokens, randomVectors, pairVectors) = (320, 64, 16)

  /// For each corpus the effect of its δ with the largest share of the residual stream, the first token of plain texts left out, where
  /// streams are of outlying norm.
  package func effects(
    of lenses: [DifferenceDocument.Lens], vector: (String) -> [Float]?, progress: (Int, Int) -> Void
  ) throws -> [DifferenceDocument.Effect] {
    try Corpus.allCases.compactMap { corpus -> DifferenceDocument.Effect? in
      let candidates = lenses.filter { $0.corpus == corpus && !$0.isOutlying }
      guard let lens = candidates.max(by: { $0.relative < $1.relative }), let delta = vector(lens.name) else {
        return nil
      }
      return try effect(of: lens, delta, progress: progress)
    }
  }

  private func effect(
    of lens: DifferenceDocument.Lens, _ delta: [Float], progress: (Int, Int) -> Void
  ) throws -> DifferenceDocument.Effect? {
    var (chosen, held): ([[Int32]], Int) = ([], 0)
    for text in texts where text.corpus == lens.corpus && held < Self.effectTokens {
      chosen.append(Array(text.ids.prefix(Self.effectTokens - held)))
      held += text.ids.count
    }
    chosen.removeAll { $0.count < 2 }
    guard !chosen.isEmpty else { return nil }
    let measured = try ProjectionEffect(models: models, texts: chosen, layer: lens.layer)
    let (random, pairs) = (randomVectors(delta.count), try pairVectors(lens))
    var done = 0
    func loss(_ vector: [Float]?) throws -> Double {
      defer {
        done += 1
        progress(done, 2 + random.count + pairs.count)
      }
      let all = try measured.losses(along: vector).flatMap { $0 }
      return all.reduce(0, +) / Double(all.count)
    }
    let clean = try loss(nil)
    return DifferenceDocument.Effect(
      direction: lens.name, corpus: lens.corpus, texts: chosen.count, tokens: chosen.reduce(0) { $0 + $1.count - 1 },
      loss: clean, change: try loss(delta) - clean, random: .init(try random.map { try loss($0) - clean }),
      pairs: .init(try pairs.map { try loss($0) - clean }))
  }

  /// Directions that are equally likely in every sense.
  private func randomVectors(_ d: Int) -> [[Float]] {
    var generator = SplitMix64(seed: seed)
    return (0..<Self.randomVectors).map { _ in (0..<d).map { _ in Float(generator.normal()) } }
  }

  /// Differences between chat's mean streams of two texts: directions in which texts differ.
  private func pairVectors(_ lens: DifferenceDocument.Lens) throws -> [[Float]] {
    let own = texts.filter { $0.corpus == lens.corpus && $0.ids.count > 1 }
    guard own.count >= 2 else { return [] }
    var generator = SplitMix64(seed: seed &+ 1)
    let harvester = Harvester(models: models, layer: lens.layer)
    func mean(_ text: DifferenceText) throws -> [Float] {
      let found = try harvester.activations(of: [Array(text.ids.prefix(64))])[0]
      var sum = [Float](repeating: 0, count: found.dModel)
      for token in 1..<found.tokens {
        for (i, value) in found.vector(token: token, model: .chat).enumerated() { sum[i] += value }
      }
      return sum.map { $0 / Float(found.tokens - 1) }
    }
    return try (0..<Self.pairVectors).map { _ in
      let first = Int(generator.uniform() * Double(own.count))
      let other = (first + 1 + Int(generator.uniform() * Double(own.count - 1))) % own.count
      return zip(try mean(own[first]), try mean(own[other])).map { $0 - $1 }
    }
  }

  /// Texts that chat writes from short beginnings of the plain texts, drawn by the seed.
  package func written(
    _ count: Int, tokens length: Int, progress: (Int, Int) -> Void
  ) throws -> [DifferenceDocument.Written] {
    var generator = SplitMix64(seed: seed)
    let sources = texts.filter { $0.ids.count > 4 }
    guard !sources.isEmpty, count > 0 else { return [] }
    let beginning = engine.beginning
    let beginnings = (0..<count).map { _ in
      let ids = sources[Int(generator.uniform() * Double(sources.count))].ids
      let start = 1 + Int(generator.uniform() * Double(ids.count - 3))
      return beginning + ids[start..<start + 2]
    }
    let seed = seed
    let found = try models.write(
      from: beginnings, count: length, ends: Set(engine.tokenizer.endOfTurnIDs),
      sampler: { index throws(InferenceError) in try Sampler(temperature: 1, minP: 0.05, seed: seed &+ UInt64(index)) },
      progress: { progress($0, length) })
    return found.map { text in
      .init(
        beginning: engine.tokenizer.decode(Array(text.beginning.dropFirst(beginning.count))),
        content: engine.tokenizer.decode(text.continuation), lossBase: text.baseLoss, lossChat: text.chatLoss)
    }
  }
}
