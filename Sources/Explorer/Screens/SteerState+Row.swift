// One latent of the steer screen's list: how its knob turns, and how its strength changes with its mode. If a strength gets
// another meaning, a message says so.

import Diffing
import Inference
import Kernels
import Reports
import Storage

extension SteerState {
  /// One latent of the list.
  struct Row: KnobRow, Sendable, Equatable {
    var latent: Int
    var mode = SteeringMode.add
    var strength: Double
    var isOn = true
    /// All must hold at a token for this latent to change it; the other latents do not use them.
    var conditions: [SteeringCondition] = []
    /// Whether it comes from an earlier session and no run has used it since.
    var isFromBefore = false
    /// The strengths that it had on other scales.
    private var elsewhere: [StrengthScale: Double] = [:]

    init(
      latent: Int, mode: SteeringMode = .add, strength: Double, isOn: Bool = true,
      conditions: [SteeringCondition] = [], isFromBefore: Bool = false
    ) {
      (self.latent, self.mode, self.strength, self.isOn) = (latent, mode, strength, isOn)
      (self.conditions, self.isFromBefore) = (conditions, isFromBefore)
    }

    init(_ item: Intervention) {
      self.init(
        latent: item.latent, mode: item.mode, strength: item.strength, conditions: item.conditions)
    }

    /// The latent as a part of a request.
    var intervention: Intervention {
      Intervention(latent: latent, mode: mode, strength: strength, conditions: conditions)
    }

    /// Changes the strength, within bounds unless it was set beyond them. Multiples of a millionth are rounded to the
    /// nearest number, so that a sum of many notches is exact.
    mutating func turn(by step: Double) {
      let bound = max(KnobNotch.strongest, abs(strength))
      strength = min(max(-bound, ((strength + step) * 1e6).rounded() / 1e6), bound)
    }

    /// Takes another mode. If both modes have the same scale, the strength stays; else it becomes the last one on the
    /// new scale, or the mode's first one.
    /// - Returns: a message about the strength, if there is something to say.
    mutating func change(to mode: SteeringMode, unit: StrengthUnit, begin: Double) -> String? {
      let (former, scale) = (self.mode, mode.scale(unit))
      self.mode = mode
      guard scale != former.scale(unit) else {
        // Both multiply f, with opposite signs: −1 of difference takes away, 1 of ablate does.
        guard scale == .activation, strength != 0, former != mode else { return nil }
        return "the strength is still \(strengthText(strength)): \(mode.rawValue) takes away "
          + (mode == .ablate ? "above 0" : "below 0")
      }
      elsewhere[former.scale(unit)] = strength
      strength = elsewhere[scale] ?? begin
      return "the strength is now \(strengthText(strength)): \(mode.rawValue) counts \(scale.rawValue), "
        + "\(former.rawValue) \(former.scale(unit).rawValue)"
    }
  }

  /// The unit of a strength, in a few words.
  enum StrengthScale: String, Sendable {
    case largest = "the maximum"
    case length = "a length"
    case activation = "the activation"
    case component = "h's part"
  }

  /// The first strength of a mode, which is that of its main use: difference takes away, the others do what their names
  /// say at 1. If text breaks at a smaller multiple of the largest activation, it is the last notch before that.
  func strengthToBegin(_ mode: SteeringMode, limit: Double?) -> Double {
    switch mode {
    case .difference: return -1
    case .ablate, .project: return 1
    case .add, .clamp:
      guard let limit, plan.unit == .maxActivation else { return 1 }
      return KnobNotch.last(within: limit)
    }
  }
}

extension SteeringMode {
  /// The unit of its strengths.
  func scale(_ unit: StrengthUnit) -> SteerState.StrengthScale {
    switch self {
    case .add: unit == .norm ? .length : .largest
    case .clamp: .largest
    case .difference, .ablate: .activation
    case .project: .component
    }
  }
}
