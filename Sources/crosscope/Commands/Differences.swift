// `crosscope differences` says what fine-tuning changed, from two models alone: no dictionary is needed.

import ArgumentParser
import Diffing
import Experiments
import Inference
import Pipeline
import Reports
import Storage

struct Differences: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what fine-tuning changed, from two models and some texts, without a dictionary.")

  @Option(help: "The model's GGUF file or Hugging Face folder: chat, or base if there is an adapter.") var model: String?
  @Option(help: "A LoRA adapter in PEFT's format (a folder) that makes chat of it.") var adapter: String?
  @Option(help: "The base model, if --model is all of chat.") var baseModel: String?
  @Option(help: "A safetensors file that says what to compute (the parity probe).") var probe: String?
  @Option(help: "The file to write.") var out: String?
  @OptionGroup var output: OutputFileOptions
  @OptionGroup var computing: ComputeOptions

  func run() async throws {
    if let probe, let model, let out {
      try output.check(out)
      let probe = try DifferenceProbe(path: probe)
      let models = try PairedModels(
        model: model, adapter: adapter, base: baseModel, precision: computing.precision ?? .exact,
        vocabulariesMayDiffer: true)
      try probe.run(models).write(to: out, replacing: output.force)
    }
  }
}
