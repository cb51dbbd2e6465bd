// Compares a dictionary with a world whose concepts are known: which latent stands for which concept, which latents it
// calls chat-only, and how well each score separates concepts that only chat has from the rest (+Counts).
// A latent stands for the concept that has the largest cosine with the longer of its two decoder directions, if that
// cosine is above a bound and the latent fires often enough to be scored. A latent of chat − base has one direction, which
// points away from what base alone has, so that the cosine's size counts. Shape letters: T tokens, F latents, d width of
// one model.

import Inference
import Kernels

/// The latents of one dictionary, compared with the planted concepts.
public struct WorldFindings: Sendable {
  /// A latent that stands for a planted concept.
  public struct Latent: Sendable {
    public var latent: Int
    /// The number of the concept in its world.
    public var concept: Int
    public var kind: SyntheticWorld.Kind
    /// The cosine of the latent's direction with the concept's.
    public var cosine: Double
    /// The share of the concept's tokens at which the latent is on.
    public var recall: Double
    /// Nil for a latent of chat − base.
    public var deltaNorm: Double?
    public var betas: LatentScaling.Betas
    /// The betas by base's direction; the ratios are chat ÷ base.
    public var baseProbe: LatentScaling.Betas
    /// The place in the order of chat-specificity among all latents; the first has 0.
    public var rank: Int

    /// Whether Δ ≥ 0.9.
    public var isCalledChatOnly: Bool { LatentClass(deltaNorm: deltaNorm) == .chatOnly }
    /// Whether the ratios are within the paper's bounds, whatever Δ says. A latent of chat − base has one ratio, which
    /// must be one that may be ranked.
    public var isCalledSpecific: Bool {
      if betas.errorChat == nil { return ratios.map { $0.nuError < 0.2 } ?? false }
      return ChatSpecificity(deltaNorm: deltaNorm, betas: betas, dead: false).isChatSpecific
    }
    /// Whether Δ ≤ 0.1 and the ratios of the base probe are within the same bounds. A latent of chat − base must point away
    /// from what base has, and chat must have less than a fifth of it.
    public var isCalledBaseSpecific: Bool {
      if betas.errorChat == nil, let base = betas.activationBase, let chat = betas.activationChat {
        return base < 0 && abs(chat) < 0.2 * abs(base)
      }
      return LatentClass(deltaNorm: deltaNorm) == .baseOnly
        && ChatSpecificity(deltaNorm: deltaNorm, betas: baseProbe, dead: false).isChatSpecific
    }

    var ratios: (nuError: Double, nuReconstruction: Double)? {
      ChatSpecificity(deltaNorm: deltaNorm, betas: betas, dead: false)
        .ranked(minimumActiveTokens: WorldFindings.minimumActiveTokens)
    }
  }

  /// The number of tokens at which a latent must be on to count.
  public static let minimumActiveTokens = 20

  /// The latents that stand for a concept, by number.
  public let latents: [Latent]
  /// The number of latents that fire often enough to count, whether they stand for a concept or not.
  public let living: Int
  /// The mean number of latents that are on at a token.
  public let l0: Double
  /// The number of pairs of a chat-only and a base-only latent with the same direction.
  public let twins: Int
  /// The fraction of variance explained of base and of chat, or of their difference alone if the dictionary reads that.
  public let fve: [Double]

  /// Scores a dictionary on tokens of its world.
  /// - Parameters:
  ///   - crosscoder: must have no input normaliser (`foldingNormaliser`).
  ///   - sample: preferably tokens on which it was not trained.
  ///   - minimumCosine: a latent below it stands for nothing.
  /// - Throws: `DiffingError.shapeMismatch`, `.notFinite` from encoding and Latent Scaling.
  public init(
    crosscoder: Crosscoder, world: SyntheticWorld, sample: SyntheticWorld.Sample, minimumCosine: Double = 0.8
  ) throws(DiffingError) {
    let activations = sample.activations
    let codes = try crosscoder.encode(activations)
    var scalings = [PairModel.chat, .base].map { LatentScaling(crosscoder: crosscoder, probe: $0) }
    for index in scalings.indices { try scalings[index].add(codes: codes, activations: activations) }
    let (betas, probed) = (scalings[0].betas(), scalings[1].betas())
    let deltas = crosscoder.deltaNorms
    let living = betas.map { $0.activeTokens >= Self.minimumActiveTokens }
    let ranks = chatSpecificityRank(
      betas.indices.map {
        ChatSpecificity(deltaNorm: deltas[$0], betas: betas[$0], dead: betas[$0].activeTokens == 0)
      }, minimumActiveTokens: Self.minimumActiveTokens)
    let active = codes.tokensByLatent
    latents = betas.indices.compactMap { latent in
      guard living[latent], crosscoder.target != .pair || deltas[latent] != nil else { return nil }
      let model: PairModel = (deltas[latent] ?? 1) < 0.5 ? .base : .chat
      let norm = model == .base ? crosscoder.baseNorms[latent] : crosscoder.chatNorms[latent]
      let direction = Array(crosscoder.decoderDirection(latent, model))
      let cosines = world.concepts.map { concept in
        let cosine = dotInDouble(direction, concept.direction, count: direction.count) / norm
        return crosscoder.target == .difference ? abs(cosine) : cosine
      }
      guard let best = cosines.indices.max(by: { cosines[$0] < cosines[$1] }), cosines[best] >= minimumCosine
      else { return nil }
      let there = sample.tokens[best]
      return Latent(
        latent: latent, concept: best, kind: world.concepts[best].kind, cosine: cosines[best],
        recall: there.isEmpty ? 0 : Double(there.count { active[latent].contains($0) }) / Double(there.count),
        deltaNorm: deltas[latent], betas: betas[latent], baseProbe: probed[latent], rank: ranks[latent])
    }
    self.living = living.count { $0 }
    l0 = codes.l0
    twins = crosscoder.twins(dead: living.map { !$0 }).count
    var variance = ExplainedVariance(dModel: crosscoder.dModel)
    variance.add(activations, reconstruction: crosscoder.decode(codes, of: activations))
    let shares =
      crosscoder.target == .difference
      ? [variance.sharesOfDifference()] : PairModel.allCases.map { variance.shares($0) }
    fve = shares.map { $0?.explained ?? 0 }
  }
}

extension SparseCodes {
  /// For each latent, the tokens at which it is on.
  fileprivate var tokensByLatent: [Set<Int>] {
    var result = [Set<Int>](repeating: [], count: nLatents)
    for token in 0..<tokens { for entry in entries(of: token) { result[Int(latents[entry])].insert(token) } }
    return result
  }
}
