// Products of weights against a naive loop in Double, of every type at every processor level, for small and odd shapes.

import CKernels
import Testing

@testable import Kernels

@Suite(.serialized) struct WeightMatrixTests {
  static let levels: [Int32] = [0, 1, 2, 3, 4]

  static func widths(_ type: WeightType) -> [Int] {
    switch type.blockColumns {
    case 1: [1, 2, 3, 5, 8, 31, 64]
    case 32: [32, 64, 96]
    default: [256, 512]
    }
  }

  private func atLevel(_ level: Int32, _ body: () throws -> Void) rethrows {
    ck_limit_level(level)
    defer { ck_limit_level(-1) }
    try body()
  }

  private func matrix(_ weights: RandomWeights, _ type: WeightType, _ rows: Int, _ columns: Int) -> WeightMatrix {
    weights.bytes.withUnsafeBytes { WeightMatrix(type, rows: rows, columns: columns, source: $0) }
  }

  @Test(arguments: WeightType.allCases)
  func unpackingIsExact(type: WeightType) {
    var generator = SplitMix(state: UInt64(type.rawValue) + 1)
    for (rows, columns) in [(1, Self.widths(type)[0]), (17, Self.widths(type)[1]), (40, Self.widths(type)[1])] {
      let weights = RandomWeights(type, rows: rows, columns: columns, using: &generator)
      #expect(matrix(weights, type, rows, columns).unpacked().values == weights.values.map(Float.init))
    }
  }

  @Test(arguments: WeightType.allCases, levels)
  func productsAgreeWithNaiveLoop(type: WeightType, level: Int32) {
    var generator = SplitMix(state: UInt64(type.rawValue) + 7)
    atLevel(level) {
      for rows in [1, 17, 40] {
        for columns in Self.widths(type) {
          let weights = RandomWeights(type, rows: rows, columns: columns, using: &generator)
          let matrix = matrix(weights, type, rows, columns)
          for count in [1, 3, 8, 9, 33] {
            let x = generator.floats(count * columns)
            let before = generator.floats(count * rows)
            for (accumulate, precision) in [(false, Precision.exact), (true, .exact), (false, .fast), (true, .fast)] {
              var y = before
              matrix.multiply(x, count: count, into: &y, accumulate: accumulate, precision: precision)
              expect(
                y, weights, x, rows: rows, columns: columns, before: accumulate ? before : nil, precision,
                isQuantised: type.isQuantised,
                "\(type) level \(level) \(rows)×\(columns) ×\(count) \(precision)")
            }
          }
        }
      }
    }
  }

  /// Integer sums are exact, so that every processor level adds the same numbers in the same order.
  @Test(arguments: WeightType.allCases.filter(\.isQuantised))
  func fastProductsHaveTheSameBitsAtEveryLevel(type: WeightType) {
    var generator = SplitMix(state: UInt64(type.rawValue) + 63)
    let (rows, columns) = (40, Self.widths(type)[1])
    let weights = RandomWeights(type, rows: rows, columns: columns, using: &generator)
    for count in [1, 8, 9, 16, 23, 300] {
      let x = generator.floats(count * columns)
      let products = Self.levels.map { level in
        var y = [Float](repeating: 0, count: count * rows)
        atLevel(level) { matrix(weights, type, rows, columns).multiply(x, count: count, into: &y, precision: .fast) }
        return y.map(\.bitPattern)
      }
      for (level, product) in zip(Self.levels, products) {
        #expect(product == products[0], "\(type), \(count) rows, level \(level)")
      }
    }
  }

  @Test(arguments: [WeightType.f32, .bf16, .q4_1])
  func fewRowsOfWeightsWithManyActivations(type: WeightType) {
    var generator = SplitMix(state: 31)
    let (rows, columns, count) = (16, 64, 150)
    let weights = RandomWeights(type, rows: rows, columns: columns, using: &generator)
    let (x, before) = (generator.floats(count * columns), generator.floats(count * rows))
    var y = before
    matrix(weights, type, rows, columns).multiply(x, count: count, into: &y, accumulate: true)
    expect(
      y, weights, x, rows: rows, columns: columns, before: before, .exact, isQuantised: type.isQuantised, "\(type)")
  }

  /// Within rounding of fp32, and in fast mode of activations to 16 bits (8 of mantissa for bf16).
  private func expect(
    _ y: [Float], _ weights: RandomWeights, _ x: [Float], rows: Int, columns: Int, before: [Float]?,
    _ precision: Precision, isQuantised: Bool, _ what: String
  ) {
    for t in 0..<x.count / columns {
      let largest = Double(x[t * columns..<(t + 1) * columns].map(abs).max() ?? 0)
      for r in 0..<rows {
        var wanted = before.map { Double($0[t * rows + r]) } ?? 0
        var (size, reach) = (1.0, 0.0)
        for c in 0..<columns {
          let (weight, value) = (weights.values[r * columns + c], Double(x[t * columns + c]))
          wanted += weight * value
          size += abs(weight * value)
          reach += abs(weight)
        }
        let step = isQuantised ? reach * largest / 65534 : size / 256
        let rounding = precision == .fast ? step : 0
        #expect(abs(Double(y[t * rows + r]) - wanted) <= 3e-6 * size + rounding, "\(what)")
      }
    }
  }

  @Test(arguments: WeightType.allCases.filter(\.isQuantised))
  func integerProductsAreWithinHalfAStep(type: WeightType) {
    var generator = SplitMix(state: 11)
    let (rows, columns) = (32, 512)
    let weights = RandomWeights(type, rows: rows, columns: columns, using: &generator)
    let x = generator.floats(columns)
    var y = [Float](repeating: 0, count: rows)
    matrix(weights, type, rows, columns).multiply(x, count: 1, into: &y, precision: .fast)
    let largest = Double(x.map(abs).max() ?? 0)
    for r in 0..<rows {
      let terms = (0..<columns).map { weights.values[r * columns + $0] * Double(x[$0]) }
      let reach = (0..<columns).reduce(0) { $0 + abs(weights.values[r * columns + $1]) }
      #expect(abs(Double(y[r]) - terms.reduce(0, +)) <= reach * largest / 65534 + 1e-5)
    }
  }

  @Test(arguments: WeightType.allCases.filter(\.isQuantised))
  func integerProductsAreTheSameOnEveryLevel(type: WeightType) {
    var generator = SplitMix(state: 5)
    let (rows, columns, count) = (40, 512, 13)
    let matrix = matrix(RandomWeights(type, rows: rows, columns: columns, using: &generator), type, rows, columns)
    let x = generator.floats(count * columns)
    var results: [[Float]] = []
    for level in Self.levels {
      atLevel(level) {
        var y = [Float](repeating: 0, count: count * rows)
        matrix.multiply(x, count: count, into: &y, precision: .fast)
        results.append(y)
      }
    }
    for (level, result) in zip(Self.levels, results) {
      let isSame = result == results[0]
      #expect(isSame, "level \(level)")
    }
  }

  @Test(arguments: WeightType.allCases, levels)
  func aStreamsResultDoesNotDependOnCompany(type: WeightType, level: Int32) {
    var generator = SplitMix(state: 3)
    let (rows, columns) = (48, Self.widths(type).last ?? 0)
    let matrix = matrix(RandomWeights(type, rows: rows, columns: columns, using: &generator), type, rows, columns)
    // Integer products at any number, the others as long as decoding's kernels serve.
    for (precision, counts) in [
      (Precision.exact, [1, 3, 8, 13]), (.fast, type.isQuantised ? [1, 3, 8, 13, 77] : [1, 3, 8, 13]),
    ] {
      let x = generator.floats(77 * columns)
      atLevel(level) {
        for count in counts {
          var together = [Float](repeating: 0, count: count * rows)
          matrix.multiply(x, count: count, into: &together, precision: precision)
          for t in 0..<count {
            var alone = [Float](repeating: 0, count: rows)
            matrix.multiply(
              Array(x[t * columns..<(t + 1) * columns]), count: 1, into: &alone, precision: precision)
            let isSame = alone == Array(together[t * rows..<(t + 1) * rows])
            #expect(isSame, "row \(t) of \(count)")
          }
        }
      }
    }
  }

  @Test(arguments: levels)
  func extremeActivationsStayHarmless(level: Int32) {
    var generator = SplitMix(state: 9)
    let matrix = matrix(RandomWeights(.q4_1, rows: 16, columns: 32, using: &generator), .q4_1, 16, 32)
    atLevel(level) {
      for value in [Float(0), .leastNonzeroMagnitude * 100, .leastNonzeroMagnitude, 3e38, -3e38] {
        var y = [Float](repeating: 7, count: 16)
        matrix.multiply([Float](repeating: value, count: 32), count: 1, into: &y, precision: .fast)
        if abs(value) < 1e-30 { #expect(y.allSatisfy { abs($0) < 1e-30 }) }
      }
      // What is not a number must stay recognisable, in its own row only.
      for value in [Float.nan, .infinity, -.infinity] {
        var x = [Float](repeating: 1, count: 64)
        x[5] = value
        var y = [Float](repeating: 7, count: 32)
        matrix.multiply(x, count: 2, into: &y, precision: .fast)
        #expect(y[..<16].allSatisfy { $0.isNaN } && y[16...].allSatisfy { $0.isFinite })
      }
    }
  }

  @Test func severalProductsOfTheSameActivations() {
    var generator = SplitMix(state: 21)
    let kinds: [(WeightType, Int)] = [(.q4_1, 48), (.q8_0, 17), (.f32, 5), (.bf16, 33)]
    let matrices = kinds.map { type, rows in
      matrix(RandomWeights(type, rows: rows, columns: 64, using: &generator), type, rows, 64)
    }
    for (count, precision) in [(1, Precision.exact), (40, .exact), (1, .fast), (40, .fast)] {
      let x = generator.floats(count * 64)
      let outputs = matrices.map { UnsafeMutablePointer<Float>.allocate(capacity: count * $0.rows) }
      Product.run(zip(matrices, outputs).map { Product($0, into: $1) }, x, count: count, precision: precision)
      for (matrix, output) in zip(matrices, outputs) {
        var alone = [Float](repeating: 0, count: count * matrix.rows)
        matrix.multiply(x, count: count, into: &alone, precision: precision)
        // OpenBLAS rounds otherwise when it is given other shapes.
        let largest = zip(alone, UnsafeBufferPointer(start: output, count: alone.count))
          .reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(largest <= (count > WeightMatrix.fewRows ? 1e-4 : 0))
        output.deallocate()
      }
    }
  }

  /// Written by one thread before any other sees it, and only read from then on.
  private final class Bytes: Sendable {
    nonisolated(unsafe) let start: UnsafeMutableRawPointer
    init(_ count: Int) { start = .allocate(byteCount: count, alignment: 64) }
    deinit { start.deallocate() }
  }

  @Test(arguments: WeightType.allCases.filter { !$0.isQuantised }, levels)
  func rowsInPlaceMayLieAnywhere(type: WeightType, level: Int32) {
    var generator = SplitMix(state: 41)
    let (rows, columns) = (33, 31)
    let weights = RandomWeights(type, rows: rows, columns: columns, using: &generator)
    let copied = matrix(weights, type, rows, columns)
    let bytes = Bytes(weights.bytes.count + 1)
    let source = UnsafeMutableRawBufferPointer(start: bytes.start + 1, count: weights.bytes.count)
    source.copyBytes(from: weights.bytes)
    let inPlace = WeightMatrix(
      type, rows: rows, columns: columns, source: UnsafeRawBufferPointer(source), owner: bytes)
    atLevel(level) {
      for (count, precision) in [(1, Precision.exact), (40, .exact), (40, .fast)] {
        let x = generator.floats(count * columns)
        let results = [copied, inPlace].map { matrix in
          var y = [Float](repeating: 0, count: count * rows)
          matrix.multiply(x, count: count, into: &y, precision: precision)
          return y
        }
        let isSame = results[0] == results[1]
        #expect(isSame, "\(type) ×\(count) \(precision)")
      }
    }
  }

  @Test(arguments: [WeightType.f32, .q8_0])
  func rowOrderPermutesRows(type: WeightType) {
    var generator = SplitMix(state: 5)
    let weights = RandomWeights(type, rows: 20, columns: 32, using: &generator)
    let order = (0..<20).map { Int32(19 - $0) }
    let plain = matrix(weights, type, 20, 32).unpacked()
    let permuted = weights.bytes.withUnsafeBytes {
      WeightMatrix(type, rows: 20, columns: 32, source: $0, rowOrder: order)
    }.unpacked()
    for row in 0..<20 { #expect(Array(permuted.row(row)) == Array(plain.row(19 - row))) }
  }
}
