// What the latents that stand for planted concepts add up to: concepts that are found, called chat-only, whole or in
// pieces, and the area under the ROC curve of every score.

import Inference

extension WorldFindings {
  /// The scores by which latents are ranked; the most chat-specific comes first.
  public enum Score: String, CaseIterable, Codable, Sendable {
    /// Δ, the highest first.
    case deltaNorm = "delta_norm"
    /// ν^ε, the lowest first; of a dictionary of chat − base its one ratio.
    case nuError = "nu_error"
    /// ν^r, the lowest first; likewise.
    case nuReconstruction = "nu_reconstruction"
    /// The order of `chatSpecificityRank`: chat-only by Δ first, then the sum of the ranks of both ratios.
    case chatSpecificity = "chat_specificity"
  }

  /// The number of concepts of a kind for which at least one latent stands that fulfils a condition.
  public func found(_ kind: SyntheticWorld.Kind, where holds: (Latent) -> Bool = { _ in true }) -> Int {
    Set(latents.filter { $0.kind == kind && holds($0) }.map(\.concept)).count
  }

  /// The number of concepts of a kind for which at least one latent with Δ ≥ 0.9 stands.
  public func calledChatOnly(_ kind: SyntheticWorld.Kind) -> Int { found(kind, where: \.isCalledChatOnly) }

  /// The number of concepts of a kind for which a latent stands that has Δ ≥ 0.9 and is chat-specific by both ratios.
  public func calledChatSpecific(_ kind: SyntheticWorld.Kind) -> Int {
    found(kind) { $0.isCalledChatOnly && $0.isCalledSpecific }
  }

  /// The number of concepts of a kind for which one latent stands that is on at 80 % of the concept's tokens or more.
  public func whole(_ kind: SyntheticWorld.Kind) -> Int { found(kind) { $0.recall >= 0.8 } }

  /// The mean number of latents that stand for a concept of a kind that is found; nil if none is.
  public func pieces(_ kind: SyntheticWorld.Kind) -> Double? {
    let concepts = found(kind)
    return concepts == 0 ? nil : Double(latents.count { $0.kind == kind }) / Double(concepts)
  }

  /// How well a score ranks latents of concepts that only chat has before the other matched ones: the probability that a
  /// random latent of the first group comes before a random one of the second; ties count half. Latents whose ratios may
  /// not be ranked come last. It is nil if one of the two groups is empty, and for Δ where there is none.
  /// - Parameter amongChatOnly: counts only latents with Δ ≥ 0.9, among which true ones must be told from artefacts.
  public func rocAUC(_ score: Score, amongChatOnly: Bool) -> Double? {
    let ranked = latents.filter { !amongChatOnly || $0.isCalledChatOnly }
    if score == .deltaNorm, ranked.contains(where: { $0.deltaNorm == nil }) { return nil }
    func value(_ latent: Latent) -> Double {
      switch score {
      case .deltaNorm: latent.deltaNorm ?? -.infinity
      case .nuError: latent.ratios.map { -$0.nuError } ?? -.infinity
      case .nuReconstruction: latent.ratios.map { -$0.nuReconstruction } ?? -.infinity
      case .chatSpecificity: -Double(latent.rank)
      }
    }
    return Diffing.rocAUC(
      positive: ranked.filter { $0.kind.isChatOnly }.map(value),
      negative: ranked.filter { !$0.kind.isChatOnly }.map(value))
  }

  /// The median of a ratio over the latents that stand for a kind and have the ratio: those with Δ ≥ 0.9, or in a
  /// dictionary of chat − base all.
  public func median(_ kind: SyntheticWorld.Kind, _ ratio: (LatentScaling.Betas) -> Double?) -> Double? {
    let values = latents.filter { $0.kind == kind && ($0.isCalledChatOnly || $0.deltaNorm == nil) }
      .compactMap { ratio($0.betas) }.sorted()
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
