// The control of a run replaces the chosen latents by random living ones. In mode add the random latents change the residual
// stream by the same norm, so that only the directions differ. So does a direction of the store, such as a difference in means,
// which is the plain direction that latents should beat.

import Diffing
import Inference
import Storage

extension SteeringSetup {
  /// Draws sets of random living latents with the run's seed. They have a direction, are not steered, and differ within
  /// a set.
  /// - Throws: `InputError.invalid` if there are fewer than `count`, or if that is 0.
  package func randomLatents(_ sets: Int, of count: Int) throws -> [[Int]] {
    guard sets > 0 else { return [] }
    guard count > 0 else {
      throw InputError.invalid(source: "random latents as a control", expected: "latents to replace", found: "none")
    }
    let (plan, crosscoder, store) = (request.plan, models.context.crosscoder, models.store)
    let own = Set(plan.interventions.map(\.latent))
    let norms = plan.decoder == .chat ? crosscoder.chatNorms : crosscoder.baseNorms
    let living = try store.latentIDs(sortedBy: .id, matching: Filter("not dead"))
      .filter { !own.contains($0) && norms[$0] > 0 }
    guard living.count >= count else {
      throw InputError.invalid(
        source: store.path, expected: "\(count) other living latents as a control", found: "\(living.count)")
    }
    var generator = SplitMix64(seed: request.sampling.seed)
    return (0..<sets).map { _ in Array(living.shuffled(using: &generator).prefix(count)) }
  }

  /// The request of a sweep's control.
  /// - Throws: `InputError.invalid` for modes whose change depends on the latent's own activation.
  func control() throws -> SteeringRequest {
    let interventions = request.plan.interventions
    guard request.plan.changesByNorm, !interventions.isEmpty else {
      throw InputError.invalid(
        source: "the control of a sweep", expected: "latents in mode add alone (their change has a norm of its own)",
        found: interventions.isEmpty ? "none" : "another mode")
    }
    var control = request
    control.freezesAttention = false
    control.maxActivations = [:]
    let draw = try randomLatents(1, of: interventions.count)[0]
    control.plan = request.plan.replacing(with: draw, maxActivations: basis.maxActivations)
    return control
  }
}

extension SteeringPlan {
  /// Whether the norm of every change is independent of the latent's activation.
  var changesByNorm: Bool { interventions.allSatisfy { $0.mode == .add } }

  /// The plan with a direction instead of its latents, with the norm and the sign of what they add together.
  /// - Throws: `InputError.invalid` for modes whose change depends on the latent's own activation, and without latents.
  func replacing(
    with direction: SteeredDirection, crosscoder: Crosscoder, maxActivations: [Int: Double]
  ) throws -> SteeringPlan {
    guard changesByNorm, !interventions.isEmpty else {
      throw InputError.invalid(
        source: "direction \(direction.name) as a control", expected: "latents in mode add alone to compare it with",
        found: interventions.isEmpty ? "none" : "another mode")
    }
    let added = try crosscoder.addedVector(interventions, self, maxActivations: { maxActivations[$0] }) ?? []
    let norm = added.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    var result = self
    (result.interventions, result.unit) = ([], .norm)
    var item = direction
    (item.mode, item.isOn) = (.add, true)
    item.strength = interventions.reduce(0) { $0 + $1.strength } < 0 ? -norm : norm
    result.directions = [item]
    return result
  }

  /// The plan with other latents instead of its own. In mode add strengths become lengths.
  /// - Parameter maxActivations: the largest activations of the plan's own latents.
  func replacing(with latents: [Int], maxActivations: [Int: Double]) -> SteeringPlan {
    var result = self
    for (index, latent) in latents.enumerated() {
      let own = interventions[index]
      result.interventions[index].latent = latent
      if changesByNorm, unit == .maxActivation {
        result.interventions[index].strength = own.strength * (maxActivations[own.latent] ?? 0)
      }
    }
    if changesByNorm { result.unit = .norm }
    return result
  }
}
