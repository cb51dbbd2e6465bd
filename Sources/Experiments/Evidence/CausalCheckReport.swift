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
    /// The direction that was added in the latent's place; nil without one, and where something is taken away.
    package var direction: Interval?
    /// Whether the two intervals do not overlap.
    package let apart: Bool
  }

  package let latent: Int
  package let random: [Int]
  /// The direction that the latent was compared with.
  package var against: SteeredDirection?
  package let size: CausalCheckSize
  package var effects: [Effect]
  package var added: [DoseResponse.Row]
  package let versions: [String: String]
  /// The answers to the prompts, which are compared when the check is run again; older records have none.
  package var answers: [PromptOutcome]?
  /// The behaviours that were counted; older records have none, and count refusals.
  package var behaviours: Behaviours?
  /// The best coherent strength of each behaviour; older records have none.
  package var coherent: CoherentStrengths?

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
      + (against == nil
        ? [] : CausalCheckJob.strengths.map { EvidenceArm(kind: .direction, strength: $0, latents: []) })
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
    var effects = Effect.added(rows)
    for (name, value) in [
      ("taken away: KL after the peak", { $0.kl }), ("taken away: log p of the next tokens", { $0.logProbability }),
    ] as [(String, (ContextEffect) -> Double)] {
      let others = takenAway.map { arms in
        arms.dropFirst().map(value).reduce(0, +) / Double(max(1, arms.count - 1))
      }
      effects.append(Effect(name, .mean(takenAway.map { value($0[0]) }), .mean(others)))
    }
    self.init(
      latent: job.latent, random: random, against: run.against, size: job.size, effects: effects, added: rows,
      versions: run.setup.models.context.versions, answers: outcomes, behaviours: .builtIn,
      coherent: CoherentStrengths(rows, perplexity: CoherentStrengths.usualPerplexity))
  }
}

extension CausalCheckReport.Effect {
  /// What the names of the measures of the added latent begin with.
  fileprivate static let addedPrefix = "added "

  fileprivate init(_ measure: String, _ own: Interval?, _ random: Interval?, _ direction: Interval? = nil) {
    self.init(
      measure: measure, latent: own, random: random, direction: direction,
      apart: own.flatMap { own in random.map { own.isApart(from: $0) } } ?? false)
  }

  /// The measures of the added latent, strength by strength.
  fileprivate static func added(_ rows: [DoseResponse.Row]) -> [CausalCheckReport.Effect] {
    CausalCheckJob.strengths.flatMap { strength in
      func row(_ kind: EvidenceArm.Kind) -> DoseResponse.Row? {
        rows.first { $0.arm == kind && $0.strength == strength }
      }
      let (own, other, direction) = (row(.steered), row(.random), row(.direction))
      let name = "\(addedPrefix)×\(compact(strength)): "
      let rates = (own?.behaviours ?? []).map {
        Self(name + $0.name, $0.rate, other?.rate(of: $0.name), direction?.rate(of: $0.name))
      }
      return [Self(name + "KL", own?.kl, other?.kl, direction?.kl)] + rates
        + [Self(name + "perplexity", own?.perplexity, other?.perplexity, direction?.perplexity)]
    }
  }
}

extension CausalCheckReport: BehaviourReport {
  package var texts: [AnswerText] { answers?.texts ?? [] }

  package func counting(_ behaviours: Behaviours, coherent bound: Double) -> CausalCheckReport {
    counting(behaviours.told, answers?.showing(behaviours.told), bound)
  }

  package func counting(_ behaviour: Behaviour, _ verdicts: [Bool]) -> CausalCheckReport {
    counting(
      (behaviours ?? .builtIn).adding(behaviour), answers?.showing(behaviour, verdicts),
      coherent?.perplexity ?? CoherentStrengths.usualPerplexity)
  }

  /// The report with other counts; without answers in all arms nothing can be counted.
  private func counting(_ behaviours: Behaviours, _ answers: [PromptOutcome]?, _ bound: Double) -> CausalCheckReport {
    guard let answers, answers.allSatisfy({ $0.answers.count == arms.count }) else { return self }
    var report = self
    report.answers = answers
    report.added = DoseResponse.rows(arms, answers, behaviours)
    report.effects = Effect.added(report.added) + effects.filter { !$0.measure.hasPrefix(Effect.addedPrefix) }
    report.behaviours = behaviours
    report.coherent = CoherentStrengths(report.added, perplexity: bound)
    return report
  }
}
