// The control of a run: random living latents in the places of the chosen ones.
// Owns: the draw, by the run's seed; in mode add, the same ‖Δh‖ as the chosen ones have. Refuses: too few living latents;
// as the control of a sweep other modes, whose change depends on the latent's own activation.

import Diffing
import Inference
import Storage

extension SteeringExperiment {
  /// Sets of random living latents that have a direction and are not steered, none twice in a set.
  /// - Throws: `CommandError.inputInvalid` where there are fewer than `count`.
  func randomLatents(_ sets: Int, of count: Int, in store: Store) throws -> [[Int]] {
    guard sets > 0 else { return [] }
    let own = Set(interventions.map(\.latent))
    let norms = parameters.decoder == .chat ? context.crosscoder.chatNorms : context.crosscoder.baseNorms
    let living = try store.latentIDs(sortedBy: .id, matching: Filter("not dead")).map { Int($0) }
      .filter { !own.contains($0) && norms[$0] > 0 }
    guard living.count >= count else {
      throw CommandError.inputInvalid(
        source: store.path, expected: "\(count) other living latents as a control", found: "\(living.count)")
    }
    var generator = SplitMix64(seed: parameters.settings.seed)
    return (0..<sets).map { _ in Array(living.shuffled(using: &generator).prefix(count)) }
  }
}

extension SteeringRequest {
  /// Strengths become lengths, so that only the directions differ.
  func withRandomLatents(_ experiment: SteeringExperiment, _ store: Store) throws -> SteeringRequest {
    guard interventions.allSatisfy({ $0.mode == .add }), !interventions.isEmpty else {
      throw CommandError.inputInvalid(
        source: "the control of a sweep", expected: "latents in mode add alone (their change has a norm of its own)",
        found: interventions.isEmpty ? "none" : "another mode")
    }
    var control = self
    control.unit = .norm
    control.freezesAttention = false
    let drawn = try experiment.randomLatents(1, of: interventions.count, in: store).joined()
    for (index, latent) in drawn.enumerated() {
      let item = interventions[index]
      let length = unit == .norm ? 1 : experiment.maxActivations[Int(item.latent)] ?? 0
      control.interventions[index].latent = Int32(latent)
      control.interventions[index].strength = item.strength * length
    }
    return control
  }
}
