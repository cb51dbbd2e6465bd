// The notches of the steer screen's knob. `crosscope steer` proposes a strength by them, too.

/// By how much a key turns a strength, and how far.
package enum KnobNotch {
  static let coarse = 0.25
  static let fine = 0.01
  /// As far as the knob turns.
  static let strongest = 10.0

  /// The largest notch that is not beyond a limit; a fine one where the limit is below the first coarse one.
  package static func last(within limit: Double) -> Double {
    let notch = limit < coarse ? fine : coarse
    return min((limit / notch + 1e-9).rounded(.down) * notch, strongest)
  }
}
