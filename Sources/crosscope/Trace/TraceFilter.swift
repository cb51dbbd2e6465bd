// Which latents of a trace are worth showing, and what they come to over a whole text.
// Owns: the density cut and what counts as chat-specific. Refuses: reading the store; its rows are handed over.

import Diffing
import Storage

extension LatentRecord {
  /// Whether the latent is chat-only by its directions (Δ ≥ 0.9), or chat-specific by `ChatSpecificity`'s bounds.
  var isChatOnlyOrSpecific: Bool {
    latentClass == .chatOnly
      || !dead && ChatSpecificity.isWithinBounds(nuError: nuError, nuReconstruction: nuReconstruction)
  }
}

/// Which latents are shown.
struct TraceFilter: Sendable, Equatable {
  /// Latents on at a larger share of the corpus' tokens are left out: they fire on everything. Nil for all.
  var maxFrequency: Double? = usualFrequency
  var chatSpecificOnly = false

  static let usualFrequency = 0.01

  func passes(_ latent: LatentRecord) -> Bool {
    if let maxFrequency, let frequency = latent.frequency, frequency > maxFrequency { return false }
    return !chatSpecificOnly || latent.isChatOnlyOrSpecific
  }
}

/// How a latent's activations over a text become one number.
enum TraceAggregate: String, Sendable, CaseIterable {
  case max, mean
}

/// One latent over a whole text.
struct TracedLatent: Sendable, Equatable {
  var latent: Int32
  /// The largest activation and the token, counted from 0, where it first is.
  var max: Float
  var peak: Int
  /// Over all tokens that count, silent ones as 0.
  var mean: Double
  /// Tokens at which it is on.
  var tokens: Int

  func value(_ aggregate: TraceAggregate) -> Double { aggregate == .max ? Double(max) : mean }
}

/// All latents that are on somewhere in a text, the largest first.
/// - Parameter template: whether tokens of the chat template count.
func tracedLatents(
  _ tokens: [TokenActivations], by aggregate: TraceAggregate, template: Bool, where isShown: (Int32) -> Bool
) -> [TracedLatent] {
  var found: [Int: TracedLatent] = [:]
  var counted = 0
  for (position, token) in tokens.enumerated() where !token.isLeftOut && (template || !token.isTemplate) {
    counted += 1
    for activation in token.activations {
      var latent =
        found[activation.latent]
        ?? TracedLatent(latent: Int32(activation.latent), max: 0, peak: position, mean: 0, tokens: 0)
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
