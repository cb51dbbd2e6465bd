// Which latents of a trace are worth showing, and what they come to over a whole text.
// Owns: the density cut and what counts as chat-specific. Refuses: reading the store; its rows are handed over.

import Diffing
import Storage

extension LatentRecord {
  /// Whether the latent is chat-only by its directions (Δ ≥ 0.9), or chat-specific by `ChatSpecificity`'s bounds.
  package var isChatOnlyOrSpecific: Bool {
    latentClass == .chatOnly
      || !dead && ChatSpecificity.isWithinBounds(nuError: nuError, nuReconstruction: nuReconstruction)
  }
}

/// Which latents are shown.
package struct ActivationFilter: Sendable, Equatable {
  /// Latents on at a larger share of the corpus' tokens are left out: they fire on everything. Nil for all.
  package var maxFrequency: Double? = usualFrequency
  package var chatSpecificOnly = false

  package static let usualFrequency = 0.01

  package init(maxFrequency: Double? = usualFrequency, chatSpecificOnly: Bool = false) {
    (self.maxFrequency, self.chatSpecificOnly) = (maxFrequency, chatSpecificOnly)
  }

  package func passes(_ latent: LatentRecord) -> Bool {
    if let maxFrequency, let frequency = latent.frequency, frequency > maxFrequency { return false }
    return !chatSpecificOnly || latent.isChatOnlyOrSpecific
  }
}

/// How a latent's activations over a text become one number.
package enum ActivationAggregate: String, Sendable, CaseIterable {
  case max, mean
}

/// One latent over a whole text.
package struct LatentOverText: Sendable, Equatable {
  package var latent: Int32
  /// The largest activation and the token, counted from 0, where it first is.
  package var max: Float
  package var peak: Int
  /// Over all tokens that count, silent ones as 0.
  package var mean: Double
  /// Tokens at which it is on.
  package var tokens: Int

  package func value(_ aggregate: ActivationAggregate) -> Double { aggregate == .max ? Double(max) : mean }
}

/// All latents that are on somewhere in a text, the largest first.
/// - Parameter template: whether tokens of the chat template count.
package func latentsOverText(
  _ tokens: [TokenActivations], by aggregate: ActivationAggregate, template: Bool, where isShown: (Int32) -> Bool
) -> [LatentOverText] {
  var found: [Int: LatentOverText] = [:]
  var counted = 0
  for (position, token) in tokens.enumerated() where !token.isLeftOut && (template || !token.isTemplate) {
    counted += 1
    for activation in token.activations {
      var latent =
        found[activation.latent]
        ?? LatentOverText(latent: Int32(activation.latent), max: 0, peak: position, mean: 0, tokens: 0)
      if activation.value > latent.max { (latent.max, latent.peak) = (activation.value, position) }
      latent.mean += Double(activation.value)
      latent.tokens += 1
      found[activation.latent] = latent
    }
  }
  let shown = found.values.filter { isShown($0.latent) }.map { latent in
    var latent = latent
    latent.mean /= Double(counted)
    return latent
  }
  return shown.sorted { ($1.value(aggregate), $0.latent) < ($0.value(aggregate), $1.latent) }
}
