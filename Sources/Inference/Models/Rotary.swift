// How positions become angles: pair i of a head rotates by position · θ^(−2i/c), where c is the width of the head; for
// longer texts the frequencies are scaled. Source: modeling_rope_utils.py of Hugging Face transformers.

import Foundation

/// A rotary position embedding.
struct Rotary: Sendable, Equatable {
  /// How frequencies are scaled for positions beyond those of the first training.
  enum Scaling: Sendable, Equatable {
    case none
    /// All frequencies are divided by the factor.
    case linear(factor: Double)
    /// Slow frequencies are divided by the factor, fast ones are kept, and those between are blended.
    case llama3(factor: Double, lowFrequency: Double, highFrequency: Double, originalContext: Double)
    /// Each pair's frequency is divided by its number in GGUF's tensor rope_freqs.weight.
    case divisors([Float])
  }

  var theta: Double
  var scaling: Scaling = .none

  init(theta: Double, scaling: Scaling = .none) {
    (self.theta, self.scaling) = (theta, scaling)
  }

  /// The radians per position for each pair of a head of width `c`.
  func inverseFrequencies(headDimension c: Int) -> [Double] {
    let plain = (0..<c / 2).map { pow(theta, -2 * Double($0) / Double(c)) }
    switch scaling {
    case .none: return plain
    case .linear(let factor): return plain.map { $0 / factor }
    case .divisors(let divisors):
      precondition(divisors.count == plain.count, "\(divisors.count) divisors for \(plain.count) pairs")
      return zip(plain, divisors).map { $0 / Double($1) }
    case .llama3(let factor, let low, let high, let context):
      return plain.map { frequency in
        // The number of rotations that the pair makes over the original context decides.
        let turns = context * frequency / (2 * .pi)
        if turns < low { return frequency / factor }
        if turns > high { return frequency }
        let blend = (turns - low) / (high - low)
        return (1 - blend) * frequency / factor + blend * frequency
      }
    }
  }
}
