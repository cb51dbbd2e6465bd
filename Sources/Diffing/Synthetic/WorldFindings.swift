// Compares a crosscoder with a world whose concepts are known: which latent stands for which concept, which latents it
// calls chat-only, and how well each score separates concepts that only chat has from the rest.
// A latent stands for the concept that has the largest cosine with the longer of its two decoder directions, if that
// cosine is above a bound and the latent fires often enough to be scored. Shape letters: T tokens, F latents, d width
// of one model.

import Inference
import Kernels

/// The latents of one crosscoder, compared with the planted concepts.
public struct WorldFindings: Sendable {
  /// A latent that stands for a planted concept.
  public struct Latent: Sendable {
    public var latent: Int
    /// The number of the concept in its world.
    public var concept: Int
    public var kind: SyntheticWorld.Kind
    /// The cosine of the latent's direction with the concept's.
    public var cosine: Double
    public var deltaNorm: Double
    public var betas: LatentScaling.Betas
    /// The place in the order of chat-specificity among all latents; the first has 0.
    public var rank: Int

    /// Whether Δ ≥ 0.9.
    public var isCalledChatOnly: Bool { LatentClass(deltaNorm: deltaNorm) == .chatOnly }

    fileprivate var ratios: (nuError: Double, nuReconstruction: Double)? {
      ChatSpecificity(deltaNorm: deltaNorm, betas: betas, dead: false)
        .ranked(minimumActiveTokens: WorldFindings.minimumActiveTokens)
    }
  }

  /// The scores by which latents are ranked; the most chat-specific comes first.
  public enum Score: String, CaseIterable, Codable, Sendable {
    /// Δ, the highest first.
    case deltaNorm = "delta_norm"
    /// ν^ε, the lowest first.
    case nuError = "nu_error"
    /// ν^r, the lowest first.
    case nuReconstruction = "nu_reconstruction"
    /// The order of `chatSpecificityRank`: chat-only by Δ first, then the sum of the ranks of both ratios.
    case chatSpecificity = "chat_specificity"
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
  /// The fraction of variance explained: base, chat.
  public let fve: [Double]

  /// Scores a crosscoder on activations of its world.
  /// - Parameters:
  ///   - crosscoder: must have no input normaliser (`foldingNormaliser`).
  ///   - activations: `[T, 2, d]`, preferably activations on which it was not trained.
  ///   - minimumCosine: a latent below it stands for nothing.
  /// - Throws: `DiffingError.shapeMismatch`, `.notFinite` from encoding and Latent Scaling.
  public init(
    crosscoder: Crosscoder, world: SyntheticWorld, activations: PairedActivations, minimumCosine: Double = 0.8
  ) throws(DiffingError) {
    let codes = try crosscoder.encode(activations)
    var scaling = LatentScaling(crosscoder: crosscoder)
    try scaling.add(codes: codes, activations: activations)
    let betas = scaling.betas()
    let deltas = crosscoder.deltaNorms
    let living = betas.map { $0.activeTokens >= Self.minimumActiveTokens }
    let ranks = chatSpecificityRank(
      betas.indices.map {
        ChatSpecificity(deltaNorm: deltas[$0], betas: betas[$0], dead: betas[$0].activeTokens == 0)
      }, minimumActiveTokens: Self.minimumActiveTokens)
    latents = betas.indices.compactMap { latent in
      guard living[latent], let delta = deltas[latent] else { return nil }
      let model: PairModel = delta < 0.5 ? .base : .chat
      let norm = model == .base ? crosscoder.baseNorms[latent] : crosscoder.chatNorms[latent]
      let direction = Array(crosscoder.decoderDirection(latent, model))
      let cosines = world.concepts.map { dotInDouble(direction, $0.direction, count: direction.count) / norm }
      guard let best = cosines.indices.max(by: { cosines[$0] < cosines[$1] }), cosines[best] >= minimumCosine
      else { return nil }
      return Latent(
        latent: latent, concept: best, kind: world.concepts[best].kind, cosine: cosines[best], deltaNorm: delta,
        betas: betas[latent], rank: ranks[latent])
    }
    self.living = living.count { $0 }
    l0 = codes.l0
    twins = crosscoder.twins(dead: living.map { !$0 }).count
    var variance = ExplainedVariance(dModel: crosscoder.dModel)
    variance.add(activations, reconstruction: crosscoder.decode(codes))
    fve = PairModel.allCases.map { variance.shares($0)?.explained ?? 0 }
  }

  /// The number of concepts of a kind for which at least one latent stands.
  public func found(_ kind: SyntheticWorld.Kind) -> Int { concepts(kind) { _ in true } }

  /// The number of concepts of a kind for which at least one latent with Δ ≥ 0.9 stands.
  public func calledChatOnly(_ kind: SyntheticWorld.Kind) -> Int { concepts(kind, where: \.isCalledChatOnly) }

  /// The number of concepts of a kind for which a latent stands that has Δ ≥ 0.9 and is chat-specific by both ratios.
  public func calledChatSpecific(_ kind: SyntheticWorld.Kind) -> Int {
    concepts(kind) {
      $0.isCalledChatOnly
        && ChatSpecificity(deltaNorm: $0.deltaNorm, betas: $0.betas, dead: false).isChatSpecific
    }
  }

  private func concepts(_ kind: SyntheticWorld.Kind, where holds: (Latent) -> Bool) -> Int {
    Set(latents.filter { $0.kind == kind && holds($0) }.map(\.concept)).count
  }

  /// How well a score ranks latents of chat-only concepts before the other matched ones: the probability that a random
  /// latent of the first group comes before a random one of the second; ties count half. Latents whose ratios may not
  /// be ranked come last. It is nil if one of the two groups is empty.
  /// - Parameter amongChatOnly: counts only latents with Δ ≥ 0.9, among which true ones must be told from artefacts.
  public func rocAUC(_ score: Score, amongChatOnly: Bool) -> Double? {
    let ranked = latents.filter { !amongChatOnly || $0.isCalledChatOnly }
    func value(_ latent: Latent) -> Double {
      switch score {
      case .deltaNorm: latent.deltaNorm
      case .nuError: latent.ratios.map { -$0.nuError } ?? -.infinity
      case .nuReconstruction: latent.ratios.map { -$0.nuReconstruction } ?? -.infinity
      case .chatSpecificity: -Double(latent.rank)
      }
    }
    return Diffing.rocAUC(
      positive: ranked.filter { $0.kind == .chatOnly }.map(value),
      negative: ranked.filter { $0.kind != .chatOnly }.map(value))
  }

  /// The median of a ratio over the latents with Δ ≥ 0.9 that stand for a kind and have the ratio.
  public func median(_ kind: SyntheticWorld.Kind, _ ratio: (LatentScaling.Betas) -> Double?) -> Double? {
    let values = latents.filter { $0.kind == kind && $0.isCalledChatOnly }.compactMap { ratio($0.betas) }.sorted()
    return values.isEmpty ? nil : (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
  }
}

/// The area under the ROC curve: the probability that a positive's score is above a negative's; ties count half. It is
/// nil if either list is empty. Cost: positives · negatives.
public func rocAUC(positive: [Double], negative: [Double]) -> Double? {
  guard !positive.isEmpty, !negative.isEmpty else { return nil }
  var wins = 0.0
  for high in positive { for low in negative { wins += high > low ? 1 : high == low ? 0.5 : 0 } }
  return wins / Double(positive.count * negative.count)
}
