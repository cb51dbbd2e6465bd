// The packed products against a naive loop in Double, at every processor level, for small and odd shapes.

import CKernels
import Testing

@testable import Kernels

/// Random weights in a GGUF layout together with their exact values.
struct RandomWeights {
  var bytes: [UInt8] = []
  var values: [Double] = []

  init(_ type: WeightType, rows: Int, columns: Int, using generator: inout SplitMix) {
    for _ in 0..<rows {
      for _ in 0..<columns / type.blockColumns { appendBlock(type, &generator) }
    }
  }

  private mutating func append(_ half: Float16) {
    withUnsafeBytes(of: half.bitPattern) { bytes.append(contentsOf: $0) }
  }

  private mutating func appendBlock(_ type: WeightType, _ generator: inout SplitMix) {
    switch type {
    case .f32:
      let value = generator.float()
      withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
      values.append(Double(value))
    case .bf16:
      let bits = UInt16(truncatingIfNeeded: generator.float().bitPattern >> 16)
      withUnsafeBytes(of: bits) { bytes.append(contentsOf: $0) }
      values.append(Double(Float(bitPattern: UInt32(bits) << 16)))
    case .f16:
      let half = Float16(generator.float())
      append(half)
      values.append(Double(half))
    case .q8_0:
      let d = Float16(generator.float() / 64)
      append(d)
      for _ in 0..<32 {
        let q = Int8(truncatingIfNeeded: generator.next())
        bytes.append(UInt8(bitPattern: q))
        values.append(Double(d) * Double(q))
      }
    case .q4_1:
      let (d, m) = (Float16(generator.float() / 8), Float16(generator.float()))
      append(d)
      append(m)
      let q = (0..<16).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      bytes.append(contentsOf: q)
      values.append(contentsOf: q.map { Double(d) * Double($0 & 15) + Double(m) })
      values.append(contentsOf: q.map { Double(d) * Double($0 >> 4) + Double(m) })
    }
  }
}

struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  mutating func float() -> Float { Float.random(in: -1...1, using: &self) }
  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }
}

@Suite(.serialized) struct PackedMatrixTests {
  static let levels: [Int32] = [0, 1, 2]

  @Test(arguments: WeightType.allCases, levels)
  func productsAgreeWithNaiveLoop(type: WeightType, level: Int32) {
    ck_limit_level(level)
    defer { ck_limit_level(-1) }
    var generator = SplitMix(state: UInt64(type.rawValue) + 7)
    let widths = type.blockColumns == 1 ? [1, 2, 3, 5, 8, 31, 64] : [32, 64, 96]
    for rows in [1, 2, 5, 15, 16, 17, 40] {
      for columns in widths {
        let weights = RandomWeights(type, rows: rows, columns: columns, using: &generator)
        let packed = weights.bytes.withUnsafeBytes { PackedMatrix(type, rows: rows, columns: columns, source: $0) }
        for (got, wanted) in zip(packed.unpacked().values, weights.values) {
          #expect(abs(Double(got) - wanted) <= 1e-6 * max(1, abs(wanted)))
        }
        for count in [1, 2, 3, 8, 9, 33] {
          let x = generator.floats(count * columns)
          let before = generator.floats(count * rows)
          for accumulate in [false, true] {
            var y = before
            packed.multiply(x, count: count, into: &y, accumulate: accumulate)
            for t in 0..<count {
              for r in 0..<rows {
                var wanted = accumulate ? Double(before[t * rows + r]) : 0
                var size = 1.0
                for c in 0..<columns {
                  let term = weights.values[r * columns + c] * Double(x[t * columns + c])
                  wanted += term
                  size += abs(term)
                }
                let got = Double(y[t * rows + r])
                #expect(abs(got - wanted) <= 2e-6 * size, "\(type) level \(level) \(rows)×\(columns) ×\(count)")
              }
            }
          }
        }
      }
    }
  }

  @Test(arguments: WeightType.allCases, levels)
  func aStreamsResultDoesNotDependOnCompany(type: WeightType, level: Int32) {
    ck_limit_level(level)
    defer { ck_limit_level(-1) }
    var generator = SplitMix(state: 3)
    let (rows, columns) = (48, 96)
    let weights = RandomWeights(type, rows: rows, columns: columns, using: &generator)
    let packed = weights.bytes.withUnsafeBytes { PackedMatrix(type, rows: rows, columns: columns, source: $0) }
    let x = generator.floats(8 * columns)
    for count in 1...8 {
      var together = [Float](repeating: 0, count: count * rows)
      packed.multiply(x, count: count, into: &together)
      for t in 0..<count {
        var alone = [Float](repeating: 0, count: rows)
        packed.multiply(Array(x[t * columns..<(t + 1) * columns]), count: 1, into: &alone)
        #expect(alone == Array(together[t * rows..<(t + 1) * rows]))
      }
    }
  }

  @Test func rowOrderPermutesRows() {
    var generator = SplitMix(state: 5)
    let matrix = Matrix(rows: 20, columns: 6, values: generator.floats(120))
    let order = (0..<20).map { Int32(19 - $0) }
    let packed = matrix.values.withUnsafeBytes {
      PackedMatrix(.f32, rows: 20, columns: 6, source: $0, rowOrder: order)
    }
    let unpacked = packed.unpacked()
    for row in 0..<20 { #expect(Array(unpacked.row(row)) == Array(matrix.row(19 - row))) }
  }
}
