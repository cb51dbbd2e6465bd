// Writes interventions and their conditions in the same form for screens, tables, Markdown and the command line, such as `2898
// add +0.50 where f>20`. Here f is the latent's own activation and f(12) that of latent 12.

import Diffing
import Experiments
import Foundation

/// A strength with its sign and two decimals; more are written, up to six digits, if it would otherwise be rounded.
package func strengthText(_ strength: Double) -> String {
  let usual = signed(strength)
  return abs(strength) < 1e6 && Double(usual) == strength ? usual : String(format: "%+g", strength)
}

extension SteeringCondition {
  /// The condition as `f>0.5`, or as `f(12)>0.5` if it is on another latent.
  /// - Parameter own: the latent in whose row the condition stands; nil for a condition of the whole plan.
  package func text(of own: Int?) -> String { (latent == own ? "f" : "f(\(latent))") + written }

  /// The bound, such as `>0.5`.
  package var written: String { (side == .above ? ">" : "<") + exact(value) }
}

extension [SteeringCondition] {
  /// The conditions as `where f>0.5 and f(12)<3`; empty if there are none.
  package func text(of own: Int?) -> String {
    isEmpty ? "" : "where " + map { $0.text(of: own) }.joined(separator: " and ")
  }
}

extension Intervention {
  /// The intervention as `2898 add +0.50 where f>20`.
  package var text: String {
    let condition = conditions.text(of: latent)
    return "\(latent) \(mode.rawValue) \(strengthText(strength))" + (isOn ? "" : " (off)")
      + (condition.isEmpty ? "" : " " + condition)
  }
}

extension SteeredDirection {
  /// The direction as `refusal add +0.50`.
  package var text: String { "\(name) \(mode.rawValue) \(strengthText(strength))" + (isOn ? "" : " (off)") }
}

extension [Intervention] {
  /// The list as `3330 add +0.50, 2898 add +0.50 where f>20`, followed by conditions of the plan: `; all only where
  /// f(12)>0.5`.
  package func text(conditions: [SteeringCondition]) -> String {
    let all = conditions.text(of: nil)
    return (isEmpty ? "no latent" : map(\.text).joined(separator: ", ")) + (all.isEmpty ? "" : "; all only \(all)")
  }
}

extension SteeringRequest {
  /// The latents of the plan, their conditions, the directions and the amplification.
  package var steeringText: String { plan.text }
}
