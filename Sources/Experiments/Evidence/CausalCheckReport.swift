// The result of a causal check: the effect of one latent next to the effect of random latents, with 95 % intervals.

import Diffing
import Foundation
import Storage

/// The effect of one patch on the tokens after a peak.
struct ContextEffect: Equatable {
  /// KL(unsteered ‖ patched), nats a token.
  var kl: Double
  /// Change of the mean log-probability of the context's own next tokens.
  var logProbability: Double
}

/// The finished check. Intervals are over prompts or contexts; the mean over the random latents counts once for each of
/// them.
package struct CausalCheckReport: Codable, Sendable, Equatable {
  package struct Effect: Codable, Sendable, Equatable {
    package let measure: String
    package let latent: Interval?
    package let random: Interval?
    /// Whether the two intervals do not overlap.
    package let apart: Bool
  }

  package let latent: Int
  package let random: [Int]
  package let size: CausalCheckSize
  package let effects: [Effect]
  package let added: [DoseResponse.Row]
  package let versions: [String: String]
  /// The answers to the prompts, which are compared when the check is run again; older records have none.
  package var answers: [PromptOutcome]?

  /// The numbers of prompts, contexts and random latents, as text.
  package var sizeText: String {
    "\(random.count) random latents, \(size.prompts) prompts, \(size.contexts) contexts, up to \(size.tokens) tokens"
  }

  /// The arms of the answers: the latent at each strength, then each random one.
  package var arms: [EvidenceArm] {
    [EvidenceArm(kind: .baseline, strength: 0, latents: [])]
      + CausalCheckJob.strengths.map { EvidenceArm(kind: .steered, strength: $0, latents: [latent]) }
      + random.flatMap { other in
        CausalCheckJob.strengths.map { EvidenceArm(kind: .random, strength: $0, latents: [other]) }
      }
  }

  /// The experiment as the store keeps it, with the present time.
  package func record() -> ExperimentRecord {
    ExperimentRecord(
      created: Date().formatted(.iso8601), prompt: "latent \(latent)", kind: Self.kind,
      interventions: storedJSON([Intervention(latent: latent, mode: .add, strength: 1)]),
      parameters: storedJSON(size), outputs: storedJSON(self), versions: storedJSON(versions))
  }
}

extension CausalCheckReport {
  /// The store's name for this kind of experiment.
  package static let kind = "causal check"

  /// Computes the figures of a check that has gone through all of its texts.
  init(
    _ job: CausalCheckJob, against random: [Int], added run: PromptSetRun, _ outcomes: [PromptOutcome],
    takenAway: [[ContextEffect]]
  ) {
    let rows = DoseResponse.rows(run.arms, outcomes)
    func effect(_ measure: String, _ own: Interval?, _ random: Interval?) -> Effect {
      Effect(
        measure: measure, latent: own, random: random,
        apart: own.flatMap { own in random.map { own.isApart(from: $0) } } ?? false)
    }
    var effects: [Effect] = []
    for strength in CausalCheckJob.strengths {
      func row(_ kind: EvidenceArm.Kind) -> DoseResponse.Row? {
        rows.first { $0.arm == kind && $0.strength == strength }
      }
      let (own, other) = (row(.steered), row(.random))
      let name = "added ×\(compact(strength)): "
      effects.append(effect(name + "KL", own?.kl, other?.kl))
      effects.append(effect(name + "refused", own?.refused, other?.refused))
      effects.append(effect(name + "perplexity", own?.perplexity, other?.perplexity))
    }
    for (name, value) in [
      ("taken away: KL after the peak", { $0.kl }), ("taken away: log p of the next tokens", { $0.logProbability }),
    ] as [(String, (ContextEffect) -> Double)] {
      let others = takenAway.map { arms in
        arms.dropFirst().map(value).reduce(0, +) / Double(max(1, arms.count - 1))
      }
      effects.append(effect(name, .mean(takenAway.map { value($0[0]) }), .mean(others)))
    }
    self.init(
      latent: job.latent, random: random, size: job.size, effects: effects, added: rows,
      versions: run.setup.models.context.versions, answers: outcomes)
  }
}
