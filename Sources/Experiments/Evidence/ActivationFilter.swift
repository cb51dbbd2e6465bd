// Decides which latents of a text are worth showing, by their density and by whether they are specific to chat, and sums up
// each of them over the whole text. It gets the latents' rows and never reads the store.

import Diffing
import Storage

extension LatentRecord {
  /// Whether the latent's directions make it chat-only (Δ ≥ 0.9) or `ChatSpecificity`'s bounds make it chat-specific.
  package var isChatOnlyOrSpecific: Bool {
    latentClass == .chatOnly
      || !dead && ChatSpecificity.isWithinBounds(nuError: nuError, nuReconstruction: nuReconstruction)
  }
}

/// The rule that decides which latents are shown.
package struct ActivationFilter: Sendable, Equatable {
  /// Latents that fire on a larger share of the corpus's tokens are left out, since they fire on everything. Nil shows
  /// all.
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
  package var latent: Int
  /// The largest activation and the position, counted from 0, of the first token that has it.
  package var max: Float
  package var peak: Int
  /// The mean over all tokens that count; tokens where it is silent count as 0.
  package var mean: Double
  /// The number of tokens at which it fires.
  package var tokens: Int

  package func value(_ aggregate: ActivationAggregate) -> Double { aggregate == .max ? Double(max) : mean }
}

/// All latents that fire somewhere in a text, the largest first.
/// - Parameter template: whether tokens of the chat template count.
package func latentsOverText(
  _ tokens: [TokenActivations], by aggregate: ActivationAggregate, template: Bool, where isShown: (Int) -> Bool
) -> [LatentOverText] {
  var found: [Int: LatentOverText] = [:]
  var counted = 0
  for (position, token) in tokens.enumerated() where !token.isLeftOut && (template || !token.isTemplate) {
    counted += 1
    for activation in token.activations {
      var latent =
        found[activation.latent]
        ?? LatentOverText(latent: activation.latent, max: 0, peak: position, mean: 0, tokens: 0)
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
