// 95 % confidence intervals for figures that are measured on prompts, which are the independent samples: Wilson's
// interval of a rate and Student's interval of a mean. With too little data there are no bounds.
// Sources: Wilson, JASA 22 (1927); quantiles of t by Hill's expansion in 1/ν (Abramowitz and Stegun 26.7.5).

import Glibc

/// An estimate and, if there is enough data, its 95 % confidence interval.
public struct Interval: Sendable, Codable, Equatable {
  public var value: Double
  public var low: Double?
  public var high: Double?

  public init(value: Double, low: Double? = nil, high: Double? = nil) {
    (self.value, self.low, self.high) = (value, low, high)
  }

  /// The 97.5 % quantile of the normal distribution.
  private static let z = 1.959963984540054

  /// The interval of a rate among `n` independent samples: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
  public static func wilson(rate: Double, n: Int) -> Interval {
    guard n > 0 else { return Interval(value: rate) }
    let count = Double(n)
    let centre = rate + z * z / (2 * count)
    let reach = z * (rate * (1 - rate) / count + z * z / (4 * count * count)).squareRoot()
    let scale = 1 + z * z / count
    return Interval(value: rate, low: max(0, (centre - reach) / scale), high: min(1, (centre + reach) / scale))
  }

  /// The interval of a mean: x̄ ± t₀.₉₇₅(n − 1) s/√n; nil if there are no values.
  public static func mean(_ values: [Double]) -> Interval? {
    guard !values.isEmpty else { return nil }
    let n = Double(values.count)
    let mean = values.reduce(0, +) / n
    guard values.count > 1 else { return Interval(value: mean) }
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
    let reach = studentQuantile(degrees: values.count - 1) * (variance / n).squareRoot()
    return Interval(value: mean, low: mean - reach, high: mean + reach)
  }

  /// The interval after a rising function, such as the one from a mean logarithm to a geometric mean.
  public func mapped(_ transform: (Double) -> Double) -> Interval {
    Interval(value: transform(value), low: low.map(transform), high: high.map(transform))
  }

  /// Whether the two intervals have no value in common.
  public func isApart(from other: Interval) -> Bool {
    guard let low, let high, let otherLow = other.low, let otherHigh = other.high else { return false }
    return low > otherHigh || high < otherLow
  }

  /// The 97.5 % quantile of Student's t, correct within 0.3 %.
  static func studentQuantile(degrees: Int) -> Double {
    switch degrees {
    case ...1: return 12.706204736
    case 2: return 4.302652730
    case 3: return 3.182446305
    case 4: return 2.776445105
    default:
      let v = Double(degrees)
      let (z3, z5, z7) = (pow(z, 3), pow(z, 5), pow(z, 7))
      return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v)
        + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v)
    }
  }
}
