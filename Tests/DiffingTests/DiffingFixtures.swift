// What several tests of Diffing need: fixtures, temporary folders, seeded numbers, comparison.

import Diffing
import Foundation
import Inference
import Kernels
import Testing

/// A folder among the copied reference files.
func fixture(_ name: String) throws -> String {
  try #require(Bundle.module.resourceURL?.appendingPathComponent("Fixtures/\(name)").path)
}

extension SplitMix64 {
  /// Roughly normal: the sum of twelve uniform numbers.
  private mutating func nearlyNormal() -> Float { Float((0..<12).reduce(0.0) { sum, _ in sum + uniform() } - 6) }

  mutating func normals(_ count: Int) -> [Float] { (0..<count).map { _ in nearlyNormal() } }
}

/// A crosscoder with seeded weights.
func randomCrosscoder(
  d: Int, F: Int, seed: UInt64, threshold: Float? = nil, normalization: CodeNormalization = .crosscoder,
  normaliser: InputNormaliser? = nil
) -> Crosscoder {
  var generator = SplitMix64(seed: seed)
  return Crosscoder(
    encoder: Matrix(rows: F, columns: 2 * d, values: generator.normals(F * 2 * d)),
    encoderBias: generator.normals(F),
    decoder: Matrix(rows: F, columns: 2 * d, values: generator.normals(F * 2 * d)),
    decoderBias: generator.normals(2 * d), codeNormalization: normalization, k: threshold == nil ? nil : 4,
    threshold: threshold, normaliser: normaliser)
}

func randomActivations(tokens: Int, d: Int, seed: UInt64) -> PairedActivations {
  var generator = SplitMix64(seed: seed)
  return PairedActivations(dModel: d, values: generator.normals(tokens * 2 * d))
}

/// max|a − b| / max|b|, over values that are present in both; infinite if they are missing in different places.
func relativeDifference(_ found: [Double?], _ expected: [Double?]) -> Double {
  guard found.count == expected.count else { return .infinity }
  var (difference, largest) = (0.0, 0.0)
  for (a, b) in zip(found, expected) {
    switch (a, b) {
    case (.none, .none): continue
    case (.some(let a), .some(let b)):
      difference = max(difference, abs(a - b))
      largest = max(largest, abs(b))
    default: return .infinity
    }
  }
  return largest > 0 ? difference / largest : difference
}

func relativeDifference(_ found: [Float], _ expected: [Float]) -> Double {
  relativeDifference(found.map { Double($0) }, expected.map { Double($0) })
}

/// The largest |a − b| / |b| of any pair; infinite if they are missing in different places.
func largestRelativeDifference(_ found: [Double?], _ expected: [Double?]) -> Double {
  guard found.count == expected.count else { return .infinity }
  var largest = 0.0
  for (a, b) in zip(found, expected) {
    switch (a, b) {
    case (.none, .none): continue
    case (.some(let a), .some(let b)): largest = max(largest, a == b ? 0 : abs(a - b) / abs(b))
    default: return .infinity
    }
  }
  return largest
}

extension [Float] {
  var doubles: [Double?] { map { Double($0) } }
}
