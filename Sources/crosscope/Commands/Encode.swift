// `crosscope encode` runs activations through a dictionary; tests compare its output with the reference. x is [N, d] for a
// dictionary that reads one vector of a token, [N, H, d] for one that reads H (a pair: base, then chat). It writes f, f_scaled
// and x_hat, the latter in the form of x, with the reference files' names. An SAE also takes a pair [N, 2, d]: it reads its
// model's half, chat's by default, or chat − base, and the other half of x_hat is 0.

import ArgumentParser
import Diffing
import Experiments
import Inference
import Pipeline
import Reports
import Storage
import TUI

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Encode activations with a dictionary: codes, scaled codes and reconstruction.",
    discussion: """
      x is what the dictionary reads: [N, 2, d] (base, then chat) for a crosscoder of two models, [N, H, d] for one of H \
      places in the order of its file, [N, d] for an SAE or a transcoder. f is [N, F], or [N, H, F] where each place has \
      its own codes. Any site will do: the activations are given. Of a transcoder, which predicts another site, x_hat is \
      also written as y_hat.
      """)

  @Option(help: ArgumentHelp("The dictionary's folder, or its file of tensors.", valueName: "dir|file"))
  var crosscoder: String

  @Option(help: "The safetensors file with the tensor x: [N, d], or [N, H, d] for H places (a pair: base, then chat).")
  var activations: String

  @Option(help: "The safetensors file to write: f, f_scaled and x_hat.")
  var out: String
  @OptionGroup var output: OutputFileOptions
  @OptionGroup var memory: MemoryOptions

  func run() throws {
    try output.check(out)
    let file = try CrosscoderFile(path: crosscoder)
    for note in file.notes { writeError("note: \(termSafe(note))") }
    let x = try SafetensorsFile(path: activations)
    let shape = try x.shape(of: "x")
    let encoded = try file.encode(try x.floats(named: "x"), shape: shape)
    if let norms = encoded.meanNorms {
      writeError("inputs are scaled to a mean norm of √d; here base has \(norms[0]) and chat \(norms[1])")
    }
    if encoded.isOneBatch {
      writeError(
        "the dictionary keeps the largest codes of a batch: the \(shape[0]) tokens of \(termSafe(activations)) are taken as "
          + "one batch, as its library does")
    }
    var writer = SafetensorsWriter()
    writer.add("f", shape: encoded.codesShape, floats: encoded.f)
    writer.add("f_scaled", shape: encoded.scaledShape, floats: encoded.scaled)
    writer.add("x_hat", shape: shape, floats: encoded.reconstruction)
    if encoded.predictsOther { writer.add("y_hat", shape: shape, floats: encoded.reconstruction) }
    try writer.write(to: out, replacing: output.force)
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
