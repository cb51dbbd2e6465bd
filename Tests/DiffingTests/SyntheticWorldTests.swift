// Worlds whose concepts are known: what is planted is there, a perfect dictionary is judged right, and the claims of
// arXiv 2504.02922 about L1 and BatchTopK come out.

import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@testable import Diffing

@Suite struct SyntheticWorldTests {
  /// One concept of one kind, always on, without noise.
  private func lone(_ kind: SyntheticWorld.Kind) throws -> SyntheticWorld {
    var recipe = SyntheticWorld.Recipe()
    recipe.shared = kind == .shared ? 1 : 0
    recipe.baseOnly = kind == .baseOnly ? 1 : 0
    recipe.chatOnly = kind == .chatOnly ? 1 : 0
    recipe.rescaled = kind == .rescaled ? 1 : 0
    recipe.decoupled = kind == .decoupled ? 1 : 0
    (recipe.rare, recipe.rareFrequency) = (kind == .rare ? 1 : 0, 1)
    recipe.split = kind == .split ? 1 : 0
    (recipe.lowestFrequency, recipe.highestFrequency, recipe.noise) = (1, 1, 0)
    return try SyntheticWorld(recipe: recipe, seed: 3)
  }

  @Test(arguments: SyntheticWorld.Kind.allCases)
  func aKindIsWhatItSays(kind: SyntheticWorld.Kind) throws {
    let world = try lone(kind)
    let concept = try #require(world.concepts.first)
    #expect(abs(concept.direction.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
    let x = world.activations(tokens: 2000, seed: 1)
    let amounts = (0..<x.tokens).map { token in
      PairModel.allCases.map { model in
        Double(zip(x.vector(token: token, model: model), concept.direction).reduce(0) { $0 + $1.0 * $1.1 })
      }
    }
    let both = amounts.filter { $0[0] > 0 && $0[1] > 0 }
    #expect(
      amounts.allSatisfy {
        $0.allSatisfy { $0 == 0 || $0 > (kind == .split ? 0.35 : 0.49) * concept.strength * concept.baseFactor }
      })
    switch kind {
    case .shared: #expect(amounts.allSatisfy { $0[0] == $0[1] && $0[0] > 0 })
    case .baseOnly: #expect(amounts.allSatisfy { $0[0] > 0 && $0[1] == 0 })
    case .chatOnly, .rare: #expect(amounts.allSatisfy { $0[0] == 0 && $0[1] > 0 })
    case .split:
      #expect(amounts.allSatisfy { $0[0] == 0 && $0[1] > 0 })
      let variants = try #require(concept.variants)
      #expect(variants.count == 4)
      var counts = [0, 0, 0, 0]
      for token in 0..<x.tokens {
        let row = x.vector(token: token, model: .chat)
        let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let cosines = variants.map { variant in zip(row, variant).reduce(0) { $0 + $1.0 * $1.1 } / norm }
        let best = try #require(cosines.indices.max { cosines[$0] < cosines[$1] })
        #expect(cosines[best] > 0.9999)
        counts[best] += 1
      }
      #expect(counts.allSatisfy { abs($0 - 500) < 100 })
    case .rescaled:
      #expect((0.25...0.5).contains(concept.baseFactor))
      #expect(amounts.allSatisfy { abs($0[0] - concept.baseFactor * $0[1]) < 1e-5 })
    case .decoupled:
      #expect(abs(Double(both.count) / 2000 - world.recipe.overlap) < 0.05)
      #expect(amounts.allSatisfy { $0[0] > 0 || $0[1] > 0 } && both.contains { abs($0[0] - $0[1]) > 0.1 })
    }
  }

  @Test func theSameSeedGivesTheSameWorldAndTokens() throws {
    let (one, same, other) = (try SyntheticWorld(seed: 1), try SyntheticWorld(seed: 1), try SyntheticWorld(seed: 2))
    let isSame = one.concepts == same.concepts && one.concepts != other.concepts
    #expect(isSame && one.concepts.count == 88)
    let tokens = one.activations(tokens: 50, seed: 7) == same.activations(tokens: 50, seed: 7)
    #expect(tokens)
    let others = one.activations(tokens: 50, seed: 7) == one.activations(tokens: 50, seed: 8)
    #expect(!others)
  }

  @Test func aRecipeOutOfRangeIsRefusedByName() {
    for (name, spoil) in [
      ("overlap", { $0.overlap = 1.5 }), ("noise", { $0.noise = -.infinity }),
      ("frequency", { $0.lowestFrequency = 0 }),
      ("strength", { $0.highestStrength = .nan }), ("rareFrequency", { $0.rareFrequency = 0 }),
      ("variants", { $0.variants = -1 }), ("variantLength", { $0.variantLength = .nan }),
      ("decoupled", { $0.decoupled = -1 }), ("dModel", { $0.dModel = 0 }),
    ] as [(String, (inout SyntheticWorld.Recipe) -> Void)] {
      var recipe = SyntheticWorld.Recipe()
      spoil(&recipe)
      #expect { try SyntheticWorld(recipe: recipe, seed: 1) } throws: { "\($0)".contains(name + " should be") }
    }
  }

  @Test func theAreaUnderTheCurveCountsPairs() {
    #expect(rocAUC(positive: [3, 2], negative: [1, 0]) == 1)
    #expect(rocAUC(positive: [0], negative: [1, 2]) == 0)
    #expect(rocAUC(positive: [1, 1], negative: [1]) == 0.5)
    #expect(rocAUC(positive: [3, 1], negative: [2, 0]) == 0.75)
    #expect(rocAUC(positive: [-.infinity], negative: [-.infinity, 1]) == 0.25)
    #expect(rocAUC(positive: [], negative: [1]) == nil && rocAUC(positive: [1], negative: []) == nil)
  }

  /// A dictionary written down from the truth: one latent a concept, decoupled ones as twins.
  @Test func aDictionaryMadeOfTheTruthIsJudgedRight() throws {
    var recipe = SyntheticWorld.Recipe()
    (recipe.dModel, recipe.noise) = (256, 0)
    (recipe.shared, recipe.baseOnly, recipe.chatOnly, recipe.rescaled, recipe.decoupled) = (5, 4, 3, 2, 6)
    (recipe.rare, recipe.split) = (2, 2)
    let world = try SyntheticWorld(recipe: recipe, seed: 5)
    let d = recipe.dModel
    var (decoder, bias): ([Float], [Float]) = ([], [])
    for concept in world.concepts {
      let (base, chat): (Float, Float) =
        switch concept.kind {
        case .shared: (1, 1)
        case .rescaled: (Float(concept.baseFactor), 1)
        case .baseOnly: (1, 0)
        case .chatOnly, .decoupled, .rare, .split: (0, 1)
        }
      // The last split concept is in pieces, one for each variant.
      for direction in concept == world.concepts.last ? concept.variants ?? [] : [concept.direction] {
        decoder += direction.map { base * $0 } + direction.map { chat * $0 }
      }
      if concept.kind == .decoupled { decoder += concept.direction + [Float](repeating: 0, count: d) }
    }
    let rows = decoder.count / (2 * d)
    var encoder = decoder
    for row in 0..<rows {
      let range = row * 2 * d..<(row + 1) * 2 * d
      let square = decoder[range].reduce(0) { $0 + $1 * $1 }
      for index in range { encoder[index] /= square }
      bias.append(0)
    }
    // A piece reads what its variant has beyond the mean of the variants, so that it is silent at the others.
    let variants = try #require(world.concepts.last?.variants)
    for (number, variant) in variants.enumerated() {
      let own = (0..<d).map { index in
        variant[index] - variants.reduce(0) { $0 + $1[index] } / Float(variants.count)
      }
      let scale = zip(own, variant).reduce(0) { $0 + $1.0 * $1.1 }
      let start = (rows - variants.count + number) * 2 * d
      encoder.replaceSubrange(start..<start + 2 * d, with: [Float](repeating: 0, count: d) + own.map { $0 / scale })
    }
    let crosscoder = Crosscoder(
      encoder: Matrix(rows: rows, columns: 2 * d, values: encoder), encoderBias: bias,
      decoder: Matrix(rows: rows, columns: 2 * d, values: decoder),
      decoderBias: [Float](repeating: 0, count: 2 * d), threshold: 0.3)
    let findings = try WorldFindings(
      crosscoder: crosscoder, world: world, sample: world.sample(tokens: 20_000, seed: 2))
    let kinds = SyntheticWorld.Kind.allCases
    #expect(kinds.map { findings.found($0) } == [5, 4, 3, 2, 6, 2, 2])
    #expect(kinds.map { findings.calledChatOnly($0) } == [0, 0, 3, 0, 6, 2, 2])
    #expect(kinds.map { findings.calledChatSpecific($0) } == [0, 0, 3, 0, 0, 2, 2])
    // By base's direction only what chat lacks is base's own; a twin's direction is in chat.
    #expect(kinds.map { findings.found($0, where: \.isCalledBaseSpecific) } == [0, 4, 0, 0, 0, 0, 0])
    #expect(kinds.map { findings.whole($0) } == [5, 4, 3, 2, 6, 2, 1])
    #expect(findings.pieces(.split) == 2.5 && findings.pieces(.shared) == 1)
    #expect(findings.latents.count == 33 && findings.living == 33 && findings.twins == 6)
    #expect(findings.fve.allSatisfy { $0 > 0.95 })
    for score in [WorldFindings.Score.nuReconstruction, .chatSpecificity] {
      // Not quite 1: the ratios of a rare latent rest on few tokens.
      #expect((findings.rocAUC(score, amongChatOnly: true) ?? 0) > 0.9)
    }
    // Twins have Δ = 1 like the truth: by Δ alone nothing is told apart.
    #expect(findings.rocAUC(.deltaNorm, amongChatOnly: true) == 0.5)
  }

  /// Section 3 of the paper: L1 calls concepts chat-only that base has, BatchTopK seldom, and Latent Scaling tells.
  /// In worlds this small chance has a say; seeds 1 to 6 keep the bounds, and another processor's rounding may be one.
  @Test(arguments: [1, 2] as [UInt64])
  func l1CallsConceptsChatOnlyThatBaseHasAndLatentScalingFlagsThem(seed: UInt64) throws {
    var experiment = SyntheticExperiment()
    experiment.recipe.dModel = 24
    experiment.recipe.shared = 12
    experiment.recipe.baseOnly = 4
    experiment.recipe.chatOnly = 4
    experiment.recipe.rescaled = 4
    experiment.recipe.decoupled = 4
    (experiment.recipe.rare, experiment.recipe.split) = (2, 2)
    (experiment.latents, experiment.steps, experiment.batch) = (56, 1200, 256)
    experiment.learningRate = 4e-3
    (experiment.trainingTokens, experiment.scoringTokens) = (30_000, 8000)
    experiment.mus = [0.16, 0.24]
    let outcome = try experiment.run(seed: seed)
    let (l1, batchTopK) = (
      try #require(outcome.chosen[.l1]).findings, try #require(outcome.chosen[.batchTopK]).findings
    )
    func artefacts(_ findings: WorldFindings) -> Int {
      SyntheticWorld.Kind.allCases.filter { !$0.isChatOnly }.reduce(0) { $0 + findings.calledChatOnly($1) }
    }
    for findings in [l1, batchTopK] {
      // What only chat has is found by both, and called so by all measures.
      #expect(findings.calledChatOnly(.chatOnly) >= 3 && findings.calledChatSpecific(.chatOnly) >= 3)
      #expect(findings.calledChatOnly(.baseOnly) == 0)
    }
    #expect(2 * artefacts(batchTopK) < artefacts(l1))
    #expect(l1.calledChatOnly(.rescaled) >= 2 && l1.calledChatOnly(.decoupled) >= 2)
    // Complete shrinkage shows in ν^ε, latent decoupling in ν^r, and the truth in neither.
    // Bound first, so that a failure does not print all latents.
    let (errors, reconstructions) = (
      [SyntheticWorld.Kind.rescaled, .chatOnly].map { l1.median($0, \.nuError) ?? .nan },
      [SyntheticWorld.Kind.decoupled, .chatOnly].map { l1.median($0, \.nuReconstruction) ?? .nan }
    )
    #expect(errors[0] > 0.2 && errors[1] < 0.1 && reconstructions[0] > 0.5 && reconstructions[1] < 0.25)
    let specific = SyntheticWorld.Kind.allCases.filter { !$0.isChatOnly }.reduce(0) { $0 + l1.calledChatSpecific($1) }
    #expect(specific <= 1)
    let area = l1.rocAUC(.chatSpecificity, amongChatOnly: true) ?? .nan
    #expect(area > 0.8)
  }
}
