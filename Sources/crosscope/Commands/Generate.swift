// `crosscope generate`: one model's answer to one prompt, streamed.

import ArgumentParser
import Diffing
import Foundation
import Inference
import Kernels
import TUI

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Answer a prompt with a model.")

  @Option(help: "GGUF file or Hugging Face folder of the model.") var model: String
  @Option(help: "LoRA adapter in PEFT's format (a directory).") var adapter: String?
  @Option(parsing: .unconditional, help: "What the user says.") var prompt: String
  @Flag(help: "Continue the prompt as it is, without the chat template.") var raw = false
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var computing: ComputeOptions
  @Flag(help: "Print one JSON document instead of text.") var json = false

  private struct Output: Encodable {
    let prompt: String
    let text: String
    let ids: [Int32]
    /// Whether the model ended the answer; otherwise the limit cut it.
    let finished: Bool
    let prompt_tokens: Int
    let seed: UInt64
    let temperature: Double
    let precision: Precision
  }

  func run() throws {
    let engine = try Engine(model: model, adapter: adapter, precision: computing.precision ?? .fast)
    let rendered = try engine.encodePrompt(prompt, raw: raw)
    guard !rendered.ids.isEmpty else { throw ValidationError("--prompt: a raw prompt has at least one character") }
    let sampler = try Sampler(temperature: sampling.temperature, seed: sampling.seed)
    let decoding = Decoding(
      engine: engine, streams: [DecodingStream(source: .sampled(sampler))],
      prompt: rendered.ids, limit: sampling.maxTokens)
    var answer = GeneratedText(tokenizer: engine.tokenizer)
    while !decoding.isFinished {
      for token in try decoding.step() {
        let piece = answer.append(token.id)
        if !json { writeOut(termSafeLines(piece)) }
      }
    }
    let rest = answer.finish()
    if json {
      try printJSON(
        Output(
          prompt: prompt, text: answer.text, ids: decoding.produced(0), finished: decoding.ended(0),
          prompt_tokens: rendered.ids.count,
          seed: sampling.seed, temperature: sampling.temperature,
          precision: engine.model.precision))
    } else {
      writeOut(termSafeLines(rest) + "\n")
    }
  }
}

/// Options of every subcommand that generates text.
struct SamplingOptions: ParsableArguments {
  @Option(help: "Tokens to generate at most.") var maxTokens: Int = 128
  @Option(help: "0 is greedy; 1 samples from the model's own distribution.") var temperature: Double = 0
  @Option(help: "Seed of the sampler.") var seed: UInt64 = 0

  func validate() throws {
    guard maxTokens > 0 else { throw ValidationError("--max-tokens: expected a positive number, found \(maxTokens)") }
    guard temperature.isFinite, temperature >= 0 else {
      throw ValidationError("--temperature: expected 0 or more, found \(temperature)")
    }
  }

  /// The same for a steering run.
  var settings: GenerationSettings {
    GenerationSettings(maxTokens: maxTokens, temperature: temperature, seed: seed)
  }
}

/// The text of an answer as its tokens arrive: end-of-turn tokens are left out, characters come whole.
struct GeneratedText {
  private let tokenizer: Tokenizer
  private var decoder: StreamingDecoder
  private(set) var text = ""

  init(tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    decoder = StreamingDecoder(tokenizer: tokenizer)
  }

  /// The characters that a token completes.
  mutating func append(_ id: Int32) -> String {
    guard !tokenizer.endOfTurnIDs.contains(id) else { return "" }
    let piece = decoder.append(id)
    text += piece
    return piece
  }

  /// What is left when no token follows.
  mutating func finish() -> String {
    let piece = decoder.finish()
    text += piece
    return piece
  }
}
