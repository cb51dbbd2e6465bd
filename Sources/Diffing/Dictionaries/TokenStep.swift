// What some dictionaries do to each token before they encode it, by numbers of that token alone, and its inverse after
// decoding. Where a row holds several residual streams, each is taken alone. Steps by fixed numbers are
// `InputNormaliser`'s. Sources: SAELens 6.54.12 (run_time_activation_norm_fn_in and _out), OpenMOSS (token-wise).

import Kernels

/// A step that each token takes before it is encoded, and takes back after it is decoded.
public enum TokenStep: Sendable, Equatable {
  /// (x − mean) / (std + 1e-5), with the mean over the token's d values and std with d − 1; back: y·std + mean.
  case standardised
  /// x·√d/‖x‖; back: y·‖x‖/√d. A token of 0 stays 0.
  case rootNorm

  /// What a user should know of activations.
  var unitsNote: String {
    "activations count in units of inputs that are "
      + (self == .rootNorm ? "scaled to norm √d" : "standardised") + " token by token, not of the residual stream"
  }

  /// What is taken off and by what is divided: y = (x − shift)/divisor, and back x = y·factor + shift.
  private func numbers(_ x: UnsafePointer<Float>, _ d: Int) -> (shift: Double, divisor: Double, factor: Double) {
    switch self {
    case .rootNorm:
      let ratio = squareSum(x, count: d).squareRoot() / Double(d).squareRoot()
      return (0, ratio > 0 ? ratio : 1, ratio)
    case .standardised:
      var sum = 0.0
      for index in 0..<d { sum += Double(x[index]) }
      let mean = sum / Double(d)
      var squares = 0.0
      for index in 0..<d { squares += (Double(x[index]) - mean) * (Double(x[index]) - mean) }
      let std = d > 1 ? (squares / Double(d - 1)).squareRoot() : 0
      return (mean, std + 1e-5, std)
    }
  }

  /// Takes the step for one token of `parts` residual streams, `width` values in all.
  func apply(_ x: UnsafePointer<Float>, parts: Int, width: Int, into row: UnsafeMutablePointer<Double>) {
    let d = width / parts
    for start in stride(from: 0, to: width, by: d) {
      let (shift, divisor, _) = numbers(x + start, d)
      for index in start..<start + d { row[index] = (Double(x[index]) - shift) / divisor }
    }
  }

  /// Takes the step back for a reconstruction of the token x, in place.
  func restore(_ row: UnsafeMutablePointer<Double>, of x: UnsafePointer<Float>, parts: Int, width: Int) {
    let d = width / parts
    for start in stride(from: 0, to: width, by: d) {
      let (shift, _, factor) = numbers(x + start, d)
      for index in start..<start + d { row[index] = row[index] * factor + shift }
    }
  }
}
