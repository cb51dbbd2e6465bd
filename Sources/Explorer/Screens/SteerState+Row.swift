// One latent of the steer screen's list: how its knob turns, and what becomes of its strength in another mode. A
// strength that gets another meaning is always announced.

import Diffing
import Inference
import Kernels
import Reports
import Storage

extension SteerState {
  /// One latent of the list.
  struct Row: Sendable, Equatable {
    var latent: Int32
    var mode = SteeringMode.add
    var strength: Double
    var isOn = true
    /// All must hold at a token for this latent to change it; others of the list do not look at them.
    var conditions: [SteeringCondition] = []
    /// It was there when the explorer opened, and no run has had it since.
    var isFromBefore = false
    /// Strengths that it had where modes measure them otherwise.
    private var elsewhere: [StrengthScale: Double] = [:]

    init(
      latent: Int32, mode: SteeringMode = .add, strength: Double, isOn: Bool = true,
      conditions: [SteeringCondition] = [], isFromBefore: Bool = false
    ) {
      (self.latent, self.mode, self.strength, self.isOn) = (latent, mode, strength, isOn)
      (self.conditions, self.isFromBefore) = (conditions, isFromBefore)
    }

    init(_ item: Intervention) {
      self.init(
        latent: Int32(clamping: item.latent), mode: item.mode, strength: item.strength, conditions: item.conditions)
    }

    /// As a run is asked for it.
    var intervention: Intervention {
      Intervention(latent: Int(latent), mode: mode, strength: strength, conditions: conditions)
    }

    /// Changes the strength, within bounds unless it was set beyond them. What is a multiple of a millionth stays the
    /// nearest number to one, so that a sum of many notches is what it looks like.
    mutating func turn(by step: Double) {
      let bound = max(KnobNotch.strongest, abs(strength))
      strength = min(max(-bound, ((strength + step) * 1e6).rounded() / 1e6), bound)
    }

    /// Takes another mode. The strength stays where both measure it alike; else it becomes what it was there last, or
    /// what the mode begins with.
    /// - Returns: what is to be said of the strength, if anything.
    mutating func change(to mode: SteeringMode, unit: StrengthUnit, begin: Double) -> String? {
      let (former, scale) = (self.mode, mode.scale(unit))
      self.mode = mode
      guard scale != former.scale(unit) else {
        // Both multiply f, with opposite signs: −1 of difference takes away, 1 of ablate does.
        guard scale == .activation, strength != 0, former != mode else { return nil }
        return "strength still \(strengthText(strength)): \(mode.rawValue) takes away "
          + (mode == .ablate ? "above 0" : "below 0")
      }
      elsewhere[former.scale(unit)] = strength
      strength = elsewhere[scale] ?? begin
      return "strength now \(strengthText(strength)): \(mode.rawValue) counts \(scale.rawValue), "
        + "\(former.rawValue) \(former.scale(unit).rawValue)"
    }
  }

  /// What a strength is a multiple of, in a few words.
  enum StrengthScale: String, Sendable {
    case largest = "the maximum"
    case length = "a length"
    case activation = "the activation"
    case component = "h's part"
  }

  /// Where a mode begins: at what it is mostly used for. Difference takes away, the others' names say what 1 does;
  /// where text stops at another multiple of the largest activation, the last notch before that.
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
  /// What its strengths are multiples of.
  func scale(_ unit: StrengthUnit) -> SteerState.StrengthScale {
    switch self {
    case .add: unit == .norm ? .length : .largest
    case .clamp: .largest
    case .difference, .ablate: .activation
    case .project: .component
    }
  }
}
