// The order in which latents are shown: what fine-tuning most clearly put in comes first.
// Owns: one documented total order. Refuses nothing.
//   1. Living latents before dead ones.
//   2. Chat-only latents (Δ ≥ 0.9) before others; a small crosscoder may have none.
//   3. Scored before unscored. Scored: at least `minimumActiveTokens` tokens (a handful give any ν by chance),
//   β^{ε,chat} and β^{r,chat} > 0
//      (a ratio of negative betas says nothing), ν^ε and ν^r within [−0.1, 2], as the paper filters them.
//   4. By the sum of the ranks of ν^ε and ν^r among the scored, low first; then by Δ, high first; then by number.

/// What the order of one latent depends on.
public struct ChatSpecificity: Sendable {
  /// Δ; nil if missing.
  public var deltaNorm: Double?
  /// Latent Scaling's result.
  public var betas: LatentScaling.Betas
  /// Whether the latent never fired in the data it was scored on.
  public var dead: Bool

  /// A latent's scores.
  public init(deltaNorm: Double?, betas: LatentScaling.Betas, dead: Bool) {
    (self.deltaNorm, self.betas, self.dead) = (deltaNorm, betas, dead)
  }

  /// Genuinely chat-specific by the paper's bounds: ν^ε < 0.2 and ν^r < 0.5.
  public var isChatSpecific: Bool {
    guard !dead, let nuError = betas.nuError, let nuReconstruction = betas.nuReconstruction else { return false }
    return nuError < 0.2 && nuReconstruction < 0.5
  }

  /// ν^ε and ν^r if they may be ranked.
  func ranked(minimumActiveTokens: Int) -> (nuError: Double, nuReconstruction: Double)? {
    guard !dead, betas.activeTokens >= minimumActiveTokens, let error = betas.errorChat, error > 0,
      let reconstruction = betas.reconstructionChat, reconstruction > 0, let nuError = betas.nuError,
      let nuReconstruction = betas.nuReconstruction, rankedRatios.contains(nuError),
      rankedRatios.contains(nuReconstruction)
    else { return nil }
    return (nuError, nuReconstruction)
  }
}

/// The rank of every latent `[F]` in the order of chat-specificity, 0 for the first.
public func chatSpecificityRank(_ latents: [ChatSpecificity], minimumActiveTokens: Int = 20) -> [Int] {
  let scores = latents.map { $0.ranked(minimumActiveTokens: minimumActiveTokens) }
  let rankSums = nuRankSums(scores)
  let order = latents.indices.sorted { a, b in
    if latents[a].dead != latents[b].dead { return latents[b].dead }
    let chatOnly = [a, b].map { LatentClass(deltaNorm: latents[$0].deltaNorm) == .chatOnly }
    if chatOnly[0] != chatOnly[1] { return chatOnly[0] }
    switch (rankSums[a], rankSums[b]) {
    case (.some, .none): return true
    case (.none, .some): return false
    case (.some(let first), .some(let second)) where first != second: return first < second
    default: break
    }
    let (first, second) = (latents[a].deltaNorm ?? -1, latents[b].deltaNorm ?? -1)
    return first != second ? first > second : a < b
  }
  var result = [Int](repeating: 0, count: latents.count)
  for (rank, latent) in order.enumerated() { result[latent] = rank }
  return result
}

/// The sum of each latent's ranks by ν^ε and by ν^r among those that have them, the paper's score; low is chat-specific.
public func nuRankSums(_ ratios: [(nuError: Double, nuReconstruction: Double)?]) -> [Double?] {
  var sums = [Double?](repeating: nil, count: ratios.count)
  for values in [ratios.map { $0?.nuError }, ratios.map { $0?.nuReconstruction }] {
    for (latent, rank) in ranks(values) { sums[latent] = (sums[latent] ?? 0) + rank }
  }
  return sums
}

/// The range of ν^ε and ν^r within which they are ranked; the paper's.
public let rankedRatios = -0.1...2.0

/// Ranks of the present values, from 0, equal values sharing their mean rank.
private func ranks(_ values: [Double?]) -> [(latent: Int, rank: Double)] {
  let present = values.indices.compactMap { index in values[index].map { (latent: index, value: $0) } }
    .sorted { ($0.value, $0.latent) < ($1.value, $1.latent) }
  var result: [(latent: Int, rank: Double)] = []
  var start = 0
  while start < present.count {
    var end = start
    while end < present.count, present[end].value == present[start].value { end += 1 }
    for index in start..<end { result.append((present[index].latent, Double(start + end - 1) / 2)) }
    start = end
  }
  return result
}
