// `crosscope encode`: activations through a crosscoder, written beside each other. The parity probe of the crosscoder.
// Reads x [N, 2, d]; writes f [N, F] ([N, 2, F] of DECOUPLED codes), f_scaled [N, F] and x_hat [N, 2, d], names as in
// the reference files.

import ArgumentParser
import Diffing
import Inference

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Encode activations with a crosscoder: codes, scaled codes and reconstruction.")

  @Option(help: "Folder of the crosscoder: config.json and model.safetensors.")
  var crosscoder: String

  @Option(help: "Safetensors file with the tensor x [N, 2, d]: base, then chat.")
  var activations: String

  @Option(help: "Safetensors file to write: f, f_scaled [N, F] (f [N, 2, F] if DECOUPLED) and x_hat [N, 2, d].")
  var out: String

  func run() throws {
    let crosscoder = try Crosscoder.load(folder: crosscoder)
    let x = try PairedActivations(path: activations)
    let codes = try crosscoder.encode(x)
    var writer = SafetensorsWriter()
    if codes.selections == nil {
      writer.add("f", shape: [x.tokens, crosscoder.nLatents], floats: codes.dense())
    } else {
      writer.add("f", shape: [x.tokens, 2, crosscoder.nLatents], floats: codes.denseByModel())
    }
    writer.add("f_scaled", shape: [x.tokens, crosscoder.nLatents], floats: codes.dense(crosscoder.scaled(codes)))
    writer.add("x_hat", shape: [x.tokens, 2, crosscoder.dModel], floats: crosscoder.decode(codes).values)
    try writer.write(to: out)
  }
}
