// Interventions and their conditions as people read them, in one form for all screens, tables, Markdown and the command
// line: `2898 add +0.50 where f>20`. f is the latent's own activation, f(12) another latent's.
// Owns: that form. Refuses: to round a strength to one that was not given.

import Diffing
import Experiments
import Foundation

/// With sign and at least two decimals, and as many more as the strength has, up to six digits.
package func strengthText(_ strength: Double) -> String {
  let usual = signed(strength)
  return abs(strength) < 1e6 && Double(usual) == strength ? usual : String(format: "%+g", strength)
}

extension SteeringCondition {
  /// `f>0.5`, or of another latent than the one it is about `f(12)>0.5`.
  /// - Parameter own: the latent whose row it stands on; nil for a condition of all.
  package func text(of own: Int?) -> String { (latent == own ? "f" : "f(\(latent))") + written }

  /// `>0.5`.
  package var written: String { (side == .above ? ">" : "<") + exact(value) }
}

extension [SteeringCondition] {
  /// `where f>0.5 and f(12)<3`; empty without conditions.
  package func text(of own: Int?) -> String {
    isEmpty ? "" : "where " + map { $0.text(of: own) }.joined(separator: " and ")
  }
}

extension Intervention {
  /// `2898 add +0.50 where f>20`.
  package var text: String {
    let condition = conditions.text(of: latent)
    return "\(latent) \(mode.rawValue) \(strengthText(strength))" + (isOn ? "" : " (off)")
      + (condition.isEmpty ? "" : " " + condition)
  }
}

extension [Intervention] {
  /// `3330 add +0.50, 2898 add +0.50 where f>20`, and what holds for all of them: `; all only where f(12)>0.5`.
  package func text(conditions: [SteeringCondition]) -> String {
    let all = conditions.text(of: nil)
    return (isEmpty ? "no latent" : map(\.text).joined(separator: ", ")) + (all.isEmpty ? "" : "; all only \(all)")
  }
}

extension SteeringRequest {
  /// Its latents and their conditions.
  package var steeringText: String { plan.interventions.text(conditions: plan.conditions) }
}
