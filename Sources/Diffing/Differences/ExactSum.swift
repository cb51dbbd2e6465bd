// Sums that do not depend on their order: every term is rounded to a whole number of units of 2^-20, and whole numbers add
// exactly. So the sums of parts of a corpus, made on any machines in any order, add up to the bits of the sum of all of it.

import Foundation
import Kernels

/// A sum of many numbers below about 10^12, exact but for the rounding of each term to 10^-6.
public struct ExactSum: Sendable, Equatable, Codable {
  /// The sum in units of 1 / `unitsOfSum`.
  public private(set) var units: Int64 = 0

  public init() {}

  /// The sum.
  public var value: Double { Double(units) / unitsOfSum }

  /// Adds a finite number. A term or a sum beyond the range stays at its end.
  public mutating func add(_ term: Double) {
    units = saturating(units, Int64(clamping: term))
  }

  public static func += (sum: inout ExactSum, other: ExactSum) { sum.units = saturating(sum.units, other.units) }
}

/// Many sums that belong together, as whole numbers of units.
public struct ExactSums: Sendable, Equatable {
  public var units: [Int64]

  public init(count: Int) { units = [Int64](repeating: 0, count: count) }

  /// Adds finite numbers, one to each sum from a place on.
  mutating func add(_ terms: UnsafePointer<Float>, count: Int, at start: Int) {
    for i in 0..<count { units[start + i] = saturating(units[start + i], Int64(clamping: Double(terms[i]))) }
  }

  public static func += (sums: inout ExactSums, other: ExactSums) {
    precondition(sums.units.count == other.units.count, "sums of the same things")
    for i in sums.units.indices { sums.units[i] = saturating(sums.units[i], other.units[i]) }
  }

  /// One of the sums.
  public func value(_ index: Int) -> Double { Double(units[index]) / unitsOfSum }

  /// The sums divided by a count, which is not 0.
  func mean(_ range: Range<Int>, count: Int) -> [Float] {
    units[range].map { Float(Double($0) / unitsOfSum / Double(count)) }
  }
}

private func saturating(_ a: Int64, _ b: Int64) -> Int64 {
  let (sum, overflow) = a.addingReportingOverflow(b)
  return overflow ? (b > 0 ? .max : .min) : sum
}

extension Int64 {
  /// A number in units of 1 / `unitsOfSum`, to the nearest one.
  fileprivate init(clamping term: Double) {
    let scaled = (term * unitsOfSum).rounded()
    self = abs(scaled) < 9e18 ? Int64(scaled) : scaled > 0 ? .max : .min
  }
}

extension ExactSums: Codable {
  public init(from decoder: any Decoder) throws {
    let data = try decoder.singleValueContainer().decode(Data.self)
    units = data.withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map { Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)) }
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(units.withUnsafeBytes { Data($0) })
  }
}
