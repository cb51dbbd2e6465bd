// Options of every subcommand that generates text. Refuses: settings that would have no effect, besides those out of range.

import ArgumentParser
import Diffing
import Inference

/// How tokens are chosen.
struct SamplingOptions: ParsableArguments {
  @Option(help: "Tokens to generate at most.") var maxTokens: Int = 128
  @Option(help: "0 is greedy; 1 samples from the model's own distribution.") var temperature: Double = 0
  @Option(help: "Seed of the sampler; of several samples, the first one's.") var seed: UInt64 = 0
  @Option(help: "Draw from the most probable tokens whose probabilities reach this sum.") var topP: Double = 1
  @Option(help: "Never draw tokens less probable than this times the most probable one.") var minP: Double = 0
  @Option(
    parsing: .unconditional, help: "Taken off a token's logit each time the answer has it already; may be negative.")
  var frequencyPenalty: Double = 0
  @Option(help: "Answers to generate, with seeds one after another.") var samples: Int = 1

  /// Samples at most: all of them are decoded together.
  static let mostSamples = 64

  func validate() throws {
    guard maxTokens > 0 else { throw ValidationError("--max-tokens: expected a positive number, found \(maxTokens)") }
    guard temperature.isFinite, temperature >= 0 else {
      throw ValidationError("--temperature: expected 0 or more, found \(temperature)")
    }
    guard topP > 0, topP <= 1 else { throw ValidationError("--top-p: expected above 0, at most 1, found \(topP)") }
    guard minP >= 0, minP <= 1 else { throw ValidationError("--min-p: expected 0 to 1, found \(minP)") }
    guard abs(frequencyPenalty) <= 100 else {
      throw ValidationError("--frequency-penalty: expected -100 to 100, found \(frequencyPenalty)")
    }
    guard (1...Self.mostSamples).contains(samples) else {
      throw ValidationError("--samples: expected 1 to \(Self.mostSamples), found \(samples)")
    }
    guard temperature > 0 || (samples == 1 && topP == 1 && minP == 0) else {
      throw ValidationError("--samples, --top-p and --min-p change nothing at temperature 0; give --temperature")
    }
  }

  /// The same for a run.
  var settings: GenerationSettings {
    GenerationSettings(
      maxTokens: maxTokens, temperature: temperature, seed: seed, topP: topP, minP: minP,
      frequencyPenalty: frequencyPenalty, samples: samples)
  }
}
