// A plan made ready for one crosscoder: h += Δh. Every part of Δh is computed from the same true h, so the order of
// interventions does not matter. It also tells which conditions hold at a token and how large the change was beside h.
// Source: arXiv 2504.02922; codes of the first token and of outlying tokens mean nothing and are not used.

import Inference
import Kernels

/// The size of steering's change over the steered tokens, at all blocks that a plan names.
public struct SteeringSize: Sendable, Equatable {
  private var changes = 0.0
  private var norms = 0.0
  /// Whether the plan changes the stream by steering; amplification alone has no Δh.
  fileprivate var hasChange = true
  /// The number of tokens at which something was changed.
  public private(set) var tokens = 0
  /// Mean ‖Δh‖ over mean ‖h‖; 0 before any token, nil if fp32 cannot hold it and for amplification without steering.
  public var relative: Double? {
    guard hasChange else { return nil }
    let ratio = norms > 0 ? changes / norms : 0
    return ratio.isFinite ? ratio : nil
  }

  /// Adds one token's ‖Δh‖ and ‖h‖.
  mutating func add(change: Double, norm: Double) {
    changes += change
    norms += norm
    tokens += 1
  }
}

/// The vectors to add and the latents to read in one steered stream. It has one owner at a time.
final class PreparedSteering {
  let plan: SteeringPlan
  private let gates: [SteeringGate]
  /// The plan's own conditions, which all gates share.
  private let common: [Int]
  private let conditions: [(reader: LatentReader, condition: SteeringCondition)]
  private var projection: Projection?
  /// The vectors `[d]` that directions add after other blocks than the crosscoder's, by block.
  private let other: [Int: [Float]]
  private(set) var size = SteeringSize()
  private let d: Int
  private let normLimit: Double

  /// - Parameter maxActivations: a_max of each added or clamped latent, in scaled units.
  /// - Throws: `DiffingError.settingInvalid` for an unknown latent, for a latent that never fired if its maximum is the
  ///   unit, for a number that is not finite, and for a setting that a mode cannot use; `.notFinite` for a direction of
  ///   length 0.
  init(
    plan: SteeringPlan, crosscoder: Crosscoder, layer: Int, nLayers: Int, maxActivations: (Int) -> Double?
  ) throws(DiffingError) {
    try plan.check(crosscoder)
    try plan.checkDirections(layer: layer, width: crosscoder.dModel, nLayers: nLayers)
    self.plan = plan
    size.hasChange = plan.changesStream || plan.amplification == nil
    d = crosscoder.dModel
    // Training left outlying tokens out, so codes at them mean nothing.
    normLimit = crosscoder.card.normLimit
    // The order is the same whatever the caller's order, so that sums are rounded alike.
    let items = plan.interventions.sorted { $0.place < $1.place }
    let projected = items.filter { $0.mode == .project }
    let directions = plan.directions(at: layer)
    let projectedDirections = directions.filter { $0.mode == .project }
    let projection = try crosscoder.projection(projected, decoder: plan.decoder, beside: projectedDirections)
    // A condition that several interventions share is read once.
    var (conditions, known): ([SteeringCondition], [SteeringCondition: Int]) = ([], [:])
    func numbers(_ some: [SteeringCondition]) -> [Int] {
      for condition in some where known[condition] == nil {
        known[condition] = conditions.count
        conditions.append(condition)
      }
      return some.compactMap { known[$0] }
    }
    common = numbers(plan.conditions)
    var gates: [SteeringGate] = []
    for group in items.grouped(by: { Set($0.conditions) }) {
      // Interventions that change nothing steer no token, but they are checked all the same.
      let adding = group.filter { $0.mode == .add }
      var gate = SteeringGate(
        constant: try crosscoder.addedVector(adding, plan, maxActivations: maxActivations))
      for item in group where item.mode.readsCode {
        let terms = try crosscoder.codeTerms(item, decoder: plan.decoder, maxActivations: maxActivations)
        if !item.isIdle { gate.codeTerms += terms }
      }
      gate.projected = projected.filter { !$0.isIdle }.enumerated().filter { group.contains($0.element) }.map(\.offset)
      guard !gate.isEmpty else { continue }
      gate.conditions = numbers(group[0].conditions)
      gates.append(gate)
    }
    var always = SteeringGate(constant: plan.addedDirections(at: layer, width: d))
    let firstDirection = projected.count { !$0.isIdle }
    always.projected = projectedDirections.indices.map { firstDirection + $0 }
    if !always.isEmpty { gates.append(always) }
    other = Dictionary(
      uniqueKeysWithValues: plan.otherLayers(than: layer).compactMap { other in
        plan.addedDirections(at: other, width: crosscoder.dModel).map { (other, $0) }
      })
    (self.gates, self.projection) = (gates, projection)
    self.conditions = try conditions.map { (condition) throws(DiffingError) in
      (try LatentReader(condition.latent, crosscoder), condition)
    }
  }

  /// Changes one token's residual stream in place.
  /// - Parameters:
  ///   - h: chat's residual stream `[d]`.
  ///   - base: base's residual stream at the same token, if the plan needs it.
  ///   - isFirst: whether the token is the first of its timeline, whose codes mean nothing.
  /// - Returns: the gates that were open at the token, for `applyAbove`.
  @discardableResult
  func apply(to h: UnsafeMutablePointer<Float>, base: UnsafePointer<Float>?, isFirst: Bool) -> [Int] {
    let norm = squareSum(h, count: d).squareRoot()
    let larger = max(norm, base.map { squareSum($0, count: d).squareRoot() } ?? 0)
    let hasMeaning = !isFirst && larger <= normLimit
    let isMet = conditions.map { reader, condition in
      hasMeaning && condition.isMet(by: reader.scaled(reader.code(base: base, chat: h)))
    }
    guard common.allSatisfy({ isMet[$0] }) else { return [] }
    let open = gates.indices.filter { gates[$0].conditions.allSatisfy { isMet[$0] } }
    guard !open.isEmpty || plan.swapsBase else { return [] }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: d) { buffer in
      guard let delta = buffer.baseAddress else { return }
      delta.update(repeating: 0, count: d)
      if hasMeaning {
        for term in open.lazy.flatMap({ self.gates[$0].codeTerms }) {
          let coefficient = term.coefficient(base: base, chat: h)
          if coefficient != 0 { addScaled(coefficient, term.vector, to: delta, count: d) }
        }
        projection?.add(open.flatMap { gates[$0].projected }, of: h, to: delta)
      }
      for gate in open { gates[gate].addConstant(to: delta) }
      if plan.swapsBase, let base { for i in 0..<d { delta[i] += base[i] - h[i] } }
      addScaled(1, delta, to: h, count: d)
      if !isFirst {
        size.add(change: squareSum(delta, count: d).squareRoot(), norm: norm)
      }
    }
    return open
  }

  /// Adds the same vectors again after a block above the crosscoder's block.
  /// - Parameter open: the gates that were open at the token.
  func applyAbove(to h: UnsafeMutablePointer<Float>, open: [Int]) {
    for gate in open { gates[gate].addConstant(to: h) }
  }
}

extension PreparedSteering {
  /// The blocks other than the crosscoder's after which directions act.
  var otherLayers: [Int] { other.keys.sorted() }

  /// Adds what directions add to one token after another block than the crosscoder's.
  func addDirections(at layer: Int, to h: UnsafeMutablePointer<Float>, isFirst: Bool) {
    guard let vector = other[layer] else { return }
    if !isFirst {
      let change = vector.withUnsafeBufferPointer { $0.baseAddress.map { squareSum($0, count: d) } ?? 0 }
      size.add(change: change.squareRoot(), norm: squareSum(h, count: d).squareRoot())
    }
    addScaled(1, vector, to: h, count: d)
  }
}

/// Interventions that change the same tokens: those at which all of their conditions hold.
private struct SteeringGate {
  /// The numbers of the conditions.
  var conditions: [Int] = []
  /// The vector `[d]` that mode add adds.
  let constant: [Float]?
  var codeTerms: [CodeTerm] = []
  /// The numbers of the gate's latents in the projection.
  var projected: [Int] = []

  init(constant: [Float]?) { self.constant = constant }

  var isEmpty: Bool { constant == nil && codeTerms.isEmpty && projected.isEmpty }

  func addConstant(to h: UnsafeMutablePointer<Float>) {
    if let constant { addScaled(1, constant, to: h, count: constant.count) }
  }
}

extension Intervention {
  /// The place of an intervention in an order that does not depend on the caller's.
  fileprivate var place: (Int, String, Double, String) {
    let gated = Set(conditions).map { "\($0.latent) \($0.side.rawValue) \($0.value)" }.sorted()
    return (latent, mode.rawValue, strength, gated.joined(separator: ","))
  }
}

extension Array {
  /// Groups the elements by key, in the order in which the keys first appear.
  fileprivate func grouped<Key: Hashable>(by key: (Element) -> Key) -> [[Element]] {
    var (groups, places): ([[Element]], [Key: Int]) = ([], [:])
    for element in self {
      if let place = places[key(element)] {
        groups[place].append(element)
      } else {
        places[key(element)] = groups.count
        groups.append([element])
      }
    }
    return groups
  }
}

extension SteeringPlan {
  /// Throws for an intervention that is impossible with this crosscoder or in its mode.
  fileprivate func check(_ crosscoder: Crosscoder) throws(DiffingError) {
    let allConditions = conditions + interventions.flatMap(\.conditions)
    for latent in interventions.map(\.latent) + allConditions.map(\.latent)
    where !(0..<crosscoder.nLatents).contains(latent) {
      throw .settingInvalid(
        name: Setting("latent", .interventions),
        expected: crosscoder.nLatents == 0 ? "none, since there is no crosscoder" : "0…\(crosscoder.nLatents - 1)",
        found: "\(latent)")
    }
    for item in interventions {
      guard item.strength.isFinite else {
        throw .settingInvalid(
          name: Setting("strength of latent \(item.latent)", .interventions), expected: "a number",
          found: "\(item.strength)")
      }
      if item.mode != .add, unit == .norm {
        throw .settingInvalid(
          name: Setting("raw strength of latent \(item.latent)", .unit), expected: "for mode add alone",
          found: item.mode.rawValue)
      }
    }
    for condition in allConditions where !(condition.value >= 0 && condition.value.isFinite) {
      throw .settingInvalid(
        name: Setting("condition on latent \(condition.latent)", .conditions), expected: "a value of 0 or more",
        found: "\(condition.value)")
    }
    if blocks == .ownAndAbove, swapsBase || interventions.contains(where: { $0.mode != .add }) {
      throw .settingInvalid(
        name: Setting("steering at all layers", .blocks), expected: "for mode add alone",
        found: swapsBase ? "base swapped in" : "another mode")
    }
    if swapsBase, interventions.contains(where: { $0.isOn && $0.mode == .project }) {
      throw .settingInvalid(
        name: "a plan with base swapped in", expected: "without mode project (both replace h)", found: "one with it")
    }
  }
}
