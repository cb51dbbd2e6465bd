// A confidence interval in the one form that all tables and screens have.

import Diffing
import Experiments

extension Interval {
  /// `0.123 [0.045, 0.201]`; without bounds the value alone.
  /// - Parameters:
  ///   - factor: what all numbers are multiplied by, such as 100 for a percentage.
  ///   - unit: what follows the value.
  package func text(_ digits: Int, times factor: Double = 1, unit: String = "") -> String {
    func number(_ value: Double) -> String { fixed(value * factor, digits) }
    guard let low, let high else { return number(value) }
    return "\(number(value))\(unit) [\(number(low)), \(number(high))]"
  }
}
