// How positions become angles: pair i of a head turns by position · θ^(−2i/c), c the head's width, scaled for longer texts.
// Owns: the formulas. Refuses: nothing; the scalings that do not exist here are refused where they are read.
// Source: modeling_rope_utils.py of Hugging Face transformers.

import Foundation

/// A rotary position embedding.
public struct Rotary: Sendable, Equatable {
  /// What stretches positions beyond those of the first training.
  public enum Scaling: Sendable, Equatable {
    case none
    /// All frequencies divided by the factor.
    case linear(factor: Double)
    /// Slow frequencies divided by the factor, fast ones kept, those between blended.
    case llama3(factor: Double, lowFrequency: Double, highFrequency: Double, originalContext: Double)
    /// What each pair's frequency is divided by, as GGUF's tensor rope_freqs.weight holds it.
    case divisors([Float])
  }

  public var theta: Double
  public var scaling: Scaling = .none

  public init(theta: Double, scaling: Scaling = .none) {
    (self.theta, self.scaling) = (theta, scaling)
  }

  /// Radians a position for each pair of a head `c` wide.
  public func inverseFrequencies(headDimension c: Int) -> [Double] {
    let plain = (0..<c / 2).map { pow(theta, -2 * Double($0) / Double(c)) }
    switch scaling {
    case .none: return plain
    case .linear(let factor): return plain.map { $0 / factor }
    case .divisors(let divisors):
      precondition(divisors.count == plain.count, "\(divisors.count) divisors for \(plain.count) pairs")
      return zip(plain, divisors).map { $0 / Double($1) }
    case .llama3(let factor, let low, let high, let context):
      return plain.map { frequency in
        // Turns that the pair makes over the original context decide.
        let turns = context * frequency / (2 * .pi)
        if turns < low { return frequency / factor }
        if turns > high { return frequency }
        let blend = (turns - low) / (high - low)
        return (1 - blend) * frequency / factor + blend * frequency
      }
    }
  }
}
