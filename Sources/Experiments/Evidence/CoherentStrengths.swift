// The strengths whose text stays coherent, and for each behaviour the best of them: the one with the largest change of the
// behaviour's rate against the baseline, in either direction; of equal ones the weakest. A strength is coherent if the
// perplexity of its steered answers under the unsteered model, the geometric mean over prompts, is at most a bound. Broken
// text has a large one, so that it never counts as an effect.

import Diffing

/// The best coherent strength of each behaviour.
package struct CoherentStrengths: Codable, Sendable, Equatable {
  /// The largest perplexity under the unsteered model that still counts as coherent.
  package var perplexity: Double
  /// The strengths of the steered arm, other than 0, that stay at or below the bound.
  package var strengths: [Double]
  /// The steered strength with the lowest perplexity, which says how far the bound is; nil if there is none.
  package var lowest: Lowest?
  package var best: [Best]

  package struct Lowest: Codable, Sendable, Equatable {
    package var strength: Double
    package var perplexity: Double
  }

  /// A behaviour at its best strength. Without any coherent strength it has only the baseline's rate.
  package struct Best: Codable, Sendable, Equatable {
    package var behaviour: String
    package var baseline: Interval
    package var strength: Double?
    package var steered: Interval?
    package var perplexity: Interval?
    /// The rate of the random latents at the same strength, and their perplexity, which may be above the bound.
    package var random: Interval?
    package var randomPerplexity: Interval?

    private enum CodingKeys: String, CodingKey {
      case behaviour, baseline, strength, steered, perplexity, random
      case randomPerplexity = "random_perplexity"
    }
  }

  /// The bound that is used where none is given.
  package static let usualPerplexity = 4.0

  /// Whether no strength qualifies.
  package var isEmpty: Bool { strengths.isEmpty }

  /// - Parameter rows: the rows of a report; the behaviours are those of the baseline's row.
  package init(_ rows: [DoseResponse.Row], perplexity bound: Double) {
    perplexity = bound
    let steered = rows.filter { $0.arm == .steered && $0.strength != 0 }
    let coherent = steered.filter { row in row.perplexity.map { $0.value <= bound } ?? false }
    strengths = coherent.map(\.strength)
    lowest = steered.compactMap { row in
      row.perplexity.map { Lowest(strength: row.strength, perplexity: $0.value) }
    }.min { $0.perplexity < $1.perplexity }
    guard let baseline = rows.first(where: { $0.arm == .baseline }) else {
      best = []
      return
    }
    best = baseline.behaviours.map { behaviour in
      let name = behaviour.name
      /// How much the rate changes; weaker strengths win among equal ones.
      func change(_ row: DoseResponse.Row) -> (Double, Double) {
        (abs((row.rate(of: name)?.value ?? behaviour.rate.value) - behaviour.rate.value), -abs(row.strength))
      }
      let chosen = coherent.max { change($0) < change($1) }
      let random = rows.first { $0.arm == .random && $0.strength == chosen?.strength }
      return Best(
        behaviour: name, baseline: behaviour.rate, strength: chosen?.strength, steered: chosen?.rate(of: name),
        perplexity: chosen?.perplexity, random: random?.rate(of: name), randomPerplexity: random?.perplexity)
    }
  }
}
