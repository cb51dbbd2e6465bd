// Every quantised type against the gguf package's dequantisation, bit for bit (Fixtures/make_quants.py): single rows, and
// what each product reads, by multiplying with the identity.

import CKernels
import TestSupport
import Testing

@testable import Inference
@testable import Kernels

@Suite(.serialized) struct QuantisedTypeTests {
  let file: GGUFFile
  let reference: SafetensorsFile

  init() throws {
    file = try GGUFFile(path: fixturePath("quants.gguf"))
    reference = try SafetensorsFile(path: fixturePath("quants.safetensors"))
  }

  private static let names = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]

  private func weights(_ name: String) throws -> WeightMatrix {
    let tensor = try file.tensor(named: name)
    let type = try #require(GGUFWeights.types[tensor.type])
    return WeightMatrix(
      type, rows: tensor.rows, columns: tensor.columns, source: tensor.bytes, owner: tensor.file)
  }

  @Test(arguments: names) func rowsAreBitIdentical(name: String) throws {
    let got = try weights(name).unpacked().values
    #expect(got.map(\.bitPattern) == (try reference.floats(named: name)).map(\.bitPattern))
  }

  /// 1 · w plus zeros is w: whatever else a product does, it must have read the same weights.
  @Test(arguments: names, [Int32(0), 1, 3]) func productsReadTheSameWeights(name: String, level: Int32) throws {
    ck_limit_level(level)
    defer { ck_limit_level(-1) }
    let weights = try weights(name)
    let wanted = try reference.floats(named: name)
    let (rows, columns) = (weights.rows, weights.columns)
    for count in [1, 64] {
      for first in stride(from: 0, to: columns, by: 64) {
        var identity = [Float](repeating: 0, count: count * columns)
        for i in 0..<count { identity[i * columns + first + i] = 1 }
        var y = [Float](repeating: 0, count: count * rows)
        weights.multiply(identity, count: count, into: &y)
        for i in 0..<count {
          for r in 0..<rows { #expect(y[i * rows + r] == wanted[r * columns + first + i]) }
        }
      }
    }
  }
}
