// Latent Scaling against the formula in a naive loop, its sums across batches and shards, and the order made of it.

import Diffing
import Inference
import Kernels
import Testing

@Suite struct LatentScalingTests {
  private func betas(_ crosscoder: Crosscoder, _ x: PairedActivations) throws -> [LatentScaling.Betas] {
    var scaling = LatentScaling(crosscoder: crosscoder)
    try scaling.add(codes: crosscoder.encode(x), activations: x)
    return scaling.betas()
  }

  /// argmin_β Σ ‖β f d^chat − y‖² over tokens, for one latent and target.
  private func naive(
    _ crosscoder: Crosscoder, _ x: PairedActivations, latent: Int, model: PairModel, error: Bool
  ) throws -> Double? {
    let codes = try crosscoder.encode(x).dense()
    let (F, d) = (crosscoder.nLatents, crosscoder.dModel)
    let chat = crosscoder.decoderDirection(latent, .chat).map(Double.init)
    let square = chat.reduce(0) { $0 + $1 * $1 }
    var (numerator, denominator) = (0.0, 0.0)
    for token in 0..<x.tokens {
      let f = Double(codes[token * F + latent])
      let h = x.vector(token: token, model: model).map(Double.init)
      var y = (0..<d).map { Double(crosscoder.decoderBias[model.index * d + $0]) }
      for other in 0..<F where !error || other != latent {
        for (index, value) in crosscoder.decoderDirection(other, model).enumerated() {
          y[index] += Double(codes[token * F + other]) * Double(value)
        }
      }
      if error { y = zip(h, y).map { $0 - $1 } }
      numerator += f * zip(chat, y).reduce(0) { $0 + $1.0 * $1.1 }
      denominator += f * f * square
    }
    return denominator > 0 ? numerator / denominator : nil
  }

  @Test(arguments: [nil, 6] as [Float?]) func betasFollowTheFormula(threshold: Float?) throws {
    let crosscoder = randomCrosscoder(d: 4, F: 10, seed: 1, threshold: threshold)
    let x = randomActivations(tokens: 40, d: 4, seed: 2)
    let found = try betas(crosscoder, x)
    for latent in 0..<10 {
      for model in PairModel.allCases {
        let error = model == .base ? found[latent].errorBase : found[latent].errorChat
        let reconstruction = model == .base ? found[latent].reconstructionBase : found[latent].reconstructionChat
        let expected = try [true, false].map { try naive(crosscoder, x, latent: latent, model: model, error: $0) }
        #expect(relativeDifference([error], [expected[0]]) < 1e-6)
        #expect(relativeDifference([reconstruction], [expected[1]]) < 1e-6)
      }
    }
  }

  @Test(arguments: [false, true]) func activationBetasWithAndWithoutBias(normalised: Bool) throws {
    var generator = SplitMix64(seed: 9)
    let normaliser = InputNormaliser(
      mean: generator.normals(8), std: [Float](repeating: 1, count: 8), targetRMS: 1, scales: [1.7])
    let crosscoder = randomCrosscoder(
      d: 4, F: 10, seed: 1, threshold: 3, normaliser: normalised ? normaliser : nil)
    let x = randomActivations(tokens: 40, d: 4, seed: 2)
    let codes = try crosscoder.encode(x).dense()
    let found = try betas(crosscoder, x)
    // What is decoded from no latents at all, in the models' own units.
    let none = crosscoder.decode(
      SparseCodes(nLatents: 10, offsets: [0, 0], latents: [], values: []), of: x.tokens(0..<1))
    for latent in 0..<10 {
      let chat = crosscoder.decoderDirection(latent, .chat).map(Double.init)
      for model in PairModel.allCases {
        for keepsBias in [true, false] {
          var (numerator, denominator) = (0.0, 0.0)
          for token in 0..<x.tokens {
            let f = Double(codes[token * 10 + latent])
            let bias = none.vector(token: 0, model: model)
            for (i, pair) in zip(x.vector(token: token, model: model), bias).enumerated() {
              numerator += f * chat[i] * (Double(pair.0) - (keepsBias ? 0 : Double(pair.1)))
              denominator += f * f * chat[i] * chat[i]
            }
          }
          let value =
            model == .base
            ? (keepsBias ? found[latent].activationBase : found[latent].activationNoBiasBase)
            : (keepsBias ? found[latent].activationChat : found[latent].activationNoBiasChat)
          #expect(relativeDifference([value], [denominator > 0 ? numerator / denominator : nil]) < 1e-5)
        }
      }
    }
  }

  /// With the models exchanged, base's probe is chat's.
  @Test(arguments: [CodeNormalization.crosscoder, .decoupled])
  func theBaseProbeMirrorsChats(normalization: CodeNormalization) throws {
    let crosscoder = randomCrosscoder(d: 4, F: 10, seed: 1, normalization: normalization)
    func exchanged(_ values: [Float]) -> [Float] {
      values.indices.map { index in values[index % 8 < 4 ? index + 4 : index - 4] }
    }
    func exchanged(_ matrix: Matrix) -> Matrix { Matrix(rows: 10, columns: 8, values: exchanged(matrix.values)) }
    let mirror = Crosscoder(
      encoder: exchanged(crosscoder.encoder), encoderBias: crosscoder.encoderBias,
      decoder: exchanged(crosscoder.decoder), decoderBias: exchanged(crosscoder.decoderBias),
      codeNormalization: normalization)
    let x = randomActivations(tokens: 40, d: 4, seed: 2)
    let mirrored = PairedActivations(dModel: 4, values: exchanged(x.values))
    let codes = try crosscoder.encode(x)
    var probe = LatentScaling(crosscoder: crosscoder, probe: .base)
    try probe.add(codes: codes, activations: x)
    let (found, expected) = (probe.betas(), try betas(mirror, mirrored))
    for (own, other) in [
      (\LatentScaling.Betas.errorBase, \LatentScaling.Betas.errorChat), (\.reconstructionChat, \.reconstructionBase),
      (\.activationNoBiasBase, \.activationNoBiasChat), (\.nuError, \.nuError),
      (\.nuReconstruction, \.nuReconstruction),
    ] { #expect(relativeDifference(found.map { $0[keyPath: own] }, expected.map { $0[keyPath: other] }) < 1e-5) }
    // Only what is chosen is scaled, and that as before.
    let chosen = (0..<10).map { $0.isMultiple(of: 3) }
    var part = LatentScaling(crosscoder: crosscoder, probe: .base, chosen: chosen)
    try part.add(codes: codes, activations: x)
    for (latent, betas) in part.betas().enumerated() {
      #expect(chosen[latent] ? betas == found[latent] : betas.errorBase == nil && betas.activeTokens == 0)
    }
  }

  @Test func batchesGiveTheBitsOfTheWhole() throws {
    let crosscoder = randomCrosscoder(d: 4, F: 10, seed: 1, threshold: 3)
    let x = randomActivations(tokens: 300, d: 4, seed: 2)
    var parts = LatentScaling(crosscoder: crosscoder)
    for range in [0..<1, 1..<130, 130..<130, 130..<300] {
      try parts.add(codes: crosscoder.encode(x.tokens(range)), activations: x.tokens(range))
    }
    #expect(try parts.betas() == betas(crosscoder, x))
  }

  @Test func shardsMerge() throws {
    let crosscoder = randomCrosscoder(d: 4, F: 10, seed: 1, threshold: 3)
    let x = randomActivations(tokens: 300, d: 4, seed: 2)
    var shards = [LatentScaling(crosscoder: crosscoder), LatentScaling(crosscoder: crosscoder)]
    for (index, range) in [0..<100, 100..<300].enumerated() {
      try shards[index].add(codes: crosscoder.encode(x.tokens(range)), activations: x.tokens(range))
    }
    shards[0].merge(shards[1])
    let (found, expected) = (shards[0].betas(), try betas(crosscoder, x))
    #expect(found.map(\.activeTokens) == expected.map(\.activeTokens))
    #expect(relativeDifference(found.map(\.nuError), expected.map(\.nuError)) < 1e-9)
  }

  @Test func aLatentThatNeverFiredHasNoBetas() throws {
    let crosscoder = randomCrosscoder(d: 4, F: 10, seed: 1, threshold: 1e9)
    let found = try betas(crosscoder, randomActivations(tokens: 20, d: 4, seed: 2))
    for latent in found {
      #expect(latent.activeTokens == 0)
      #expect(latent.errorBase == nil && latent.activationChat == nil && latent.nuReconstruction == nil)
    }
  }

  @Test func activationsThatDoNotFitAreRefused() throws {
    let crosscoder = randomCrosscoder(d: 4, F: 10, seed: 1)
    let x = randomActivations(tokens: 5, d: 4, seed: 2)
    let codes = try crosscoder.encode(x)
    var scaling = LatentScaling(crosscoder: crosscoder)
    #expect(throws: DiffingError.self) { try scaling.add(codes: codes, activations: x.tokens(0..<4)) }
    #expect(throws: DiffingError.self) {
      try scaling.add(codes: codes, activations: randomActivations(tokens: 5, d: 3, seed: 2))
    }
  }
}

@Suite struct ChatSpecificityTests {
  private func latent(
    _ delta: Double?, nuError: Double = 1, nuReconstruction: Double = 1, active: Int = 1000, dead: Bool = false,
    chat: Double = 1
  ) -> ChatSpecificity {
    var betas = LatentScaling.Betas()
    betas.activeTokens = active
    betas.errorChat = chat
    betas.errorBase = nuError * chat
    betas.reconstructionChat = 1
    betas.reconstructionBase = nuReconstruction
    return ChatSpecificity(deltaNorm: delta, betas: betas, dead: dead)
  }

  @Test func lowRatiosComeFirstAndDeadLatentsLast() {
    let latents = [
      latent(0.5, dead: true),  // dead
      latent(0.5, nuError: 0.9, nuReconstruction: 0.9),  // shared
      latent(0.7, nuError: 0.1, nuReconstruction: 0.1),  // new in chat
      latent(0.6, nuError: 0.1, nuReconstruction: 0.1),  // the same, smaller Δ
      latent(0.5, nuError: 0.05, nuReconstruction: 0.05, active: 3),  // too few tokens to tell
      latent(0.5, nuError: 0.05, nuReconstruction: 0.05, chat: -1),  // a ratio of negative betas
      latent(0.5, nuError: -5, nuReconstruction: 0.1),  // outside the paper's bounds
    ]
    let rank = chatSpecificityRank(latents)
    #expect(rank == [6, 2, 0, 1, 3, 4, 5])
  }

  @Test func chatOnlyLatentsComeBeforeOthersByTheirRatios() {
    let latents = [
      latent(0.6, nuError: 0, nuReconstruction: 0), latent(0.95, nuError: 0.9, nuReconstruction: 0.9),
      latent(0.92, nuError: 0.1, nuReconstruction: 0.2), latent(0.99, dead: true),
    ]
    #expect(chatSpecificityRank(latents) == [2, 1, 0, 3])
  }

  @Test func theOrderIsTotal() {
    let latents = (0..<50).map { latent($0 % 3 == 0 ? nil : 0.5, active: $0 % 2 * 1000, dead: $0 % 7 == 0) }
    #expect(chatSpecificityRank(latents).sorted() == Array(0..<50))
    #expect(chatSpecificityRank([]).isEmpty)
  }

  @Test func genuineMeansBothBounds() {
    #expect(latent(0.6, nuError: 0.19, nuReconstruction: 0.49).isChatSpecific)
    #expect(!latent(0.6, nuError: 0.21, nuReconstruction: 0.1).isChatSpecific)
    #expect(!latent(0.6, nuError: 0.1, nuReconstruction: 0.5).isChatSpecific)
    #expect(!latent(0.6, nuError: 0.1, nuReconstruction: 0.1, dead: true).isChatSpecific)
  }
}
