// The options of every subcommand that generates text. Settings out of range or without effect are errors.

import ArgumentParser
import Diffing
import Inference

/// How tokens are chosen.
struct SamplingOptions: ParsableArguments {
  @Option(help: "The most tokens to generate.") var maxTokens: Int = 128
  @Option(help: "The temperature: 0 is greedy, 1 samples from the model's own distribution.") var temperature: Double =
    0
  @Option(help: "The sampler's seed; of several samples, the first one's.") var seed: UInt64 = 0
  @Option(help: "Draw from the most probable tokens whose probabilities reach this sum.") var topP: Double = 1
  @Option(help: "Never draw tokens less probable than this times the most probable one.") var minP: Double = 0
  @Option(
    parsing: .unconditional,
    help: "What is taken off a token's logit each time the answer has it already; may be negative.")
  var frequencyPenalty: Double = 0
  @Option(help: "What divides positive logits of the answer's latest tokens and multiplies the others; 1 is off.")
  var repetitionPenalty: Double = 1
  @Option(help: "How many of the answer's last tokens the repetition penalty looks at.")
  var repetitionWindow: Int = Sampler.usualPenaltyWindow
  @Option(help: "The number of answers to generate, with seeds one after another.") var samples: Int = 1

  /// The largest number of samples, since all of them are decoded together.
  static let mostSamples = 64

  func validate() throws {
    guard (1...Self.mostSamples).contains(samples) else {
      throw ValidationError("--samples: expected 1 to \(Self.mostSamples), found \(samples)")
    }
    do { try settings.checkRanges() } catch {
      throw ValidationError("--\(error.field.replacing("_", with: "-")): \(error.clause)")
    }
    guard temperature > 0 || (samples == 1 && topP == 1 && minP == 0) else {
      throw ValidationError("--samples, --top-p and --min-p change nothing at temperature 0; give --temperature")
    }
    guard repetitionPenalty != 1 || repetitionWindow == Sampler.usualPenaltyWindow else {
      throw ValidationError("--repetition-window changes nothing at penalty 1; give --repetition-penalty")
    }
  }

  /// The settings for a run.
  var settings: GenerationSettings {
    GenerationSettings(
      maxTokens: maxTokens, temperature: temperature, seed: seed, topP: topP, minP: minP,
      frequencyPenalty: frequencyPenalty, repetitionPenalty: repetitionPenalty, penaltyWindow: repetitionWindow,
      samples: samples)
  }
}
