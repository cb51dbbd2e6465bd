// A ratio of two sums over chats with its 95 % confidence interval. The chats are the independent samples: the tokens
// of one chat resemble each other, so a standard error over single tokens would be too small.
//   R = Σ_c a_c / Σ_c b_c,   SE² = C/(C−1) · Σ_c (a_c − R b_c)² / (Σ_c b_c)²      c: the C chats
// This is the linearised (delta-method) variance of a ratio under cluster sampling (Cochran, Sampling Techniques, 6.3).

/// A ratio of two sums over chats and its uncertainty.
public struct ClusteredRatio: Sendable, Codable, Equatable {
  public let value: Double
  /// 1.96 standard errors: value ± halfWidth is the 95 % confidence interval. It is nil for fewer than two chats.
  public let halfWidth: Double?

  private enum CodingKeys: String, CodingKey {
    case value
    case halfWidth = "half_width"
  }

  /// Σ numerators / Σ denominators, with one of each for a chat; nil if the denominators sum to 0.
  public init?(_ numerators: [Double], over denominators: [Double]) {
    precondition(numerators.count == denominators.count, "every chat needs one numerator and one denominator")
    let (a, b) = (numerators.reduce(0, +), denominators.reduce(0, +))
    guard b != 0 else { return nil }
    let (ratio, chats) = (a / b, Double(numerators.count))
    value = ratio
    guard numerators.count > 1 else {
      halfWidth = nil
      return
    }
    let squares = zip(numerators, denominators).reduce(0) { sum, chat in
      let deviation = chat.0 - ratio * chat.1
      return sum + deviation * deviation
    }
    halfWidth = 1.96 * (chats / (chats - 1) * squares).squareRoot() / abs(b)
  }
}
