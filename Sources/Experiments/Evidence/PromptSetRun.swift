// Steering over a set of prompts: every prompt is answered by the baseline, at each strength, with as many random latents, and with
// a direction that the latents are compared with.
// The arms and the control are put together here; `PromptSetJob` runs them.

import Diffing
import Foundation
import Glibc
import Inference
import Kernels
import Storage

/// One column of a dose–response table.
package struct EvidenceArm: Codable, Sendable, Hashable {
  package enum Kind: String, Codable, Sendable, CaseIterable {
    case baseline, steered, random
    /// A direction of the store with the same norm of the change.
    case direction
    case frozenAttention = "frozen_attention"

    /// The kind as tables show it.
    package var title: String { rawValue.replacing("_", with: " ") }
  }
  package var kind: Kind
  /// The factor on the interventions' strengths; 0 for the baseline.
  package var strength: Double
  /// The latents that are steered.
  package var latents: [Int]

  /// The arms of a request and its controls: kind by kind all strengths, then draw by draw, then the direction.
  static func all(of request: SteeringRequest, draws: [[Int]], isAgainstDirection: Bool) -> [EvidenceArm] {
    let own = request.plan.interventions.map(\.latent)
    let kinds: [Kind] = request.freezesAttention ? [.steered, .frozenAttention] : [.steered]
    return [EvidenceArm(kind: .baseline, strength: 0, latents: [])]
      + kinds.flatMap { kind in request.strengths.map { EvidenceArm(kind: kind, strength: $0, latents: own) } }
      + draws.flatMap { draw in request.strengths.map { EvidenceArm(kind: .random, strength: $0, latents: draw) } }
      + (isAgainstDirection ? request.strengths.map { EvidenceArm(kind: .direction, strength: $0, latents: []) } : [])
  }

  package init(kind: Kind, strength: Double, latents: [Int]) {
    (self.kind, self.strength, self.latents) = (kind, strength, latents)
  }
}

/// One prompt answered in every arm.
package struct PromptOutcome: Codable, Sendable, Equatable {
  /// The hash of everything that decides the answers.
  package var settings: String
  package var index: Int
  package var prompt: String
  package var kind: String?
  /// The messages before the prompt; nil where it opens the chat.
  package var turns: [ChatMessage]?
  /// The answers in the order of the arms.
  package var answers: [SteeredAnswer]
}

/// A run over a set that is ready to begin.
package struct PromptSetRun {
  /// The property that random latents share with the latents whose place they take.
  package enum Control: String, Codable, Sendable {
    /// In mode add, ‖Δh‖ of each latent is the same.
    case equalNorm = "equal_norm"
    /// Other modes read activations, so the random latent has the same mode and strength and uses its own activation.
    case ownActivation = "own_activation"
  }

  package let setup: SteeringSetup
  package let prompts: [SetPrompt]
  package let arms: [EvidenceArm]
  package let control: Control?
  /// The direction that the latents are compared with, looked up.
  package let against: SteeredDirection?
  package let settings: String
  private let answers: SteeredAnswers

  /// The largest number of arms, since all of them are decoded together.
  package static let mostArms = 128

  /// - Parameters:
  ///   - draws: the sets of random latents, each as large as the set of steered ones.
  ///   - against: a direction that takes the latents' place, with the same norm of the change.
  /// - Throws: `InputError.invalid` if there are too many arms, or if latents are compared with a direction in another mode
  ///   than add; `DiffingError.settingInvalid` for a direction that the store does not have.
  package init(
    _ setup: SteeringSetup, prompts: [SetPrompt], draws: [[Int]], against: SteeredDirection? = nil
  ) throws {
    (self.setup, self.prompts) = (setup, prompts)
    let (request, models) = (setup.request, setup.models)
    let maxima = try models.context.maxActivations(
      of: request.plan.interventions.map(\.latent) + draws.flatMap { $0 }, in: models.store
    ).merging(setup.basis.maxActivations) { $1 }
    control = draws.isEmpty ? nil : request.plan.changesByNorm ? .equalNorm : .ownActivation
    let arms = EvidenceArm.all(of: request, draws: draws, isAgainstDirection: against != nil)
    let own = setup.plans
    self.against = try against.map {
      try models.store.lookingUp(SteeringPlan(interventions: [], directions: [$0])).directions[0]
    }
    // A random latent is compared with the usual steering, not with frozen attention.
    let plans =
      own
      + draws.flatMap { draw in
        own.prefix(request.strengths.count).map { $0.replacing(with: draw, maxActivations: maxima) }
      }
      + (try self.against.map { direction in
        try own.prefix(request.strengths.count).map {
          try $0.replacing(with: direction, crosscoder: models.context.crosscoder, maxActivations: maxima)
        }
      } ?? [])
    guard arms.count <= Self.mostArms else {
      throw InputError.invalid(
        source: "--sweep and --random", expected: "at most \(Self.mostArms) arms with the baseline",
        found: "\(arms.count)")
    }
    self.arms = arms
    settings = Self.hash(setup, prompts, arms, self.against)
    answers = SteeredAnswers(
      engine: models.context.engine, crosscoder: models.context.crosscoder, layer: models.context.pair.layer,
      plans: plans, settings: request.sampling, maxActivations: { maxima[$0] })
  }

  private static func hash(
    _ setup: SteeringSetup, _ prompts: [SetPrompt], _ arms: [EvidenceArm], _ against: SteeredDirection?
  ) -> String {
    struct Settings: Encodable {
      let interventions: [Intervention]
      let parameters: RecordedSettings
      let arms: [EvidenceArm]
      let prompts: [SetPrompt]
      let versions: [String: String]
      let against: SteeredDirection?
    }
    var versions = setup.models.context.versions
    versions["threads"] = nil  // last bits are no other run
    let text = storedJSON(
      Settings(
        interventions: setup.request.plan.interventions,
        parameters: RecordedSettings(request: setup.request, basis: setup.basis), arms: arms, prompts: prompts,
        versions: versions, against: against))
    return Array(text.utf8).withUnsafeBytes { SHA256.hex(of: $0) }
  }

  /// Answers one prompt in every arm.
  /// - Throws: `DiffingError.file(.cancelled)` between two tokens if the task is cancelled.
  package func outcome(_ index: Int) throws -> PromptOutcome {
    let prompt = prompts[index]
    return PromptOutcome(
      settings: settings, index: index, prompt: prompt.prompt, kind: prompt.kind, turns: prompt.turns,
      answers: try answers.answer(
        setup.models.context.engine.encodeChat(prompt.messages, addGenerationPrompt: true)))
  }
}
