// A causal check without models: its figures depend on the latent's number alone.

import Diffing

@testable import Experiments
@testable import Explorer

extension CausalCheckReport {
  /// Figures of a latent that does much where random ones do little.
  package static func scripted(_ latent: Int) -> CausalCheckReport {
    func interval(_ value: Double) -> Interval { Interval(value: value, low: value * 0.8, high: value * 1.25) }
    func effect(_ measure: String, _ own: Double, _ random: Double) -> Effect {
      let (own, random) = (interval(own), interval(random))
      return Effect(measure: measure, latent: own, random: random, apart: own.isApart(from: random))
    }
    var effects: [Effect] = []
    for strength in ["0.5", "1"] {
      effects += [
        effect("added ×\(strength): KL", 0.5 + Double(latent) / 100, 0.2),
        effect("added ×\(strength): refused", 0.3, 0.1),
        effect("added ×\(strength): perplexity", 12, 11),
      ]
    }
    effects.append(effect("taken away: KL after the peak", 0.02, 0.01))
    effects.append(
      Effect(
        measure: "taken away: log p of the next tokens", latent: Interval(value: -0.12, low: -0.2, high: -0.05),
        random: nil, apart: false))
    return CausalCheckReport(
      latent: latent, random: [3, 9, 27, 44], size: .interactive, effects: effects, added: [],
      versions: ["crosscope": "0.1.0"])
  }
}
