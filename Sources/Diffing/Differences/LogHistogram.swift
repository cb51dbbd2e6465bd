// Counts of positive numbers by size, with bins of equal ratio. Quantiles are within 1.1 % of the true ones.

import Foundation

/// A histogram over 2^-40 … 2^11 with 32 bins to each doubling; what is smaller counts as 0, what is larger as the largest.
public struct LogHistogram: Sendable, Equatable, Codable {
  private static let (lowest, perDoubling, bins) = (-40.0, 32.0, 51 * 32)
  /// The count of each bin that is not empty.
  private var counts: [Int: Int] = [:]
  /// The numbers that were counted as 0.
  private var zeros = 0

  public init() {}

  mutating func add(_ value: Double) {
    let place = (log2(value) - Self.lowest) * Self.perDoubling
    guard value > 0, place >= 0 else {
      zeros += 1
      return
    }
    counts[min(Int(place), Self.bins - 1), default: 0] += 1
  }

  static func += (a: inout LogHistogram, b: LogHistogram) {
    a.counts.merge(b.counts, uniquingKeysWith: +)
    a.zeros += b.zeros
  }

  /// The value below which a share of the numbers lies; nil without numbers.
  /// - Parameter share: 0…1.
  public func quantile(_ share: Double) -> Double? {
    let total = zeros + counts.values.reduce(0, +)
    guard total > 0 else { return nil }
    var rank = Int((share * Double(total - 1)).rounded())
    if rank < zeros { return 0 }
    rank -= zeros
    for (bin, count) in counts.sorted(by: { $0.key < $1.key }) {
      if rank < count { return exp2(Self.lowest + (Double(bin) + 0.5) / Self.perDoubling) }
      rank -= count
    }
    return nil
  }
}
