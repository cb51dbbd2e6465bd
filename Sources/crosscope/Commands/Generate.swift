// `crosscope generate` streams one model's answer to one prompt.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Pipeline
import Reports
import TUI

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Answer a prompt with a model.")

  @Option(help: "The model's GGUF file or Hugging Face folder.") var model: String
  @Option(help: "A LoRA adapter in PEFT's format (a folder).") var adapter: String?
  @Option(parsing: .unconditional, help: "What the user says.") var prompt: String
  @Flag(help: "Continue the prompt as it is, without the chat template.") var raw = false
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var computing: ComputeOptions
  @Flag(help: "Print one JSON document instead of text.") var json = false

  private struct Output: Encodable {
    let prompt: String
    let text: String
    let ids: [Int32]
    /// Whether the model ended the answer; otherwise the limit of tokens did.
    let finished: Bool
    let prompt_tokens: Int
    let seed: UInt64
    let temperature: Double
    let settings: GenerationSettings
    let precision: Precision
    /// All answers, if several were asked for; the fields above are those of the first.
    let samples: [Sample]?
  }

  private struct Sample: Encodable {
    let seed: UInt64
    let text: String
    let ids: [Int32]
    let finished: Bool
  }

  func run() throws {
    let engine = try Engine(model: model, adapter: adapter, precision: computing.precision ?? .fast)
    let rendered = try engine.encodePrompt(prompt, raw: raw)
    guard !rendered.ids.isEmpty else {
      throw ValidationError("--prompt: a raw prompt must have at least one character")
    }
    let settings = sampling.settings
    let streams = try (0..<settings.samples).map { DecodingStream(source: .sampled(try settings.sampler($0))) }
    let decoding = Decoding(engine: engine, streams: streams, prompt: rendered.ids, limit: sampling.maxTokens)
    var answers = streams.map { _ in GeneratedText(tokenizer: engine.tokenizer) }
    // One answer is printed as it arrives, several are printed when they are complete.
    let isStreamed = !json && streams.count == 1
    while !decoding.isFinished {
      for token in try decoding.step() {
        let piece = answers[token.stream].append(token.id)
        if isStreamed { writeOut(termSafeLines(piece)) }
      }
    }
    let rests = answers.indices.map { answers[$0].finish() }
    let samples = streams.indices.map {
      Sample(
        seed: settings.seed &+ UInt64($0), text: answers[$0].text, ids: decoding.produced($0),
        finished: decoding.ended($0))
    }
    if json {
      try printJSON(
        Output(
          prompt: prompt, text: samples[0].text, ids: samples[0].ids, finished: samples[0].finished,
          prompt_tokens: rendered.ids.count, seed: settings.seed, temperature: settings.temperature,
          settings: settings, precision: engine.model.precision, samples: samples.count > 1 ? samples : nil))
    } else if isStreamed {
      writeOut(termSafeLines(rests[0]) + "\n")
    } else {
      for sample in samples { writeOut("seed \(sample.seed)\n\(termSafeLines(sample.text))\n\n") }
    }
  }
}
