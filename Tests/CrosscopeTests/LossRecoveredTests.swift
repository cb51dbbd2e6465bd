// Loss recovered from the build to the explorer's first line: on which texts it is measured, where it is kept, and when it
// is measured again.

import ExplorerTestSupport
import Foundation
import Inference
import Storage
import TUI
import TestSupport
import Testing

@testable import Diffing
@testable import Experiments
@testable import Explorer
@testable import Pipeline
@testable import crosscope

@Suite struct LossRecoveredTests {
  private static let held = #"""
    {"text": "rain river stone and paper"}
    {"messages": [{"role": "user", "content": "why rain"}, {"role": "assistant", "content": "love and code"}]}
    """#

  /// A build that names held-out texts, not yet run.
  private func prepared() throws -> TinyBuild {
    let build = try TinyBuild()
    try build.write { $0.replacing(#""seed": 3"#, with: #""seed": 3, "heldout": "held.jsonl""#) }
    try write(Self.held, to: build)
    return build
  }

  private func write(_ text: String, to build: TinyBuild) throws {
    try (text + "\n").write(toFile: build.folder.path + "/held.jsonl", atomically: true, encoding: .utf8)
  }

  private func scores(_ build: TinyBuild) throws -> ScoreFile {
    try ScoreFile.read(build.folder.path + "/work/scores.json")
  }

  @Test func aBuildMeasuresItOnHeldOutTextsAndTheStoreKeepsIt() async throws {
    let build = try prepared()
    try build.runAnew()
    let loss = try #require(try scores(build).loss)
    #expect(loss.held_out && loss.texts == "held.jsonl" && loss.text_count == 2)
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.reconstructionLoss() == loss)
    // The same figures as those of the command, which takes the store's crosscoder and models.
    let outcome = try Program.run([
      "evaluate", build.storePath, "--texts", build.folder.path + "/held.jsonl", "--max-tokens", "128", "--json",
    ])
    #expect(outcome.code == 0, "\(outcome.error)")
    let report = try outcome.json()
    for (name, model) in [("base", loss.base), ("chat", loss.chat)] {
      let figures = try #require(report[name] as? [String: Any])
      for (key, ratio) in [("clean", model?.clean), ("loss_recovered", model?.loss_recovered)] {
        let value = try #require((figures[key] as? [String: Any])?["value"] as? Double)
        #expect(abs(value - (ratio?.value ?? .nan)) <= 1e-9 * abs(value), "\(name) \(key)")
      }
    }
    // The explorer shows them where there is room.
    let wide = try await ExplorerDriver(store, size: Size(columns: 140, rows: 20)).text
    let first = try #require(wide.split(separator: "\n").first)
    #expect(first.contains("layer 2, loss recovered: base "), "\(first)")
    let narrow = try await ExplorerDriver(store, size: Size(columns: 60, rows: 20)).text
    #expect(!narrow.contains("loss recovered") && narrow.contains("layer 2"))
  }

  @Test func withoutHeldOutTextsItSaysThatTheyAreTheCorpus() throws {
    let build = try TinyBuild()
    try build.run()
    let loss = try #require(try scores(build).loss)
    #expect(!loss.held_out && loss.texts == "corpus" && loss.text_count == 16)
    // Texts beside the store are found without being named, and only the losses are measured again.
    let before = try scores(build).latents
    try (Self.held + "\n").write(
      toFile: build.folder.path + "/heldout-chats.jsonl", atomically: true, encoding: .utf8)
    let again = try Program.run(["score", build.configurationPath])
    #expect(again.code == 0 && again.error.contains("loss recovered"), "\(again.error)")
    #expect(try scores(build).loss?.texts == "heldout-chats.jsonl")
    #expect(try scores(build).latents == before)
    #expect(try Program.run(["score", build.configurationPath]).error.contains("is there already"))
  }

  @Test func badHeldOutTextsAreReportedBeforeAnythingIsComputed() throws {
    let build = try prepared()
    try write(Self.held + "\n{\"txt\": 1}", to: build)
    #expect { try build.runAnew() } throws: { "\($0)".contains("held.jsonl line 3") }
    try FileManager.default.removeItem(atPath: build.folder.path + "/held.jsonl")
    try Program.run(["build", build.configurationPath]).expectOneLine(saying: "held.jsonl")
    #expect(!FileManager.default.fileExists(atPath: build.folder.path + "/crosscoder/model.safetensors"))
  }

  @Test func theLogHasItWhereTheStateIsSavedOnceThereIsAThreshold() throws {
    let build = try prepared()
    let (configuration, paths) = try BuildOptions.parse([build.configurationPath]).load()
    let engine = try Engine(model: paths.model, adapter: paths.adapter)
    try HarvestStage(build: configuration, paths: paths).run(engine: engine)
    let job = try TrainingJob(build: configuration, paths: paths)
    let texts = try LossTexts(build: configuration, paths: paths, shards: job.shards, engine: engine)
    try TrainStage(job: job, stepsPerSave: 30, lossTexts: texts).run()
    let log = try String(contentsOfFile: job.log, encoding: .utf8).split(separator: "\n")
    let lines = try log.map { try JSONDecoder().decode(TrainingLogLine.self, from: Data($0.utf8)) }
    #expect(lines.filter { $0.loss_recovered_chat != nil }.map(\.step) == [59, 79])
    #expect(lines.filter { $0.loss_recovered_base != nil }.map(\.step) == [59, 79])
    // The last one is that of the finished dictionary, but for the file's bf16.
    let finished = try texts.loss(of: Crosscoder.load(folder: paths.crosscoder))
    #expect(
      abs((lines[79].loss_recovered_chat ?? .nan) - (finished.chat?.loss_recovered?.value ?? .nan)) < 0.05)
  }

  @Test func evaluateKeepsItInAStoreOnRequest() throws {
    let build = try TinyBuild()
    try build.run()
    try write(Self.held, to: build)
    let arguments = ["evaluate", build.storePath, "--texts", build.folder.path + "/held.jsonl"]
    #expect(try Program.run(arguments).code == 0)
    func kept() throws -> ReconstructionLoss? {
      try Store(path: build.storePath, access: .readOnly).reconstructionLoss()
    }
    #expect(try kept()?.texts == "corpus")
    #expect(try Program.run(arguments + ["--save"]).code == 0)
    #expect(try kept()?.texts == "held.jsonl" && kept()?.held_out == true)
  }
}
