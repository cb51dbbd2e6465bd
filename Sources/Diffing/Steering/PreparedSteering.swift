// A plan made ready for one crosscoder: h += Δh, where every part of Δh is computed from the same true h, so that the
// order of interventions does not matter.
// Owns: what a token's row becomes, which tokens meet the conditions, how large the change was beside h.
// Refuses: latents that the crosscoder does not have, strengths that are not finite, settings that a mode cannot use.
// Source: METHOD of arXiv 2504.02922; codes of the first token and of outlying ones mean nothing and are not used.

import Inference
import Kernels

/// The size of what steering changed, over the steered tokens, at the crosscoder's layer.
public struct SteeringSize: Sendable, Equatable {
  fileprivate var changes = 0.0
  fileprivate var norms = 0.0
  /// Tokens at which something was changed.
  public fileprivate(set) var tokens = 0
  /// Mean ‖Δh‖ over mean ‖h‖; 0 before any token, nil where it is beyond what fp32 holds.
  public var relative: Double? {
    let ratio = norms > 0 ? changes / norms : 0
    return ratio.isFinite ? ratio : nil
  }
}

/// The vectors to add and the latents to read of one steered stream.
final class PreparedSteering {
  let plan: SteeringPlan
  private let constant: [Float]?
  private let codeTerms: [CodeTerm]
  private let projections: [ProjectionTerm]
  private let conditions: [(reader: LatentReader, condition: SteeringCondition)]
  private(set) var size = SteeringSize()
  private let d: Int
  private let normLimit: Double

  /// - Parameter maxActivations: a_max of each added or clamped latent, scaled units.
  /// - Throws: `DiffingError.settingInvalid` for an unknown latent, a latent that never fired where that is the unit, a
  ///   number that is not finite, or a setting that a mode cannot use; `.notFinite` for a direction of length 0.
  init(plan: SteeringPlan, crosscoder: Crosscoder, maxActivations: (Int) -> Double?) throws(DiffingError) {
    try plan.check(crosscoder)
    self.plan = plan
    d = crosscoder.dModel
    // Outlying tokens were left out of training: codes there mean nothing.
    normLimit = crosscoder.card.normLimit
    // In one order whatever the caller's, so that sums round alike.
    let items = plan.interventions.sorted {
      ($0.latent, $0.mode.rawValue, $0.strength) < ($1.latent, $1.mode.rawValue, $1.strength)
    }
    func of(_ mode: SteeringMode) -> [Intervention] { items.filter { $0.mode == mode } }
    constant = try crosscoder.addedVector(of(.add), plan, maxActivations: maxActivations)
    projections = try crosscoder.projectionTerms(of(.project), decoder: plan.decoder)
    var terms: [CodeTerm] = []
    for item in items where item.mode.readsCode {
      let some = try crosscoder.codeTerms(item, decoder: plan.decoder, maxActivations: maxActivations)
      if !item.isIdle { terms += some }
    }
    codeTerms = terms
    conditions = plan.conditions.map { (LatentReader($0.latent, crosscoder), $0) }
  }

  /// Changes one token's residual stream in place.
  /// - Parameters:
  ///   - h: chat's residual stream `[d]`.
  ///   - base: base's at the same token, where the plan needs it.
  ///   - isFirst: whether it is the timeline's first token, whose codes mean nothing.
  /// - Returns: whether the token met the conditions.
  @discardableResult
  func apply(to h: UnsafeMutablePointer<Float>, base: UnsafePointer<Float>?, isFirst: Bool) -> Bool {
    let norm = squareSum(h, count: d).squareRoot()
    let larger = max(norm, base.map { squareSum($0, count: d).squareRoot() } ?? 0)
    let hasMeaning = !isFirst && larger <= normLimit
    guard conditions.isEmpty || (hasMeaning && meetsConditions(h, base)) else { return false }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: d) { buffer in
      guard let delta = buffer.baseAddress else { return }
      delta.update(repeating: 0, count: d)
      if hasMeaning {
        for term in codeTerms {
          let coefficient = term.coefficient(base: base, chat: h)
          if coefficient != 0 { addScaled(coefficient, term.vector, to: delta, count: d) }
        }
        for term in projections { addScaled(term.coefficient(h), term.vector, to: delta, count: d) }
      }
      if let constant { addScaled(1, constant, to: delta, count: d) }
      if plan.swapsBase, let base { for i in 0..<d { delta[i] += base[i] - h[i] } }
      addScaled(1, delta, to: h, count: d)
      if !isFirst {
        size.changes += squareSum(delta, count: d).squareRoot()
        size.norms += norm
        size.tokens += 1
      }
    }
    return true
  }

  /// Adds the same vector again, after a block above the crosscoder's.
  func applyAbove(to h: UnsafeMutablePointer<Float>) {
    if let constant { addScaled(1, constant, to: h, count: d) }
  }

  private func meetsConditions(_ h: UnsafePointer<Float>, _ base: UnsafePointer<Float>?) -> Bool {
    conditions.allSatisfy { reader, condition in
      let activation = reader.scaled(reader.code(base: base, chat: h))
      return condition.side == .above ? activation > condition.value : activation < condition.value
    }
  }
}

extension SteeringPlan {
  /// Throws for what no crosscoder of that size, or no mode, can do.
  fileprivate func check(_ crosscoder: Crosscoder) throws(DiffingError) {
    for latent in interventions.map(\.latent) + conditions.map(\.latent)
    where !(0..<crosscoder.nLatents).contains(latent) {
      throw .settingInvalid(name: "latent", expected: "0…\(crosscoder.nLatents - 1)", found: "\(latent)")
    }
    for item in interventions {
      guard item.strength.isFinite else {
        throw .settingInvalid(
          name: "strength of latent \(item.latent)", expected: "a number", found: "\(item.strength)")
      }
      if item.mode != .add, unit == .norm {
        throw .settingInvalid(
          name: "raw strength of latent \(item.latent)", expected: "for mode add alone", found: item.mode.rawValue)
      }
    }
    for condition in conditions where !(condition.value >= 0 && condition.value.isFinite) {
      throw .settingInvalid(
        name: "condition on latent \(condition.latent)", expected: "a value of 0 or more", found: "\(condition.value)")
    }
    if blocks == .ownAndAbove, swapsBase || interventions.contains(where: { $0.mode != .add }) {
      throw .settingInvalid(
        name: "steering at all layers", expected: "for mode add alone",
        found: swapsBase ? "base swapped in" : "another mode")
    }
    if swapsBase, interventions.contains(where: { $0.isOn && $0.mode == .project }) {
      throw .settingInvalid(
        name: "base swapped in", expected: "without mode project (both replace h)", found: "with it")
    }
  }
}
