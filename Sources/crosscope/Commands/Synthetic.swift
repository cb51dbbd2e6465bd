// `crosscope synthetic` trains L1 and BatchTopK on pairs of models whose concepts are known, and compares what each calls
// chat-only with the truth, in a table or in one JSON document with a row for every crosscoder. With --out the first world is
// written for other programs, and for `encode` and `scale`, to check.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Pipeline
import Reports
import Storage

struct Synthetic: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare all methods of training on synthetic pairs whose chat-only concepts are known.")

  @Option(help: "The number of worlds, each with concepts and training of its own.") var worlds: Int = 5
  @Option(help: "The seed of the first world; the others count on.") var seed: UInt64 = 1
  @Option(help: "The number of training steps of each crosscoder.") var steps: Int = SyntheticExperiment().steps
  @Option(help: "The number of latents of each crosscoder.") var latents: Int = SyntheticExperiment().latents
  @Option(
    parsing: .upToNextOption,
    help: "The weights μ of L1's penalty to try; the one whose L0 is nearest to BatchTopK's is compared.")
  var mu: [Double] = SyntheticExperiment().mus
  @Option(
    help: ArgumentHelp(
      "Write the first world here: activations.safetensors, truth.json, and a dictionary of each method.",
      valueName: "dir"))
  var out: String?
  @OptionGroup var output: OutputFileOptions
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    guard worlds > 0 else { throw ValidationError("--worlds must be positive") }
    guard !mu.isEmpty else { throw ValidationError("--mu needs at least one weight") }
  }

  func run() throws {
    var experiment = SyntheticExperiment()
    (experiment.steps, experiment.latents, experiment.mus) = (steps, latents, mu)
    // A path that cannot be used is reported before minutes of training.
    if let out {
      for name in Self.files { try output.check("\(out)/\(name)") }
      do {
        try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
      } catch {
        throw InferenceError.fileUnwritable(path: out, reason: error.localizedDescription)
      }
    }
    var report = SyntheticReport()
    for world in 0..<worlds {
      let seed = seed &+ UInt64(world)
      let outcome = try experiment.run(seed: seed) { writeError("world \(world + 1) of \(worlds): \($0)") }
      if world == 0, let out { try write(outcome, seed: seed, to: out) }
      report.add(outcome, seed: seed)
    }
    if json { return try printJSON(report) }
    writeOut(report.text)
  }

  /// The files that the folder of --out holds afterwards.
  private static let files =
    ["activations.safetensors", "truth.json"] + SyntheticExperiment.Method.allCases.map(\.rawValue)

  /// The contents of truth.json.
  private struct Truth: Encodable {
    let seed: UInt64
    let recipe: SyntheticWorld.Recipe
    let concepts: [SyntheticWorld.Concept]
  }

  private func write(_ outcome: SyntheticExperiment.Outcome, seed: UInt64, to folder: String) throws {
    for run in outcome.chosen.values {
      let folder = "\(folder)/\(run.method.rawValue)"
      if let autoencoder = run.autoencoder {
        try autoencoder.save(folder: folder)
      } else {
        try run.crosscoder.save(folder: folder)
      }
    }
    var writer = SafetensorsWriter()
    let x = outcome.scored.activations
    writer.add("x", shape: [x.tokens, 2, x.dModel], floats: x.values)
    try writer.write(to: folder + "/activations.safetensors")
    try Diffing.write(
      json: Truth(seed: seed, recipe: outcome.world.recipe, concepts: outcome.world.concepts),
      to: folder + "/truth.json")
  }
}
