// Directions made from texts, and what they are made of, against plain loops.

import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@testable import Diffing

@Suite struct DirectionTests {
  private let models: PairedModels
  private let texts: [ReadPositions]

  init() throws {
    let pair = try Difference.withAdapter()
    models = PairedModels(chat: pair.chat, base: pair.base, adapter: pair.adapter)
    texts = try Difference.texts().compactMap { ReadPositions(ids: $0, counting: .all) }
  }

  private func streams(_ layer: Int) throws -> [PairedActivations] {
    try texts.map { try Harvester(models: models, layer: layer).activations(of: [$0.ids])[0] }
  }

  @Test(arguments: ReadStream.allCases) func aMeanCountsEveryTextOnce(_ stream: ReadStream) throws {
    let (first, second) = (Array(texts[..<5]), Array(texts[5...]))
    var seen: [Int] = []
    let found = try MeanDifference(
      of: first, against: second, stream, harvester: Harvester(models: models, layer: 1), progress: { seen.append($0) })
    let rows = try streams(1).map { text -> [Double] in
      var sum = [Double](repeating: 0, count: text.dModel)
      for token in 1..<text.tokens {
        let (base, chat) = (
          Array(text.vector(token: token, model: .base)), Array(text.vector(token: token, model: .chat))
        )
        for index in sum.indices {
          let (b, c) = (Double(base[index]), Double(chat[index]))
          sum[index] += stream == .base ? b : stream == .chat ? c : c - b
        }
      }
      return sum.map { $0 / Double(text.tokens - 1) }
    }
    func mean(_ rows: some Collection<[Double]>, _ index: Int) -> Double {
      rows.reduce(0) { $0 + $1[index] } / Double(rows.count)
    }
    let naive = rows[0].indices.map { mean(rows[..<5], $0) - mean(rows[5...], $0) }
    #expect(relativeDifference(found.vector, naive.map { Float($0) }) < 1e-5)
    #expect(found.positive.mean - found.negative.mean > 0)
    #expect(seen.last == texts.count && seen == seen.sorted())
  }

  @Test func componentsAreEigenvectorsOfTheCovariance() throws {
    let found = try PrincipalComponents(
      3, of: texts, .difference, harvester: Harvester(models: models, layer: 2), progress: { _ in })
    var rows: [[Double]] = []
    for (text, activations) in zip(texts, try streams(2)) {
      for token in Harvester.keptPositions(of: [activations])[0] where text.positions.contains(token) {
        let (base, chat) = (
          activations.vector(token: token, model: .base), activations.vector(token: token, model: .chat)
        )
        rows.append(zip(chat, base).map { Double($0) - Double($1) })
      }
    }
    let (n, d) = (rows.count, rows[0].count)
    #expect(found.tokens == n && n > d / 4)
    let mean = (0..<d).map { index in rows.reduce(0) { $0 + $1[index] } / Double(n) }
    func times(_ v: [Float]) -> [Double] {
      var result = [Double](repeating: 0, count: d)
      for row in rows {
        let product = (0..<d).reduce(0.0) { $0 + (row[$1] - mean[$1]) * Double(v[$1]) }
        for index in 0..<d { result[index] += product * (row[index] - mean[index]) / Double(n - 1) }
      }
      return result
    }
    var whole = 0.0
    for row in rows { for index in 0..<d { whole += (row[index] - mean[index]) * (row[index] - mean[index]) } }
    for component in found.components {
      let value = component.deviation * component.deviation
      let image = times(component.vector)
      #expect(zip(image, component.vector).allSatisfy { abs($0 - value * Double($1)) < 1e-4 * value })
      #expect(abs(component.share - value * Double(n - 1) / whole) < 1e-5)
      #expect((component.vector.max { abs($0) < abs($1) } ?? 0) > 0)
    }
    #expect(found.components.map(\.deviation) == found.components.map(\.deviation).sorted(by: >))
  }

  @Test func textsWithoutVarianceAreRefused() throws {
    let two = [texts[0], texts[0]].map { ReadPositions(ids: $0.ids, counting: .last) }.compactMap { $0 }
    let harvester = Harvester(models: models, layer: 1)
    #expect(throws: DiffingError.self) {
      try PrincipalComponents(1, of: two, .chat, harvester: harvester, progress: { _ in })
    }
    #expect(throws: DiffingError.self) {
      try PrincipalComponents(1, of: [two[0]], .chat, harvester: harvester, progress: { _ in })
    }
  }

  @Test func theTokensThatCount() {
    #expect(ReadPositions(ids: [5, 6, 7], counting: .all)?.positions == [1, 2])
    #expect(ReadPositions(ids: [5, 6, 7], counting: .last)?.positions == [2])
    #expect(ReadPositions(ids: [5, 6, 7], answer: 1..<2, counting: .answer)?.positions == [1])
    #expect(ReadPositions(ids: [5, 6, 7], answer: nil, counting: .answer) == nil)
    #expect(ReadPositions(ids: [5], counting: .all) == nil && ReadPositions(ids: [], counting: .last) == nil)
  }

  @Test func aSumOfLatentsIsFoundAgain() {
    let crosscoder = randomCrosscoder(d: 48, F: 60, seed: 5)
    var vector = [Float](repeating: 0, count: 48)
    for (latent, weight) in [(7, 2.0), (31, 1.0), (50, 0.5)] {
      for (index, value) in crosscoder.decoderDirection(latent, .chat).enumerated() {
        vector[index] += Float(weight / crosscoder.chatNorms[latent]) * value
      }
    }
    let parts = DirectionParts(vector, over: Array(0..<60), of: crosscoder, limit: 6)
    #expect(parts.parts.first?.latent == 7 && Set(parts.parts.map(\.latent)).isSuperset(of: [7, 31, 50]))
    #expect(parts.explained > 0.999 && parts.parts.allSatisfy { $0.weight > 0 })
    #expect(parts.parts.map(\.explained) == parts.parts.map(\.explained).sorted())
    let length = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let weight = parts.parts.first { $0.latent == 7 }?.weight ?? 0
    #expect(abs(weight * length - 2) < 0.05)
    // The opposite of a latent's direction has no part of that latent.
    let opposite = DirectionParts(
      crosscoder.decoderDirection(7, .chat).map { -$0 }, over: [7, 8], of: crosscoder, limit: 4)
    #expect(!opposite.parts.contains { $0.latent == 7 })
    let chance = DirectionParts.explainedByChance(over: Array(0..<60), of: crosscoder, limit: 3)
    #expect(chance > 0 && chance < 0.8)
  }

  @Test func leastSquaresWithoutNegativeWeightsMeetTheirConditions() {
    var generator = SplitMix64(seed: 3)
    for n in 1...8 {
      let units = (0..<n).map { _ -> [Double] in
        let row = (0..<10).map { _ in generator.normal() }
        let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return row.map { $0 / norm }
      }
      let v = (0..<10).map { _ in generator.normal() }
      let weights = nonNegativeLeastSquares(units, v)
      var left = v
      for (weight, unit) in zip(weights, units) { for index in 0..<10 { left[index] -= weight * unit[index] } }
      for (weight, unit) in zip(weights, units) {
        let gradient = zip(unit, left).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(weight >= 0 && (weight > 0 ? abs(gradient) < 1e-9 : gradient < 1e-9))
      }
    }
  }

  @Test func eigenvectorsOfSmallMatrices() throws {
    for n in 0...6 {
      var generator = SplitMix64(seed: UInt64(n))
      var matrix = [Double](repeating: 0, count: n * n)
      for row in 0..<n { for column in 0...row { matrix[row * n + column] = generator.normal() } }
      func full(_ row: Int, _ column: Int) -> Double { matrix[max(row, column) * n + min(row, column)] }
      let found = try #require(eigenvectors(ofSymmetric: matrix, n: n))
      #expect(found.count == n && found.map(\.value) == found.map(\.value).sorted(by: >))
      for (value, vector) in found {
        for row in 0..<n {
          let image = (0..<n).reduce(0.0) { $0 + full(row, $1) * vector[$1] }
          #expect(abs(image - value * vector[row]) < 1e-9)
        }
      }
    }
    #expect(eigenvectors(ofSymmetric: [.nan], n: 1) == nil)
  }
}
