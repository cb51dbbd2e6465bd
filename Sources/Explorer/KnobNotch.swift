// The notches of the steer screen's knob, which `crosscope steer` also uses to propose a strength.

/// The steps of a strength, and their bounds.
package enum KnobNotch {
  static let coarse = 0.25
  static let fine = 0.01
  /// The largest strength that the knob reaches.
  static let strongest = 10.0

  /// The largest notch that is not beyond a limit; a fine one where the limit is below the first coarse one.
  package static func last(within limit: Double) -> Double {
    let notch = limit < coarse ? fine : coarse
    return min((limit / notch + 1e-9).rounded(.down) * notch, strongest)
  }
}

/// A row of the steer screen whose strength keys turn.
protocol KnobRow {
  var isOn: Bool { get set }
  mutating func turn(by step: Double)
}

extension KnobRow {
  /// Switches the row on or off, or turns it; other actions do nothing.
  /// - Parameter times: the count that was typed before the key.
  mutating func perform(_ action: Action, _ times: Double) {
    switch action {
    case .toggle: isOn.toggle()
    case .stronger: turn(by: KnobNotch.coarse * times)
    case .weaker: turn(by: -KnobNotch.coarse * times)
    case .slightlyStronger: turn(by: KnobNotch.fine * times)
    case .slightlyWeaker: turn(by: -KnobNotch.fine * times)
    default: break
    }
  }
}
