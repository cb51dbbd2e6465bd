// A sweep over a set of prompts without models: its figures depend on the strengths alone.

import Diffing

@testable import Experiments
@testable import Explorer

extension DoseResponse {
  /// Three prompts: the stronger, the more refuse; random latents change little.
  package static func scripted(_ request: SteeringRequest, _ choice: PromptSetChoice) -> DoseResponse {
    var request = request
    request.strengths = PromptSetJob.usualStrengths
    let latents = request.plan.interventions.map(\.latent)
    var arms = [EvidenceArm(kind: .baseline, strength: 0, latents: [])]
    arms += request.strengths.map { EvidenceArm(kind: .steered, strength: $0, latents: latents) }
    for draw in 0..<choice.random {
      arms += request.strengths.map {
        EvidenceArm(kind: .random, strength: $0, latents: latents.map { $0 + draw + 1 })
      }
    }
    let outcomes = (0..<3).map { index in
      PromptOutcome(
        settings: "scripted", index: index, prompt: "prompt \(index)", kind: nil,
        answers: arms.map { arm in
          let size = abs(arm.strength) * (arm.kind == .random ? 0.25 : 1)
          let refuses = arm.kind != .random && arm.strength * 2 > Double(index)
          return SteeredAnswer(
            text: "an answer", ids: [1, 2, Int32(arm.strength * 2 + 4)], finished: true,
            behaviours: refuses ? ["refused"] : [], kl: size + 0.1 * Double(index), logPerplexity: 0.5 + size,
            repetition: 0.1, relativeChange: arm.kind == .baseline ? nil : 0.3 * size)
        })
    }
    return DoseResponse(
      promptFile: choice.path, prompts: outcomes.count, request: request.recorded, basis: SteeringBasis(),
      control: choice.random > 0 ? .equalNorm : nil, settings: "scripted", versions: ["crosscope": "0.1.0"],
      rows: rows(arms, outcomes), arms: arms, outcomes: outcomes)
  }
}
