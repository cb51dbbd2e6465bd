// How a number is distributed over a list of latents: counts in equal bins, over the range and on the scale that show
// most of it. LatentsScreen+Histogram.swift draws it.

import Foundation
import Inference
import Storage

/// Counts of a number in bins of equal width, or of equal ratio where most values crowd at the low end.
struct Distribution: Sendable, Equatable {
  static let bins = 60

  let counts: [Int]
  /// The ends of the bins. Values beyond them are counted in the outermost bins.
  let low: Double
  let high: Double
  let isLogarithmic: Bool
  let below: Int
  let above: Int
  /// How many latents of the list lack the number.
  let missing: Int
  let median: Double

  /// Nil if no latent has the number. Cost: a pass over the values.
  init?(_ list: LatentList) {
    guard let first = list.values.first, let last = list.values.last else { return nil }
    // The list is in order, in either direction.
    let sorted = first <= last ? list.values : list.values.reversed()
    let usual = MapSpan.usual(sorted)
    median = sorted[sorted.count / 2]
    let ends = sorted.lazy.filter { usual.contains($0) }
    var (low, high) = (ends.first ?? sorted[0], ends.last ?? sorted[0])
    isLogarithmic = sorted[0] >= 0 && high > 0 && median - low < 0.1 * (high - low)
    if isLogarithmic {
      low = sorted.first { $0 > 0 } ?? high
      high = sorted[sorted.count - 1]
    }
    (self.low, self.high) = (low, high)
    var (counts, below, above) = ([Int](repeating: 0, count: Self.bins), 0, 0)
    for value in sorted {
      if value < low { below += 1 } else if value > high { above += 1 }
      counts[Self.bin(value, low, high, isLogarithmic)] += 1
    }
    (self.counts, self.below, self.above) = (counts, below, above)
    missing = list.ids.count - list.values.count
  }

  /// The bin of a value.
  func bin(of value: Double) -> Int { Self.bin(value, low, high, isLogarithmic) }

  private static func bin(_ value: Double, _ low: Double, _ high: Double, _ isLogarithmic: Bool) -> Int {
    if value <= low { return 0 }
    if value >= high { return high > low ? bins - 1 : 0 }
    let share = isLogarithmic ? log(value / low) / log(high / low) : (value - low) / (high - low)
    return min(bins - 1, max(0, Int(share * Double(bins))))
  }
}
