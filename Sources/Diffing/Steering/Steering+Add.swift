// Mode add: h += Σ_j α_j · s_j · d_j/‖d_j‖. Each direction is normalised on its own before the sum. s_j is the latent's
// largest activation a_max,j in scaled units, or 1 if strengths are norms.
// Source: arXiv 2504.02922, section 4.

import Inference

extension Crosscoder {
  /// The vector `[d]` that a plan's latents in mode add add to h at every token; nil if there are none.
  /// - Parameter maxActivations: a_max of a latent, in scaled units.
  /// - Throws: `DiffingError.settingInvalid`, `.notFinite`.
  public func addedVector(
    _ items: [Intervention], _ plan: SteeringPlan, maxActivations: (Int) -> Double?
  ) throws(DiffingError) -> [Float]? {
    var sum = [Double](repeating: 0, count: dModel)
    for item in items {
      let unit = plan.unit == .norm ? 1 : try largestActivation(item, maxActivations)
      let direction = try direction(item.latent, plan.decoder)
      guard !item.isIdle else { continue }
      for (i, value) in direction.vector.enumerated() { sum[i] += item.strength * unit * Double(value) }
    }
    return items.allSatisfy(\.isIdle) ? nil : sum.map(Float.init)
  }

  /// The largest activation a_max of an intervention's latent, which is the unit of its strength.
  func largestActivation(_ item: Intervention, _ maxActivations: (Int) -> Double?) throws(DiffingError) -> Double {
    guard let largest = maxActivations(item.latent), largest > 0, largest.isFinite else {
      throw .settingInvalid(
        name: Setting("latent \(item.latent)", .interventions),
        expected: "a latent that fired (its maximum activation is the unit of strength)",
        found: "one that never did")
    }
    return largest
  }
}
