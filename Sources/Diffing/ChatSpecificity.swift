// The order in which latents are shown: the ones that fine-tuning most clearly introduced come first.
//   1. Living latents come before dead ones.
//   2. Chat-only latents (Δ ≥ 0.9) come before others; a small crosscoder may have none.
//   3. Scored latents come before unscored ones. A latent is scored if it has at least `minimumActiveTokens` active
//      tokens (with fewer, any ν comes about by chance), β^{ε,chat} and β^{r,chat} > 0 (a ratio of negative betas says
//      nothing), and ν^ε and ν^r within [−0.1, 2], as the paper filters them.
//      A latent of chat − base has one ratio, β^base / β^chat of the activations, whose size takes the place of both: it is
//      a little below 0 for what base lacks, since codes are larger where base happens to point away.
//   4. Scored latents are ordered by the sum of their ranks by ν^ε and ν^r, low first; then by Δ, high first; then by
//      number.

/// The figures of one latent on which its place in the order depends.
public struct ChatSpecificity: Sendable {
  /// Δ; nil if it is missing.
  public var deltaNorm: Double?
  /// The latent's betas, measured by Latent Scaling.
  public var betas: LatentScaling.Betas
  /// Whether the latent never fired in the data on which it was scored.
  public var dead: Bool

  /// Keeps a latent's scores.
  public init(deltaNorm: Double?, betas: LatentScaling.Betas, dead: Bool) {
    (self.deltaNorm, self.betas, self.dead) = (deltaNorm, betas, dead)
  }

  /// Whether the latent is alive and within the paper's bounds of chat-specificity.
  public var isChatSpecific: Bool {
    !dead && Self.isWithinBounds(nuError: betas.nuError, nuReconstruction: betas.nuReconstruction)
  }

  /// Whether both ratios are within the paper's bounds of chat-specificity: ν^ε < 0.2 and ν^r < 0.5.
  public static func isWithinBounds(nuError: Double?, nuReconstruction: Double?) -> Bool {
    guard let nuError, let nuReconstruction else { return false }
    return nuError < 0.2 && nuReconstruction < 0.5
  }

  /// ν^ε and ν^r; nil if they may not be ranked.
  func ranked(minimumActiveTokens: Int) -> (nuError: Double, nuReconstruction: Double)? {
    guard !dead, betas.activeTokens >= minimumActiveTokens else { return nil }
    if betas.errorChat == nil, let activation = betas.activationChat, activation > 0, let ratio = betas.nuActivation,
      abs(ratio) <= rankedRatios.upperBound
    {
      return (abs(ratio), abs(ratio))
    }
    guard let error = betas.errorChat, error > 0, let reconstruction = betas.reconstructionChat, reconstruction > 0,
      let nuError = betas.nuError, let nuReconstruction = betas.nuReconstruction, rankedRatios.contains(nuError),
      rankedRatios.contains(nuReconstruction)
    else { return nil }
    return (nuError, nuReconstruction)
  }
}

/// The rank of every latent `[F]` in the order of chat-specificity; the first has rank 0.
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

/// The paper's score: the sum of each latent's ranks by ν^ε and ν^r among those that have both; low is chat-specific.
public func nuRankSums(_ ratios: [(nuError: Double, nuReconstruction: Double)?]) -> [Double?] {
  var sums = [Double?](repeating: nil, count: ratios.count)
  for values in [ratios.map { $0?.nuError }, ratios.map { $0?.nuReconstruction }] {
    for (latent, rank) in ranks(values) { sums[latent] = (sums[latent] ?? 0) + rank }
  }
  return sums
}

/// Ratios outside of this range are not ranked; the range is the paper's.
public let rankedRatios = -0.1...2.0

/// The ranks of the values that are not nil, from 0. Equal values share their mean rank.
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
