// Kernels of sparse dictionaries against naive loops in double.

import Kernels
import Testing

@Suite struct SparseTests {
  static let counts = [0, 1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100]

  private func numbers(_ count: Int, _ seed: Int) -> [Float] {
    (0..<count).map { Float(($0 * 7919 + seed * 104_729) % 2003 - 1001) / 97 }
  }

  @Test(arguments: counts) func sumsInDoubleAgree(count: Int) {
    let (a, b) = (numbers(count, 1), numbers(count, 2))
    let expected = zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    let bound = 1e-12 * (1 + zip(a, b).reduce(0.0) { $0 + abs(Double($1.0) * Double($1.1)) })
    #expect(abs(dotInDouble(a, b, count: count) - expected) <= bound)
    #expect(abs(dotInDouble(a, b.map(Double.init), count: count) - expected) <= bound)
    #expect(
      abs(squareSum(a, count: count) - a.reduce(0.0) { $0 + Double($1) * Double($1) }) <= 1e-12 * Double(count) * 120)
    var y = b.map(Double.init)
    addScaled(0.3, a, to: &y, count: count)
    for index in 0..<count { #expect(abs(y[index] - (Double(b[index]) + 0.3 * Double(a[index]))) < 1e-12) }
  }

  @Test(arguments: counts + [127, 128, 129, 300]) func rowsAddAsOneByOne(count: Int) {
    for rowCount in [0, 1, 2, 7, 40] {
      let rows = (0..<rowCount).map { numbers(count, 10 + $0) }
      var (expected, found) = (numbers(count, 9), numbers(count, 9))
      let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(1, rowCount * count))
      defer { memory.deallocate() }
      var scaled = ScaledRows()
      for (index, row) in rows.enumerated() {
        let scale = Float(index) * 0.37 - 1.1
        for (place, value) in row.enumerated() { memory[index * count + place] = value }
        addScaled(scale, row, to: &expected, count: count)
        scaled.append(scale, memory + index * count)
      }
      scaled.add(to: &found, count: count)
      #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
      let before = found
      scaled.add(to: &found, count: count)
      #expect(found == before)
    }
  }

  @Test(arguments: counts, [0, 1, 2, 5]) func rowsByIndexAgreeWithRowsAlone(count: Int, chosen: Int) {
    let rows = numbers(7 * count, 10)
    let b = numbers(4 * count, 11).map(Double.init)
    let indices = (0..<chosen).map { Int32(($0 * 3 + 2) % 7) }
    let scales = numbers(chosen, 12)
    var (dots, y) = ([Double](repeating: 0, count: chosen), numbers(count, 13).map(Double.init))
    var expected = y
    rows.withUnsafeBufferPointer { rows in
      // Where there are no columns there is no memory either.
      guard let start = rows.baseAddress else { return }
      indices.withUnsafeBufferPointer { indices in
        rowDotsInDouble(start, indices, b, width: count, into: &dots)
        addRows(start, indices, scales: scales, to: &y, width: count)
      }
      for (index, row) in indices.enumerated() {
        let row = start + Int(row) * count
        #expect(dots[index] == dotInDouble(row, b, count: count), "the same bits")
        addScaled(Double(scales[index]), row, to: &expected, count: count)
        var four = [0.0, 0, 0, 0]
        fourDotsInDouble(row, b, stride: count, count: count, into: &four)
        for part in 0..<4 {
          let wanted = (0..<count).reduce(0.0) { $0 + Double(row[$1]) * b[part * count + $1] }
          #expect(abs(four[part] - wanted) <= 1e-12 * Double(1 + count) * 120)
        }
      }
    }
    #expect(zip(y, expected).allSatisfy { abs($0 - $1) <= 1e-12 * 120 * 120 })
  }

  @Test(arguments: counts, [-1, 0, 3.5] as [Float]) func activeLatentsAreFoundInOrder(count: Int, bound: Float) {
    let (pre, bias) = (numbers(count, 3), numbers(count, 4))
    let norms = numbers(count, 5).map { abs($0) }
    var latents = [Int32](repeating: -1, count: max(1, count))
    var codes = [Float](repeating: -1, count: max(1, count))
    var scaled = codes
    let found = latents.withUnsafeMutableBufferPointer { latents in
      codes.withUnsafeMutableBufferPointer { codes in
        scaled.withUnsafeMutableBufferPointer { scaled -> Int in
          guard let latents = latents.baseAddress, let codes = codes.baseAddress, let scaled = scaled.baseAddress else {
            return -1
          }
          return collectActive(
            pre, bias: bias, norms: norms, count: count, bound: bound,
            into: ActiveColumns(latents: latents, codes: codes, scaled: scaled))
        }
      }
    }
    let expected = (0..<count).filter { pre[$0] + bias[$0] > 0 && (pre[$0] + bias[$0]) * norms[$0] > bound }
    #expect(latents.prefix(found).map { Int($0) } == expected)
    #expect(Array(codes.prefix(found)) == expected.map { pre[$0] + bias[$0] })
    #expect(Array(scaled.prefix(found)) == expected.map { (pre[$0] + bias[$0]) * norms[$0] })
  }

  @Test(arguments: [1, 5, 16, 33], [true, false]) func anAdamStepFollowsItsFormula(count: Int, hasGradient: Bool) {
    var (parameters, moment1) = (numbers(count, 6), numbers(count, 7).map { $0 / 100 })
    var moment2 = numbers(count, 8).map { abs($0) / 100 }
    let gradient = numbers(count, 9)
    let before = (parameters, moment1, moment2)
    AdamStep(step: 3, learningRate: 0.01, gradientScale: 0.5).apply(
      to: &parameters, moment1: &moment1, moment2: &moment2, gradient: hasGradient ? gradient : nil, count: count)
    for index in 0..<count {
      let g = hasGradient ? 0.5 * Double(gradient[index]) : 0
      let m = 0.9 * Double(before.1[index]) + 0.1 * g
      let v = 0.999 * Double(before.2[index]) + 0.001 * g * g
      let root = (v / (1 - 0.999 * 0.999 * 0.999)).squareRoot()
      let expected = Double(before.0[index]) - 0.01 * (m / (1 - 0.9 * 0.9 * 0.9)) / (root + 1e-8)
      #expect(abs(Double(parameters[index]) - expected) < 1e-5 * max(1, abs(expected)))
      #expect(abs(Double(moment1[index]) - m) < 1e-6 * max(1, abs(m)))
      #expect(abs(Double(moment2[index]) - v) < 1e-6 * max(1, abs(v)))
    }
  }

  @Test(arguments: [0, 1, 7, 64, 1000]) func piecesCoverEverythingOnce(count: Int) {
    var seen = [Int](repeating: 0, count: max(1, count))
    seen.withUnsafeMutableBufferPointer { seen in
      inPieces(of: 13, count: count) { piece in for index in piece { seen[index] += 1 } }
    }
    #expect(seen.prefix(count).allSatisfy { $0 == 1 })
  }
}
