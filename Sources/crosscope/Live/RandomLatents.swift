// The control of a sweep in mode add: random living latents in the places of the chosen ones, with the same ‖Δh‖.
// Owns: the draw, by the run's seed. Refuses: other modes, whose change depends on the latent's own activation; too few
// living latents.

import Diffing
import Inference
import Storage

extension SteeringRequest {
  /// Strengths become lengths, so that only the directions differ.
  func withRandomLatents(_ experiment: SteeringExperiment, _ store: Store) throws -> SteeringRequest {
    guard interventions.allSatisfy({ $0.mode == .add }), !interventions.isEmpty else {
      throw CommandError.inputInvalid(
        source: "the control of a sweep", expected: "latents in mode add alone (their change has a norm of its own)",
        found: interventions.isEmpty ? "none" : "another mode")
    }
    let own = Set(interventions.map(\.latent))
    let crosscoder = experiment.context.crosscoder
    let norms = decoder == .chat ? crosscoder.chatNorms : crosscoder.baseNorms
    let living = try store.latentIDs(sortedBy: .id, matching: Filter("not dead")).filter {
      !own.contains($0) && norms[Int($0)] > 0
    }
    guard living.count >= interventions.count else {
      throw CommandError.inputInvalid(
        source: store.path, expected: "\(interventions.count) other living latents", found: "\(living.count)")
    }
    var generator = SplitMix64(seed: seed)
    var control = self
    control.unit = .norm
    for (index, latent) in living.shuffled(using: &generator).prefix(interventions.count).enumerated() {
      let item = interventions[index]
      let length = unit == .norm ? 1 : experiment.maxActivations[Int(item.latent)] ?? 0
      control.interventions[index].latent = latent
      control.interventions[index].strength = item.strength * length
    }
    return control
  }
}
