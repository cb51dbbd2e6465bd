// Means over tokens whose chats are the independent samples: a chat's tokens resemble each other, so a standard error
// over single tokens would be too small. Owns: a ratio of two sums with its chat-clustered 95 % interval.
//   R = Σ_c a_c / Σ_c b_c,   SE² = C/(C−1) · Σ_c (a_c − R b_c)² / (Σ_c b_c)²      c: the C chats
// The linearised (delta-method) variance of a ratio under cluster sampling (Cochran, Sampling Techniques, 6.3).

/// A ratio of two sums over chats and how sure it is.
public struct ClusteredRatio: Sendable, Codable, Equatable {
  public let value: Double
  /// 1.96 standard errors: value ± this is the 95 % confidence interval. Nil from fewer than two chats.
  public let halfWidth: Double?

  private enum CodingKeys: String, CodingKey {
    case value
    case halfWidth = "half_width"
  }

  /// Σ numerators / Σ denominators, one of each a chat; nil where the denominators sum to 0.
  public init?(_ numerators: [Double], over denominators: [Double]) {
    precondition(numerators.count == denominators.count, "one numerator and one denominator a chat")
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
