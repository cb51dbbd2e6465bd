// Writes numbers for screens, tables and reports. A value that was not computed is written as –, never as 0.

import Foundation

/// A number with fixed decimals; – if it is missing or not finite.
package func fixed(_ value: Double?, _ digits: Int) -> String {
  guard let value, value.isFinite else { return "–" }
  return String(format: "%.\(digits)f", value)
}

/// A number with a sign and fixed decimals.
package func signed(_ value: Double, _ digits: Int = 2) -> String { String(format: "%+.\(digits)f", value) }

/// At most six digits, and no trailing zeros: 0.8, 1, 1e-05.
package func compact(_ value: Double) -> String { String(format: "%g", value) }

/// The fewest digits from which the same number can be read again: 0.02, 20, 1e-05.
package func exact(_ value: Double) -> String {
  let text = "\(value)"
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

/// A share as a percentage; small shares get more decimals.
package func percent(_ share: Double?) -> String {
  guard let share, share.isFinite else { return "–" }
  let value = share * 100
  if value == 0 { return "0%" }
  return String(format: value < 0.1 ? "%.3f%%" : value < 10 ? "%.2f%%" : "%.1f%%", value)
}

/// A count with its digits in groups of three, separated by thin spaces: 73 728.
package func grouped(_ count: Int) -> String {
  var digits = Array(String(count.magnitude))
  var at = digits.count - 3
  while at > 0 {
    digits.insert(" ", at: at)
    at -= 3
  }
  return (count < 0 ? "-" : "") + String(digits)
}

/// A metric with four significant digits; `-` if it is missing.
package func shortNumber(_ value: Double?) -> String {
  guard let value else { return "-" }
  if value == value.rounded(), abs(value) < 1e6 { return String(Int(value)) }
  let digits = abs(value) >= 1000 ? 0 : abs(value) >= 100 ? 1 : abs(value) >= 10 ? 2 : abs(value) >= 0.001 ? 4 : 7
  return value.formatted(.number.precision(.fractionLength(digits)).grouping(.never).locale(Locale(identifier: "C")))
}

/// A number and its noun: `1 latent`, `2 latents`.
package func counted(_ count: Int, _ one: String, _ many: String) -> String {
  "\(grouped(count)) \(count == 1 ? one : many)"
}
