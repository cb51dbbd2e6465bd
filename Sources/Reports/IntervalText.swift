// Writes a confidence interval in the same form for all tables and screens.

import Diffing
import Experiments

extension Interval {
  /// The interval as `0.123 [0.045, 0.201]`, or the value alone if there are no bounds.
  /// - Parameters:
  ///   - factor: a factor on all numbers, such as 100 for a percentage.
  ///   - unit: a text after the value.
  package func text(_ digits: Int, times factor: Double = 1, unit: String = "") -> String {
    func number(_ value: Double) -> String { fixed(value * factor, digits) }
    guard let low, let high else { return number(value) }
    return "\(number(value))\(unit) [\(number(low)), \(number(high))]"
  }
}
