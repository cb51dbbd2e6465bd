// What a crosscoder made of a world whose concepts are known: which latent stands for which concept, what it is called
// chat-only, and how well each score tells concepts that only chat has from the rest.
// A latent stands for the concept of largest cosine with the longer of its two decoder directions, if that is above a
// bound and the latent fires often enough to be scored. Owns: the matching, the counts, the ROC AUC. Refuses: activations
// of another width. Shape letters: T tokens, F latents, d width of one model.

import Inference
import Kernels

/// The latents of one crosscoder against the truth.
public struct WorldFindings: Sendable {
  /// A latent that stands for a planted concept.
  public struct Latent: Sendable {
    public var latent: Int
    /// Number of the concept in its world.
    public var concept: Int
    public var kind: SyntheticWorld.Kind
    /// Of the latent's direction with the concept's.
    public var cosine: Double
    public var deltaNorm: Double
    public var betas: LatentScaling.Betas
    /// Place in the order of chat-specificity among all latents, 0 for the first.
    public var rank: Int

    /// Δ ≥ 0.9.
    public var isCalledChatOnly: Bool { LatentClass(deltaNorm: deltaNorm) == .chatOnly }

    fileprivate var ratios: (nuError: Double, nuReconstruction: Double)? {
      ChatSpecificity(deltaNorm: deltaNorm, betas: betas, dead: false)
        .ranked(minimumActiveTokens: WorldFindings.minimumActiveTokens)
    }
  }

  /// What latents are ranked by; the most chat-specific comes first.
  public enum Score: String, CaseIterable, Codable, Sendable {
    /// Δ, high first.
    case deltaNorm = "delta_norm"
    /// ν^ε, low first.
    case nuError = "nu_error"
    /// ν^r, low first.
    case nuReconstruction = "nu_reconstruction"
    /// The order of `chatSpecificityRank`: chat-only by Δ, then the sum of the ranks of both ratios.
    case chatSpecificity = "chat_specificity"
  }

  /// Tokens that a latent must be on at to count.
  public static let minimumActiveTokens = 20

  /// Latents that stand for a concept, by number.
  public let latents: [Latent]
  /// Latents that fire often enough to count, whether they stand for a concept or not.
  public let living: Int
  /// Latents on, a token.
  public let l0: Double
  /// Pairs of a chat-only and a base-only latent of one direction.
  public let twins: Int
  /// Variance explained: base, chat.
  public let fve: [Double]

  /// Scores a crosscoder on activations of its world.
  /// - Parameters:
  ///   - crosscoder: without input normaliser (`foldingNormaliser`).
  ///   - activations: `[T, 2, d]`, best ones that it was not trained on.
  ///   - minimumCosine: below it, a latent stands for nothing.
  /// - Throws: `DiffingError.shapeMismatch`, `.notFinite`, as encoding and Latent Scaling do.
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

  /// Concepts of a kind for which at least one latent stands.
  public func found(_ kind: SyntheticWorld.Kind) -> Int { concepts(kind) { _ in true } }

  /// Concepts of a kind for which at least one latent with Δ ≥ 0.9 stands.
  public func calledChatOnly(_ kind: SyntheticWorld.Kind) -> Int { concepts(kind, where: \.isCalledChatOnly) }

  /// Concepts of a kind for which a latent stands that Δ ≥ 0.9, ν^ε < 0.2 and ν^r < 0.5 together call chat-specific.
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
  /// one of the first comes before a random one of the second, ties half. Latents whose ratios may not be ranked come
  /// last. Nil where one of the two groups is empty.
  /// - Parameter amongChatOnly: only latents with Δ ≥ 0.9, where the truth is to be told from artefacts.
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

  /// The median over latents with Δ ≥ 0.9 that stand for a kind, of those that have it.
  public func median(_ kind: SyntheticWorld.Kind, _ ratio: (LatentScaling.Betas) -> Double?) -> Double? {
    let values = latents.filter { $0.kind == kind && $0.isCalledChatOnly }.compactMap { ratio($0.betas) }.sorted()
    return values.isEmpty ? nil : (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
  }
}

/// The area under the ROC curve: the probability that a positive's score is above a negative's, ties half; nil where
/// either is empty. Cost: positives · negatives.
public func rocAUC(positive: [Double], negative: [Double]) -> Double? {
  guard !positive.isEmpty, !negative.isEmpty else { return nil }
  var wins = 0.0
  for high in positive { for low in negative { wins += high > low ? 1 : high == low ? 0.5 : 0 } }
  return wins / Double(positive.count * negative.count)
}
