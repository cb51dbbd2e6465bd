// Calibration finds the strength of mode add from which answers of a pair of models stop being text:
//   broken = max(log-perplexity of the answer under the unsteered model ÷ `ceiling`, its repetition ÷ `mostRepetition`)
//   limit  = the strength, interpolated, at which the mean of broken comes to 1
// Repetition counts because text that goes in circles is likely text. Latents are the independent samples: the mean of each
// over prompts counts once, and the limit's 95 % interval is the percentile bootstrap over latents (Efron, 1979).

import Diffing
import Foundation
import Inference
import Storage

/// The measurements at each strength, by latent.
package struct Calibration {
  /// The figures of one answer, or their means over several.
  package struct Figures: Equatable {
    package var logPerplexity: Double
    package var repetition: Double
    package var broken: Double

    package init(logPerplexity: Double, repetition: Double) {
      (self.logPerplexity, self.repetition) = (logPerplexity, repetition)
      broken = max(logPerplexity / Calibration.ceiling, repetition / Calibration.mostRepetition)
    }

    package init(meanOf all: [Figures]) {
      func mean(_ value: (Figures) -> Double) -> Double {
        all.reduce(0) { $0 + value($1) } / Double(max(1, all.count))
      }
      (logPerplexity, repetition, broken) = (mean(\.logPerplexity), mean(\.repetition), mean(\.broken))
    }
  }

  /// A log-perplexity in nats a token; ordinary text has about as much.
  package static let ceiling = 3.0
  /// The share of 4-grams that occurred before in the answer.
  package static let mostRepetition = 0.4
  /// The strengths in the order in which they are tried; the run ends when answers are certainly broken.
  package static let strengths = stride(from: 0.25, through: 4, by: 0.25).map { $0 }
  package static let strengthsAtOnce = 4
  /// How often the bootstrap draws.
  private static let draws = 2000

  /// The figures of the answers without steering.
  package let unsteered: Figures
  /// The strengths from weak to strong, each with the figures of all latents at it.
  private(set) var points: [(strength: Double, latents: [Figures])] = []

  /// - Throws: `InputError.invalid` if unsteered answers are broken already.
  package init(unsteered: Figures, model: String) throws {
    self.unsteered = unsteered
    guard unsteered.broken < 1 else {
      throw InputError.invalid(
        source: model,
        expected: """
          unsteered answers of a perplexity below \(Int(exp(Self.ceiling).rounded())) that do not go in circles
          """,
        found: String(
          format: "a perplexity of %.1f, %.0f %% repeated", exp(unsteered.logPerplexity), unsteered.repetition * 100))
    }
  }

  package mutating func add(_ strength: Double, _ latents: [Figures]) { points.append((strength, latents)) }

  /// Whether answers at the last strength are certainly broken, so that stronger ones would move neither limit nor
  /// interval.
  package var isFarEnough: Bool {
    guard let broken = points.last.flatMap({ Interval.mean($0.latents.map(\.broken)) }) else { return false }
    return broken.low ?? broken.value >= 1
  }

  /// The strength at which the latents at these places stop producing text; the last strength if they do not.
  private func limit(of places: [Int]) -> Double {
    var before = (strength: 0.0, broken: unsteered.broken)
    for point in points {
      let broken = places.reduce(0) { $0 + point.latents[$1].broken } / Double(max(1, places.count))
      if broken >= 1 {
        return before.strength
          + (1 - before.broken) / (broken - before.broken) * (point.strength - before.strength)
      }
      before = (point.strength, broken)
    }
    return before.strength
  }

  /// The limit and its interval, to two digits. A single latent has no interval.
  package var limit: Interval {
    func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
    let count = points.first?.latents.count ?? 0
    let value = rounded(limit(of: Array(0..<count)))
    guard count > 1 else { return Interval(value: value) }
    var generator = SplitMix64(seed: 0)
    let drawn = (0..<Self.draws).map { _ in
      limit(of: (0..<count).map { _ in Int.random(in: 0..<count, using: &generator) })
    }.sorted()
    let tail = Self.draws / 40
    return Interval(value: value, low: rounded(drawn[tail]), high: rounded(drawn[Self.draws - 1 - tail]))
  }
}
