// `crosscope train` as a user runs it: activations of others, a buffer smaller than the set, kills, and what becomes of
// the dictionaries that it writes.

import Diffing
import Foundation
import Glibc
import Inference
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Pipeline
@testable import Remote
@testable import crosscope

/// Activations as another program would leave them, and a configuration that names them.
private final class ForeignActivations {
  let folder = TemporaryFolder()
  let d = 12
  var configuration: String { folder.path + "/train.json" }

  init() throws {
    try FileManager.default.createDirectory(atPath: folder.path + "/acts", withIntermediateDirectories: true)
    var generator = SplitMix64(seed: 4)
    let directions = (0..<16).map { _ in (0..<2 * d).map { _ in Float(generator.uniform() - 0.5) } }
    var shards: [String] = []
    for (number, size) in [300, 500, 200, 400].enumerated() {
      var x = [Float](repeating: 0, count: size * 2 * d)
      for token in 0..<size {
        for direction in directions where generator.uniform() < 0.15 {
          for index in 0..<2 * d { x[token * 2 * d + index] += direction[index] }
        }
      }
      var writer = SafetensorsWriter()
      writer.add("x", shape: [size, 2, d], floats: x)
      try writer.write(to: folder.path + "/acts/\(number).safetensors")
      shards.append(#"{"file": "\#(number).safetensors", "tokens": \#(size)}"#)
    }
    let index =
      #"{"format": 1, "dModel": \#(d), "layer": 3, "identity": "mine", "shards": [\#(shards.joined(separator: ","))]}"#
    try index.write(toFile: folder.path + "/acts/activations.json", atomically: true, encoding: .utf8)
    try write()
  }

  func write(work: String = "work", out: String = "out", training: String = "", other: String = "") throws {
    let text = """
      {"activations": "acts", "seed": 5, \(other)
       "training": {"latents": 48, "k": 3, "batch": 64, "steps": 700, "learning_rate": 0.003, "norm_init_scale": 0.5,
                    "warmup_steps": 10, "decay_fraction": 0.2\(training)},
       "work": "\(work)", "crosscoder": "\(out)"}
      """
    try text.write(toFile: configuration, atomically: true, encoding: .utf8)
  }

  func weights(_ out: String = "out") throws -> Data {
    try Data(contentsOf: URL(filePath: folder.path + "/\(out)/model.safetensors"))
  }

  func log(_ work: String = "work") throws -> String {
    try String(contentsOfFile: folder.path + "/\(work)/training.jsonl", encoding: .utf8)
  }
}

@Suite struct TrainCommandTests {
  @Test func trainsOnActivationsOfOthers() throws {
    let foreign = try ForeignActivations()
    try foreign.write(other: #""base_name": "little", "chat_name": "little-chat","#)
    let outcome = try Program.run(["train", foreign.configuration])
    #expect(outcome.code == 0 && outcome.out.isEmpty && !outcome.error.contains("\u{1b}"), "\(outcome.error)")
    let crosscoder = try Crosscoder.load(path: foreign.folder.path + "/out")
    #expect(crosscoder.dModel == foreign.d && crosscoder.card.layer == 3)
    #expect(crosscoder.card.modelName == "little-chat-little" && crosscoder.card.modelHash == nil)
    let explained = try #require(crosscoder.card.metrics["fve_chat"])
    #expect(explained > 0.6, "\(explained)")
    #expect(try Program.run(["train", foreign.configuration]).error.contains("is there already"))
    // Other content under the same name is trained on anew.
    var shard = try Data(contentsOf: URL(filePath: foreign.folder.path + "/acts/0.safetensors"))
    shard[shard.count - 1] ^= 1
    try shard.write(to: URL(filePath: foreign.folder.path + "/acts/0.safetensors"))
    #expect(try !Program.run(["train", foreign.configuration]).error.contains("is there already"))
    for stage in ["build", "harvest", "score", "index"] {
      try Program.run([stage, foreign.configuration]).expectOneLine(saying: "activations without texts")
    }
  }

  @Test func refusesWhatDoesNotFitByName() throws {
    let foreign = try ForeignActivations()
    for (training, other, word) in [
      (#", "shuffle_buffer_tokens": 100"#, "", "shuffle_buffer_tokens"), ("", #""speed": 1,"#, "speed"),
      (#", "batches": 4"#, "", "training.batches"), (#", "mu": 1"#, "", "training.mu"),
    ] {
      try foreign.write(training: training, other: other)
      try Program.run(["train", foreign.configuration]).expectOneLine(saying: word)
    }
    try foreign.write()
    let shard = foreign.folder.path + "/acts/2.safetensors"
    try Data(contentsOf: URL(filePath: shard)).prefix(500).write(to: URL(filePath: shard))
    try Program.run(["train", foreign.configuration]).expectOneLine(saying: "2.safetensors")
    try FileManager.default.removeItem(atPath: foreign.folder.path + "/acts/activations.json")
    try Program.run(["train", foreign.configuration]).expectOneLine(saying: "activations.json")
  }

  @Test func aRunThroughABufferGoesOnWhereItWasStopped() throws {
    let foreign = try ForeignActivations()
    try foreign.write(training: #", "shuffle_buffer_tokens": 300"#)
    #expect(try Program.run(["train", foreign.configuration]).code == 0)
    try foreign.write(work: "second", out: "again", training: #", "shuffle_buffer_tokens": 300"#)
    let stopped = try Program.run(
      ["train", foreign.configuration],
      after: Program.limit(toSteps: 600, of: foreign.folder.path + "/work/training.jsonl"))
    stopped.expectOneLine(saying: "training.jsonl: ")
    let names = try FileManager.default.contentsOfDirectory(atPath: foreign.folder.path + "/second")
    #expect(names.contains { $0.hasPrefix("trainer-state") && $0.hasSuffix("-300.safetensors") }, "\(names)")
    let outcome = try Program.run(["train", foreign.configuration])
    #expect(outcome.code == 0 && outcome.error.contains("goes on at step 500"), "\(outcome.error)")
    #expect(try foreign.weights() == foreign.weights("again"))
    #expect(try foreign.log() == foreign.log("second"), "every step once, with the same figures")
    // Through another buffer, a run sees other batches: nothing of the first is taken for it.
    try foreign.write(work: "second", out: "again", training: #", "shuffle_buffer_tokens": 400"#)
    #expect(try Program.run(["train", foreign.configuration]).code == 0)
    #expect(try foreign.weights() != foreign.weights("again"))
  }

  @Test(arguments: ["base", "chat"])
  func anAutoencoderIsEncodedAndImported(model: String) throws {
    let foreign = try ForeignActivations()
    try foreign.write(training: #", "method": "sae-\#(model)""#, other: #""base_name": "b", "chat_name": "b-chat","#)
    #expect(try Program.run(["train", foreign.configuration]).code == 0)
    let (out, codes) = (foreign.folder.path + "/out", foreign.folder.path + "/codes.safetensors")
    let x = foreign.folder.path + "/acts/1.safetensors"
    let outcome = try Program.run(["encode", "--crosscoder", out, "--activations", x, "--out", codes])
    #expect(outcome.code == 0, "\(outcome.error)")
    try Program.run(["encode", "--crosscoder", out, "--activations", x, "--out", codes]).expectOneLine(
      saying: "--force")
    let autoencoder = try SparseAutoencoder.load(folder: out)
    let expected = try autoencoder.encode(PairedActivations(path: x))
    let file = try SafetensorsFile(path: codes)
    let same = try file.floats(named: "f") == expected.dense() && file.floats(named: "f_scaled") == expected.dense()
    #expect(same && expected.l0 > 1)
    // The reconstruction is in its model's half, the other is 0.
    let (found, whole) = (try file.floats(named: "x_hat"), autoencoder.decode(expected))
    let half = model == "base" ? 0 : 1
    let right = (0..<500 * 2 * foreign.d).allSatisfy { place in
      let (token, index) = (place / (2 * foreign.d), place % (2 * foreign.d))
      let value = index / foreign.d == half ? whole[token, index % foreign.d] : 0
      return abs(found[place] - value) <= 1e-6 * max(1, abs(value))
    }
    #expect(right)
    let path = foreign.folder.path + "/sae.crosscope"
    let imported = try Program.run(["import", path, "--crosscoder", out])
    #expect(imported.code == 0, "\(imported.error)")
    let store = try Store(path: path, access: .readOnly)
    let pair = try store.modelPair()
    #expect(pair.chat == (model == "base" ? "b" : "b-chat") && pair.layer == 3)
    let latent = try #require(store.latents(ids: [0]).first)
    #expect(latent.decNormBase == nil && abs((latent.decNormChat ?? 0) - 1) < 1e-5 && latent.deltaNorm == nil)
    #expect(try Program.run(["check", path]).code == 0)
  }

  @Test func anAutoencoderOfTheDifferenceIsEncodedScaledAndImported() throws {
    let foreign = try ForeignActivations()
    try foreign.write(training: #", "method": "sae-difference""#, other: #""base_name": "b", "chat_name": "b-chat","#)
    #expect(try Program.run(["train", foreign.configuration]).code == 0)
    let (out, codes) = (foreign.folder.path + "/out", foreign.folder.path + "/codes.safetensors")
    let x = foreign.folder.path + "/acts/1.safetensors"
    let outcome = try Program.run(["encode", "--crosscoder", out, "--activations", x, "--out", codes])
    #expect(outcome.code == 0, "\(outcome.error)")
    let autoencoder = try SparseAutoencoder.load(folder: out)
    let activations = try PairedActivations(path: x)
    let expected = try autoencoder.encode(activations)
    let file = try SafetensorsFile(path: codes)
    let (found, whole) = (try file.floats(named: "f"), expected.dense())
    let largest = whole.max() ?? 0
    let isSame = zip(found, whole).allSatisfy { abs($0 - $1) <= 1e-5 * largest }
    #expect(isSame && expected.l0 > 1)
    // β of both models by the formula, for the latent that is on most often.
    let scale = try Program.run(["scale", "--crosscoder", out, "--activations", x, "--json"])
    #expect(scale.code == 0, "\(scale.error)")
    let rows = try #require(try scale.json()["latents"] as? [[String: Any]])
    let latent = try #require(
      rows.indices.max { (rows[$0]["count_active"] as? Int ?? 0) < (rows[$1]["count_active"] as? Int ?? 0) })
    let direction = autoencoder.decoder.row(latent).map(Double.init)
    var (sums, squares) = ([0.0, 0.0], 0.0)
    for token in 0..<activations.tokens {
      let f = Double(whole[token * expected.nLatents + latent])
      squares += f * f
      for model in PairModel.allCases {
        sums[model.index] += zip(direction, activations.vector(token: token, model: model)).reduce(0) {
          $0 + f * $1.0 * Double($1.1)
        }
      }
    }
    func value(_ name: String) -> Double? { rows[latent][name] as? Double }
    let norm = direction.reduce(0) { $0 + $1 * $1 }
    #expect(abs(try #require(value("beta_activation_base")) - sums[0] / squares / norm) < 1e-4)
    #expect(abs(try #require(value("beta_activation_chat")) - sums[1] / squares / norm) < 1e-4)
    #expect(abs(try #require(value("nu_activation")) - sums[0] / sums[1]) < 1e-3 * max(1, abs(sums[0] / sums[1])))
    #expect(rows.allSatisfy { $0["nu_error"] is NSNull && $0["dec_norm_base"] is NSNull })
    let path = foreign.folder.path + "/sae.crosscope"
    let imported = try Program.run(["import", path, "--crosscoder", out])
    #expect(imported.code == 0, "\(imported.error)")
    let pair = try Store(path: path, access: .readOnly).modelPair()
    #expect(pair.base == "b" && pair.chat == "b-chat" && pair.layer == 3)
    #expect(try Program.run(["check", path]).code == 0)
  }

  @Test(.enabled(if: TmuxTerminal.isAvailable, "tmux is absent"))
  func aTerminalShowsTheRunInPlace() throws {
    let foreign = try ForeignActivations()
    let (terminal, watcher) = (try TmuxTerminal(), try TmuxTerminal(environment: ["NO_COLOR": "1"]))
    let program = TmuxTerminal.program ?? ""
    try terminal.command("clear; \(program) train \(foreign.configuration); echo \"status $?\"")
    let screen = try terminal.wait(for: "status 0")
    #expect(screen.contains("train  step 700 of 700 ─") && screen.contains("─ finished"), "\(screen)")
    #expect(screen.contains("variance, chat") && screen.contains("threshold"), "\(screen)")
    // One block: nothing of the earlier ones is left above it.
    #expect(screen.components(separatedBy: "learning rate").count == 2, "\(screen)")
    #expect(try terminal.styledScreen().contains("\u{1b}["))
    try watcher.command(
      "clear; \(program) train --watch \(foreign.folder.path)/work/training.jsonl; echo \"status $?\"")
    let watched = try watcher.wait(for: "status 0")
    #expect(watched.contains("watch  step 700 of 700") && watched.contains("█"), "\(watched)")
  }
}
