// Steering: interventions on the chat model's residual stream at the crosscoder's layer, as a hook.
//   add         h += α · a_max,j · d_j^chat / ‖d_j^chat‖        for each latent, each direction normalised on its own
//   difference  h += α · f_j(x) (d_j^chat − d_j^base)           the paper's patch; f_j from both models' true streams
//   swapsBase   h  = h^base                                     the ceiling of any difference-mode intervention
// Owns: the formulas, which positions they apply to, and how large the change was beside h.
// Refuses: latents that the crosscoder does not have, strengths that are not finite.
// Source: arXiv 2504.02922, section 4; METHOD's warnings on summing and on the first token.

import Inference
import Kernels

/// What an intervention does with a latent.
public enum SteeringMode: String, Sendable, Codable, CaseIterable {
  /// Adds the latent's chat decoder direction; strength 1 is as strong as the latent was ever seen.
  case add
  /// Adds (strength > 0) or takes away (−1) what the latent contributes to chat beyond base, where it is on.
  case difference
}

/// Which tokens of a timeline are steered.
public enum TokenPositions: String, Sendable, Codable, CaseIterable {
  case all
  /// The prompt's tokens.
  case prompt
  /// Generated tokens, and the prompt's last one, from which the first generated token is predicted.
  case generated
  /// Tokens of the chat template in the prompt.
  case template
}

/// One latent's part in a steered stream.
public struct Intervention: Sendable, Codable, Equatable {
  public var latent: Int
  public var mode: SteeringMode
  /// α: in units of the latent's maximum activation (add) or of its own activation (difference).
  public var strength: Double

  public init(latent: Int, mode: SteeringMode, strength: Double) {
    self.latent = latent
    self.mode = mode
    self.strength = strength
  }
}

/// Everything that happens to one steered stream.
public struct SteeringPlan: Sendable, Codable, Equatable {
  public var interventions: [Intervention]
  public var positions: TokenPositions
  /// Replaces the residual stream by base's before the interventions.
  public var swapsBase: Bool

  public init(interventions: [Intervention], positions: TokenPositions = .all, swapsBase: Bool = false) {
    self.interventions = interventions
    self.positions = positions
    self.swapsBase = swapsBase
  }

  /// Whether base's activations of the same prefix are needed.
  public var needsBase: Bool { swapsBase || interventions.contains { $0.mode == .difference } }
}

/// The size of what steering changed, over the steered tokens.
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

/// A plan made ready for one crosscoder: the vectors to add and the latents to encode.
final class PreparedSteering {
  private struct Difference {
    let encoder: [Float]  // [2·d], base first
    let bias: Float
    let minimum: Float  // f must exceed it
    let direction: [Float]  // α (d^chat − d^base)
  }

  let plan: SteeringPlan
  private let constant: [Float]?
  private let differences: [Difference]
  private(set) var size = SteeringSize()
  private let d: Int
  private let normLimit: Float

  /// - Parameter maxActivations: a_max of each added latent, scaled units.
  /// - Throws: `DiffingError.settingInvalid` for an unknown latent, a latent that never fired, or a strength that is
  ///   not finite.
  init(plan: SteeringPlan, crosscoder: Crosscoder, maxActivations: (Int) -> Double?) throws(DiffingError) {
    self.plan = plan
    d = crosscoder.dModel
    // Outlying tokens were left out of training: codes there mean nothing.
    normLimit = Float(crosscoder.card.normLimit)
    var sum = [Double](repeating: 0, count: d)
    var differences: [Difference] = []
    for item in plan.interventions {
      guard (0..<crosscoder.nLatents).contains(item.latent) else {
        throw .settingInvalid(name: "latent", expected: "0…\(crosscoder.nLatents - 1)", found: "\(item.latent)")
      }
      guard item.strength.isFinite else {
        throw .settingInvalid(
          name: "strength of latent \(item.latent)", expected: "a number", found: "\(item.strength)")
      }
      switch item.mode {
      case .add:
        guard let largest = maxActivations(item.latent), largest > 0 else {
          throw .settingInvalid(
            name: "latent \(item.latent)",
            expected: "a latent that fired (its maximum activation is the unit of strength)",
            found: "one that never did")
        }
        let direction = try crosscoder.direction(item.latent, .chat)
        for (i, value) in direction.vector.enumerated() { sum[i] += item.strength * largest * Double(value) }
      case .difference:
        differences += Self.differences(item, crosscoder)
      }
    }
    self.differences = differences
    constant = plan.interventions.contains { $0.mode == .add } ? sum.map(Float.init) : nil
  }

  /// What f_j is read by and what it moves along; of DECOUPLED codes one for each model's own threshold.
  private static func differences(_ item: Intervention, _ crosscoder: Crosscoder) -> [Difference] {
    func difference(norm: Double, threshold: Float, direction: [Float]) -> Difference {
      Difference(
        encoder: Array(crosscoder.encoder.row(item.latent)), bias: crosscoder.encoderBias[item.latent],
        minimum: norm > 0 ? Float(Double(max(0, threshold)) / norm) : .infinity, direction: direction)
    }
    let chat = crosscoder.decoderDirection(item.latent, .chat)
    let base = crosscoder.decoderDirection(item.latent, .base)
    guard crosscoder.thresholds.count == 2 else {
      return [
        difference(
          norm: crosscoder.codeNorms[item.latent], threshold: crosscoder.threshold ?? 0,
          direction: zip(chat, base).map { Float(item.strength * (Double($0) - Double($1))) })
      ]
    }
    return [
      difference(
        norm: crosscoder.chatNorms[item.latent], threshold: crosscoder.thresholds[PairModel.chat.index],
        direction: chat.map { Float(item.strength * Double($0)) }),
      difference(
        norm: crosscoder.baseNorms[item.latent], threshold: crosscoder.thresholds[PairModel.base.index],
        direction: base.map { Float(-item.strength * Double($0)) }),
    ]
  }

  /// Changes one token's residual stream in place.
  /// - Parameters:
  ///   - h: chat's residual stream `[d]`.
  ///   - base: base's at the same token, where the plan needs it.
  ///   - isFirst: whether it is the timeline's first token, whose codes mean nothing.
  func apply(to h: UnsafeMutablePointer<Float>, base: UnsafePointer<Float>?, isFirst: Bool) {
    let norm = dot(h, h, count: d).squareRoot()
    withUnsafeTemporaryAllocation(of: Float.self, capacity: d) { buffer in
      guard let delta = buffer.baseAddress else { return }
      delta.update(repeating: 0, count: d)
      if let base, !isFirst, norm <= normLimit {
        for item in differences {
          let code =
            dot(item.encoder, base, count: d)
            + item.encoder.withUnsafeBufferPointer { weights in
              weights.baseAddress.map { dot($0 + d, h, count: d) } ?? 0
            } + item.bias
          if code > item.minimum, code > 0 { addScaled(code, item.direction, to: delta, count: d) }
        }
      }
      if let constant { addScaled(1, constant, to: delta, count: d) }
      if plan.swapsBase, let base { for i in 0..<d { delta[i] += base[i] - h[i] } }
      addScaled(1, delta, to: h, count: d)
      if !isFirst {
        size.changes += Double(dot(delta, delta, count: d).squareRoot())
        size.norms += Double(norm)
        size.tokens += 1
      }
    }
  }
}
