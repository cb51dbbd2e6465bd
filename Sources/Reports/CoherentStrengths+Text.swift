// The best coherent strength of each behaviour as a table, and of one behaviour as a sentence for a screen's line.

import Diffing
import Experiments
import Foundation

extension CoherentStrengths {
  /// What the table is about.
  package var title: String {
    "best strengths of a perplexity of at most \(compact(perplexity)) under the unsteered model"
  }

  /// Why there is no best strength; nil if there is one.
  package var absence: String? {
    guard isEmpty else { return nil }
    let bound = "no strength keeps the perplexity at or below \(compact(perplexity))"
    guard let lowest else { return "\(bound): none other than 0 was tried" }
    return "\(bound): the lowest is \(fixed(lowest.perplexity, 2)), at ×\(compact(lowest.strength))"
  }

  /// The table with a line for each behaviour, or a sentence if no strength qualifies.
  package var text: String {
    if let absence { return absence + "\n" }
    var table = TextTable([
      .init(title: "behaviour"), .init(title: "strength", isNumber: true), .init(title: "baseline"),
      .init(title: "steered"), .init(title: "perplexity"), .init(title: "random"), .init(title: "its perplexity"),
    ])
    func rate(_ interval: Interval?) -> String { interval?.text(0, times: 100, unit: "%") ?? "-" }
    for best in best {
      table.add([
        best.behaviour, best.strength.map(compact) ?? "-", rate(best.baseline), rate(best.steered),
        best.perplexity?.text(2) ?? "-", rate(best.random), best.randomPerplexity?.text(2) ?? "-",
      ])
    }
    return "\(title)\n\(table.text)"
  }

  /// The sentences of all behaviours, or one if no strength qualifies.
  package var sentences: [String] { absence.map { [$0] } ?? best.map { sentence(of: $0.behaviour) } }

  /// A behaviour's best strength, as `refused: 8%; best ×1 88% [69, 96], random 2% [0, 17], perplexity 3.2 (at most 4)`.
  package func sentence(of behaviour: String) -> String {
    guard let best = best.first(where: { $0.behaviour == behaviour }) else { return "\(behaviour) was not counted" }
    if let absence { return absence }
    func rate(_ interval: Interval?) -> String { interval?.text(0, times: 100, unit: "%") ?? "-" }
    let random = best.random.map { ", random \(rate($0))" } ?? ""
    return """
      \(behaviour): \(fixed(best.baseline.value * 100, 0))%; best ×\(best.strength.map(compact) ?? "-") \
      \(rate(best.steered))\(random), perplexity \(fixed(best.perplexity?.value, 1)) (at most \(compact(perplexity)))
      """
  }
}
