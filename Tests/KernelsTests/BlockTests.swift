// Element-wise kernels, gemm, the pool and the hash against straightforward computations.

import CKernels
import Foundation
import Testing

@testable import Kernels

@Suite struct BlockTests {
  @Test func gemmAgreesWithNaiveLoopInAllOrientations() {
    var generator = SplitMix(state: 1)
    for (m, n, k) in [(1, 1, 1), (2, 3, 5), (17, 33, 8), (70, 64, 40), (33, 129, 65)] {
      let a = Matrix(rows: m, columns: k, values: generator.floats(m * k))
      let b = Matrix(rows: k, columns: n, values: generator.floats(k * n))
      var aT = Matrix(rows: k, columns: m)
      var bT = Matrix(rows: n, columns: k)
      for i in 0..<m { for j in 0..<k { aT[j, i] = a[i, j] } }
      for i in 0..<k { for j in 0..<n { bT[j, i] = b[i, j] } }
      let results = [
        a.times(b), aT.times(b, .transposed), a.times(bT, .asStored, .transposed),
        aT.times(bT, .transposed, .transposed),
      ]
      for i in 0..<m {
        for j in 0..<n {
          let wanted = (0..<k).reduce(0.0) { $0 + Double(a[i, $1]) * Double(b[$1, j]) }
          for result in results { #expect(abs(Double(result[i, j]) - wanted) < 1e-4) }
        }
      }
    }
  }

  @Test func softmaxSumsToOneAndAgreesWithDouble() {
    var generator = SplitMix(state: 2)
    for count in [1, 2, 3, 7, 16, 33, 257] {
      let x = generator.floats(count).map { $0 * 40 }
      var y = x
      softmax(&y, count: count)
      let largest = Double(x.max() ?? 0)
      let total = x.reduce(0.0) { $0 + exp(Double($1) - largest) }
      for (got, value) in zip(y, x) {
        let wanted = exp(Double(value) - largest) / total
        #expect(abs(Double(got) - wanted) <= 1e-6 * wanted + 1e-9)
      }
    }
  }

  @Test func divergenceAgreesWithDouble() {
    var generator = SplitMix(state: 12)
    for count in [1, 2, 3, 7, 16, 33, 511, 512, 513, 1500] {
      for (scale, change) in [(1, 1), (20, 20), (8, 0.01), (8, 1e-4), (100, 100)] as [(Float, Float)] {
        let p = generator.floats(count).map { $0 * scale + 30 }
        let q = zip(p, generator.floats(count)).map { $0 + $1 * change - 7 }
        func logSumExp(_ x: [Float]) -> Double {
          let largest = Double(x.max() ?? 0)
          return largest + log(x.reduce(0) { $0 + exp(Double($1) - largest) })
        }
        let (pSum, qSum) = (logSumExp(p), logSumExp(q))
        let wanted = zip(p, q).reduce(0.0) { sum, pair in
          let logP = Double(pair.0) - pSum
          return sum + exp(logP) * (logP - (Double(pair.1) - qSum))
        }
        #expect(abs(klDivergence(p, q, count: count) - wanted) <= 1e-6 * max(1, wanted))
        #expect(klDivergence(p, p, count: count) == 0)
      }
    }
  }

  @Test func siluAgreesWithDoubleAlsoFarOut() {
    let x: [Float] = [-200, -90, -20, -3, -1e-3, 0, 1e-3, 1, 5, 30, 90, 200]
    var gate = x
    activateMultiply(.silu, &gate, [Float](repeating: 2, count: x.count), count: x.count)
    for (got, value) in zip(gate, x) {
      let wanted = 2 * Double(value) / (1 + exp(-Double(value)))
      #expect(abs(Double(got) - wanted) <= 2e-6 * abs(wanted) + 1e-30)
    }
  }

  @Test func geluAgreesWithDoubleAlsoFarOut() {
    let x: [Float] = [-200, -20, -6, -3, -0.7, -1e-3, 0, 1e-3, 0.4, 1, 5, 30, 200]
    var gate = x
    activateMultiply(.geluTanh, &gate, [Float](repeating: 2, count: x.count), count: x.count)
    for (got, value) in zip(gate, x) {
      let v = Double(value)
      // 1 + tanh u as 2 / (1 + e^(−2u)), which keeps its digits for negative u.
      let wanted = 2 * v / (1 + exp(-2 * sqrt(2 / Double.pi) * (v + 0.044715 * v * v * v)))
      #expect(abs(Double(got) - wanted) <= 1e-5 * abs(wanted) + 1e-30)
    }
  }

  @Test func softCapAgreesWithDoubleAndKeepsNaN() {
    let x: [Float] = [-1e30, -400, -60, -19.9, -1, -1e-4, 0, 1e-4, 3, 20.1, 50, 1e9, .infinity]
    var y = x
    softCap(&y, cap: 50, count: x.count)
    for (got, value) in zip(y, x) {
      let wanted = 50 * tanh(Double(value) / 50)
      #expect(abs(Double(got) - wanted) <= 5e-7 * abs(wanted))
    }
    var nan: [Float] = [.nan, 1]
    softCap(&nan, cap: 30, count: 2)
    #expect(nan[0].isNaN && nan[1].isFinite)
  }

  @Test(arguments: [nil, 1, 3, 8, 100] as [Int?], [nil, 2] as [Float?])
  func attentionAgreesWithNaiveLoopAndNeverReadsBeforeItsWindow(window: Int?, cap: Float?) {
    var generator = SplitMix(state: 5)
    let sizes = [(6, 1), (16, 3), (80, 5), (64, 9)]
    let runs = [(0, 1), (0, 5), (7, 3), (0, 8), (5, 8), (3, 40), (90, 17)]
    for ((d, heads), (first, count)) in sizes.flatMap({ size in runs.map { (size, $0) } }) {
      let length = first + count
      let width = heads * d
      let q = generator.floats(count * width).map { $0 * 3 }
      var (k, v) = (generator.floats(length * d), generator.floats(length * d))
      let rule = CausalAttention.Rule(scale: 0.7, cap: cap, window: window)
      // Whatever lies before the first query's window would spoil every sum that it enters.
      for i in 0..<max(0, first + 1 - (window ?? length)) * d { (k[i], v[i]) = (.nan, .nan) }
      var out = [Float](repeating: 0, count: count * width)
      var scores = [Float](
        repeating: 0, count: CausalAttention.scratch(count: count, length: length, heads: heads))
      CausalAttention(
        queries: q, queryStride: width, keys: k, values: v, keyStride: d, firstPosition: first, d: d, heads: heads,
        rule: rule
      ).run(count: count, scores: &scores, into: &out)
      for (i, head) in (0..<count).flatMap({ i in (0..<heads).map { (i, $0) } }) {
        let query = i * width + head * d
        let seen = max(0, first + i + 1 - (window ?? length))...first + i
        let weights = seen.map { position -> Double in
          let score = 0.7 * (0..<d).reduce(0.0) { $0 + Double(q[query + $1]) * Double(k[position * d + $1]) }
          return exp(cap.map { Double($0) * tanh(score / Double($0)) } ?? score)
        }
        let total = weights.reduce(0, +)
        for j in 0..<d {
          let wanted = zip(seen, weights).reduce(0.0) { $0 + $1.1 / total * Double(v[$1.0 * d + j]) }
          #expect(abs(Double(out[query + j]) - wanted) < 1e-5)
        }
      }
    }
  }

  @Test func rmsNormAgreesWithDouble() {
    var generator = SplitMix(state: 3)
    let (x, weight) = (generator.floats(3 * 37), generator.floats(37))
    var out = [Float](repeating: 0, count: x.count)
    rmsNorm(x, count: 3, d: 37, weight: weight, epsilon: 1e-5, into: &out)
    for row in 0..<3 {
      let mean = (0..<37).reduce(0.0) { $0 + pow(Double(x[row * 37 + $1]), 2) } / 37
      for i in 0..<37 {
        let wanted = Double(x[row * 37 + i]) / sqrt(mean + 1e-5) * Double(weight[i])
        #expect(abs(Double(out[row * 37 + i]) - wanted) < 1e-5)
      }
    }
  }

  @Test func rmsNormHoldsWhereTheSquaresDoNot() {
    var generator = SplitMix(state: 3)
    let (x, weight) = (generator.floats(37), generator.floats(37))
    var (usual, large) = ([Float](repeating: 0, count: 37), [Float](repeating: 0, count: 37))
    rmsNorm(x, count: 1, d: 37, weight: weight, epsilon: 0, into: &usual)
    for factor: Float in [1e19, 1e30, 1e37] {
      rmsNorm(x.map { $0 * factor }, count: 1, d: 37, weight: weight, epsilon: 1e-5, into: &large)
      for i in 0..<37 { #expect(abs(large[i] - usual[i]) < 1e-5, "\(factor)") }
    }
  }

  @Test func rotationKeepsLengthsAndRelativeAngles() {
    var table = RotaryTable(theta: 10_000, headDimension: 8)
    table.cover(0..<64)
    var generator = SplitMix(state: 4)
    let (q, k) = (generator.floats(8), generator.floats(8))
    func product(_ i: Int, _ j: Int) -> Float {
      var (a, b) = (q, k)
      table.rotate(&a, heads: 1, position: i)
      table.rotate(&b, heads: 1, position: j)
      return dot(a, b, count: 8)
    }
    #expect(abs(product(0, 0) - dot(q, k, count: 8)) < 1e-6)
    let near = product(5, 2)
    #expect(abs(near - product(40, 37)) < 1e-4)
    // A table that begins later turns the same.
    table.cover(37..<41)
    #expect(abs(near - product(40, 37)) < 1e-4)
  }

  @Test func nonFiniteValuesAreCounted() {
    #expect(countNonFinite([1, .nan, -.infinity, 0, .greatestFiniteMagnitude], count: 5) == 2)
  }

  @Test func bf16RoundsToNearestEven() {
    let values: [Float] = [1, 1.00390625, 1.001953125, -3.14159, 0, 65504, 1e-30, .infinity]
    var packed = [UInt16](repeating: 0, count: values.count)
    ck_bf16_from_f32(values, &packed, Int64(values.count))
    // 1 + 2⁻⁸ lies halfway between 1 and 1 + 2⁻⁷: even wins.
    #expect(packed[0] == 0x3f80 && packed[1] == 0x3f80 && packed[2] == 0x3f80)
    var back = [Float](repeating: 0, count: values.count)
    ck_widen(CK_BF16, packed, &back, Int64(values.count))
    for (got, wanted) in zip(back, values) { #expect(got == wanted || abs(got - wanted) <= abs(wanted) / 256 + 1e-35) }
    var nan: [UInt16] = [0]
    ck_bf16_from_f32([Float(bitPattern: 0x7f80_0001)], &nan, 1)
    #expect(nan[0] & 0x7fff > 0x7f80)
  }

  @Test func everyThreadRunsOnceAndSharesCoverAll() {
    for count in [0, 1, 2, 5, 17, 100] {
      var owners = [Int](repeating: 0, count: count)
      owners.withUnsafeMutableBufferPointer { owners in
        nonisolated(unsafe) let owners = owners  // each thread writes its own share only
        Compute.parallel { thread, threads in
          for i in Compute.share(of: count, thread: thread, threads: threads, step: 4) { owners[i] += 1 }
        }
      }
      #expect(owners.allSatisfy { $0 == 1 })
    }
  }

  @Test func hashAgreesWithPublishedVectors() {
    func hex(_ text: String) -> String { Array(text.utf8).withUnsafeBytes { SHA256.hex(of: $0) } }
    #expect(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    var pieces = SHA256()
    for byte in Array("abc".utf8) { withUnsafeBytes(of: byte) { pieces.add($0) } }
    #expect(pieces.finish() == hex("abc"))
  }
}
