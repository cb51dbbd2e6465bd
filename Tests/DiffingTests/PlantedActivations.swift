// Activations with a known dictionary inside, for tests of training.

import Diffing
import Inference

/// Sparse sums of planted directions: 0–7 in both models, 8–11 in chat alone, 12–15 in base alone.
struct Planted {
  let d = 24
  let directions: [[Float]]
  var generator: SplitMix64

  init(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    directions = (0..<16).map { _ in
      let vector = generator.normals(24)
      let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return vector.map { $0 / norm }
    }
    self.generator = generator
  }

  static func isIn(_ planted: Int, _ model: PairModel) -> Bool {
    planted < 8 || (planted < 12) == (model == .chat)
  }

  mutating func batch(_ tokens: Int) -> PairedActivations {
    var values = [Float](repeating: 0, count: tokens * 2 * d)
    for token in 0..<tokens {
      for planted in 0..<16 where generator.uniform() < 0.12 {
        let strength = Float(1 + generator.uniform())
        for model in PairModel.allCases where Self.isIn(planted, model) {
          for index in 0..<d {
            values[(2 * token + model.index) * d + index] += strength * directions[planted][index]
          }
        }
      }
    }
    return PairedActivations(dModel: d, values: values)
  }
}
