// Orders of tokens by what fine-tuning did to them. By logits (arXiv 2608.26462): how often a token is among the K most raised of a
// position, at how many positions it is raised at all, and by how much on average. Logits of tokens that are never likely move the most
// in small models; so there is also an order by a token's part of the divergence, which says what chat would really write.

/// How tokens are ordered.
public enum TokenOrder: String, Sendable, Codable, CaseIterable {
  /// The token's part of the mean KL(chat ‖ base): the mean of p^chat (log p^chat − log p^base).
  case divergence
  /// How often the token is among the most raised of a position, less how often it is among the most lowered.
  case occurrence
  /// The share of positions at which its logit rises.
  case positive
  /// The mean of Δ, less that of all tokens, since a constant changes no distribution.
  case mean
}

extension TokenDifferences {
  /// All tokens that differ in the order's sense, the most raised first; equal ones in the order of their numbers.
  /// - Returns: weights are shares of positions; nats and logits for the orders by them.
  public func order(_ order: TokenOrder) -> [WeightedToken] {
    guard positions > 0 else { return [] }
    let count = Double(positions)
    let usual = order == .mean ? raised.indices.reduce(0) { $0 + sums.value($1) / count } / Double(raised.count) : 0
    let all = raised.indices.map { id -> WeightedToken in
      let weight =
        switch order {
        case .occurrence: Double(amongMostRaised[id] - amongMostLowered[id]) / count
        case .positive: Double(raised[id]) / count
        case .divergence: parts.value(id) / count
        case .mean: sums.value(id) / count - usual
        }
      return WeightedToken(id: Int32(id), weight: weight)
    }
    return all.filter { $0.weight > 0 }.sorted { $0.weight == $1.weight ? $0.id < $1.id : $0.weight > $1.weight }
  }
}
