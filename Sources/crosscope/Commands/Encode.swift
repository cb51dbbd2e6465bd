// `crosscope encode` runs activations through a crosscoder; tests compare its output with the reference. It reads x [N, 2, d]
// and writes f [N, F] ([N, 2, F] of DECOUPLED codes), f_scaled [N, F] and x_hat [N, 2, d], with the reference files' names. An
// SAE reads its model's half of x, chat's by default; the other half of x_hat is then 0.

import ArgumentParser
import Diffing
import Experiments
import Inference
import Pipeline
import Reports
import Storage

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Encode activations with a crosscoder: codes, scaled codes and reconstruction.")

  @Option(help: ArgumentHelp("The crosscoder's folder, or its file of tensors.", valueName: "dir|file"))
  var crosscoder: String

  @Option(help: "The safetensors file with the tensor x [N, 2, d]: base, then chat.")
  var activations: String

  @Option(help: "The safetensors file to write: f, f_scaled [N, F] (f [N, 2, F] if DECOUPLED) and x_hat [N, 2, d].")
  var out: String
  @OptionGroup var output: OutputFileOptions
  @OptionGroup var memory: MemoryOptions

  func run() throws {
    try output.check(out)
    let file = try CrosscoderFile(path: crosscoder)
    let x = file.inPlace(try PairedActivations(path: activations))
    let crosscoder = try file.crosscoder().scalingInputs(as: x)
    let codes = try crosscoder.encode(x)
    var writer = SafetensorsWriter()
    if codes.selections == nil {
      writer.add("f", shape: [x.tokens, crosscoder.nLatents], floats: codes.dense())
    } else {
      writer.add("f", shape: [x.tokens, 2, crosscoder.nLatents], floats: codes.denseByModel())
    }
    writer.add("f_scaled", shape: [x.tokens, crosscoder.nLatents], floats: codes.dense(crosscoder.scaled(codes)))
    writer.add("x_hat", shape: [x.tokens, 2, crosscoder.dModel], floats: file.inPlace(crosscoder.decode(codes)).values)
    try writer.write(to: out, replacing: output.force)
  }
}

extension CrosscoderFile {
  /// The activations of a pair, or a reconstruction. For an SAE of base, which takes chat's place, the halves are
  /// exchanged.
  func inPlace(_ x: PairedActivations) -> PairedActivations {
    guard target == .base else { return x }
    let d = x.dModel
    var result = x
    for token in 0..<x.tokens {
      for model in PairModel.allCases {
        let (from, to) = ((2 * token + model.index) * d, (2 * token + 1 - model.index) * d)
        result.values.replaceSubrange(to..<to + d, with: x.values[from..<from + d])
      }
    }
    return result
  }
}

extension Crosscoder {
  /// If the checkpoint leaves the scale of inputs open, scales them by the mean norms of these activations and says so.
  func scalingInputs(as x: PairedActivations) throws -> Crosscoder {
    guard card.inputScaling != nil, normaliser == nil else { return self }
    let norms = x.meanNorms
    writeError("inputs are scaled to a mean norm of √d; here base has \(norms[0]) and chat \(norms[1])")
    return try scalingInputs(meanNorms: norms)
  }
}
