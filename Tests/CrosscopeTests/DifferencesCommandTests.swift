// `crosscope differences` on the tiny pair: what it prints and keeps, two equal models, a run that goes on, and input that is refused.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Pipeline
@testable import crosscope

@Suite struct DifferencesCommandTests {
  let folder = TemporaryFolder()
  let model: String
  let adapter: String
  let texts: String
  let chats: String

  init() throws {
    model = try TinyModel.writeGGUF(in: folder)
    adapter = try TinyModel.writeAdapter(in: folder)
    texts = try folder.file("texts.txt", Array("A first text of some length.\n\nAnother one.\n\nx\n\n".utf8))
    chats = try folder.file(
      "chats.jsonl",
      Array(
        #"{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day"}]}"#.utf8))
  }

  private func differences(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(["differences"] + arguments)
  }

  @Test func everythingIsFoundPrintedAndKept() throws {
    let store = folder.path + "/pair.crosscope"
    let outcome = try differences(
      "--model", model, "--adapter", adapter, "--texts", texts, "--chats", chats, "--control", "scrambled", "--out",
      store,
      "--json")
    #expect(outcome.code == 0, "\(outcome.error)")
    let document = try JSONDecoder().decode(DifferenceDocument.self, from: Data(outcome.out.utf8))
    #expect(
      !document.setup.noDifference
        && document.setup.remarks == ["The comparison leaves out 1 text of fewer than two tokens."])
    #expect(document.corpora.map(\.texts) == [2, 1])
    #expect(document.blocks.count == TinyModel.nLayers * 4 && document.divergences.map(\.role) == TokenRole.allCases)
    #expect(document.orders.count == 8 && document.topics.count == 12)
    #expect(document.lenses.contains { $0.corpus == .chat && $0.position == -1 } && document.effects.count == 2)
    #expect(document.amplified.count == 1 && document.amplified.allSatisfy { $0.factor == 1 && !$0.prompt.isEmpty })
    #expect(document.setup.filters == nil)
    #expect(document.texts.count == 3 && !document.written.isEmpty && document.scrambled?.lenses.isEmpty == false)
    // The store holds the same, and the explorer reads it.
    let kept = try Store(path: store, access: .readOnly)
    #expect(try DifferenceDocument(sections: kept.differences(), source: store) == document)
    #expect(try kept.directions().map(\.name).sorted() == document.lenses.map(\.name).sorted())
    #expect(try kept.latentCount() == 0)
    #expect(!FileManager.default.fileExists(atPath: store + ".differences-partial"))
    // The store names its models, so that it needs no option; the same seed gives the same document.
    let again = try differences(store, "--texts", texts, "--chats", chats, "--control", "scrambled", "--json")
    #expect(again.code == 0 && again.out == outcome.out, "\(again.error)")
    let text = try differences(store, "--texts", texts, "--quick")
    #expect(text.out.contains("Tokens that chat raises") && text.out.contains("Where the residual streams part"))
    #expect(try differences(store, "--texts", texts, "--quick", "--markdown").out.hasPrefix("# What changed from "))
  }

  @Test func twoEqualModelsHaveNoDifference() throws {
    let other = try TinyModel.writeGGUF(in: folder, name: "other.gguf")
    let outcome = try differences("--model", model, "--base-model", other, "--texts", texts)
    #expect(
      outcome.code == 0 && outcome.out.hasPrefix("No difference: both models said the same at all "), "\(outcome.error)"
    )
    let json = try differences("--model", model, "--base-model", other, "--json").json()
    let lists = ["orders", "topics", "lenses", "windows", "texts", "effects", "written"]
    #expect(lists.allSatisfy { (json[$0] as? [Any])?.isEmpty == true })
  }

  @Test func aPassThatWasKilledGoesOn() throws {
    let models = try PairedModels(model: model, adapter: adapter)
    var generator = SplitMix64(seed: 1)
    let texts = (0..<40).map { _ in
      DifferenceText(plain: (0..<100).map { _ in Int32(3 + generator.uniform() * 256) })
    }
    var run = DifferencePassRun(models: models, texts: texts, settings: DifferenceSettings(layers: [2]))
    let whole = try run.run()
    run.pause = 0
    run.kept = (folder.path + "/kept", "one")
    #expect(try run.run() == whole)
    // The sums of all groups but the last are still there, and are gone on from; another run's are not.
    #expect(FileManager.default.fileExists(atPath: folder.path + "/kept"))
    #expect(try run.run() == whole)
    run.kept = (folder.path + "/kept", "two")
    #expect(try run.run() == whole)
    try Data("damaged".utf8).write(to: URL(fileURLWithPath: folder.path + "/kept"))
    #expect(try run.run() == whole)
    run.forget()
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/kept"))
  }

  @Test func vocabulariesThatDifferAreComparedWhereTheyAgree() throws {
    let longer = try TinyModel.writeGGUF(in: folder, name: "longer.gguf", seed: 2, padding: 5)
    let outcome = try differences("--model", longer, "--base-model", model, "--texts", texts, "--quick", "--json")
    #expect(outcome.code == 0, "\(outcome.error)")
    let setup = try #require(try outcome.json()["setup"] as? [String: Any])
    let remarks = try #require(setup["remarks"] as? [String])
    #expect(remarks.contains("Base knows 259 tokens and chat 264; the first 259, which both know, are compared."))
  }

  @Test func anotherTokenizerIsRefusedWithTheFirstTokenThatDiffers() throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: model))
    let place = try #require(bytes.range(of: Data("<|im_end|>".utf8)))
    bytes.replaceSubrange(place, with: Data("<|im_and|>".utf8))
    let other = try folder.file("other.gguf", Array(bytes))
    let outcome = try differences("--model", model, "--base-model", other, "--texts", texts, "--quick")
    outcome.expectOneLine(code: 1, saying: "other.gguf")
    #expect(outcome.error.contains("\"<|im_end|>\"") && outcome.error.contains("\"<|im_and|>\""), "\(outcome.error)")
  }

  /// Expects an error of one line after lines of progress.
  private func expectFailure(_ outcome: Program.Outcome, saying hint: String) {
    let lines = outcome.error.split(separator: "\n").filter { $0.hasPrefix("crosscope: ") }
    #expect(outcome.code == 1 && outcome.out.isEmpty && lines.count == 1, "\(outcome)")
    #expect(lines.first?.contains(hint) == true, "\(outcome.error)")
  }

  @Test func aNumberInAModelThatIsNotFiniteIsNamed() throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: model))
    withUnsafeBytes(of: Float.nan.bitPattern.littleEndian) {
      bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: $0)
    }
    let other = try folder.file("nan.gguf", Array(bytes))
    let store = folder.path + "/nan.crosscope"
    let outcome = try differences(
      "--model", model, "--base-model", other, "--texts", texts, "--quick", "--out", store)
    expectFailure(outcome, saying: "not finite")
    #expect(!FileManager.default.fileExists(atPath: store))
  }

  @Test func withoutRoomNothingHalfWrittenRemains() throws {
    for name in ["full.json", "full.crosscope"] {
      let out = folder.path + "/" + name
      let outcome = try Program.run(
        ["differences", "--model", model, "--adapter", adapter, "--texts", texts, "--quick", "--out", out],
        after: "ulimit -f 1")
      expectFailure(outcome, saying: name)
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.contains("full") }
      #expect(left.isEmpty, "\(left)")
    }
  }

  @Test func badInputGetsOneLine() throws {
    let empty = try folder.file("empty.txt", Array("\n\n".utf8))
    let wrong = try folder.file("wrong.jsonl", Array("{\"text\": 3}\n".utf8))
    for (arguments, code, hint) in [
      (["--model", model], 1, "--adapter or --base-model"), ([], 1, "which models to compare"),
      (["--model", model, "--adapter", adapter, "--layers", "9"], 2, "0 to 3"),
      (["--model", model, "--adapter", adapter, "--texts", empty], 1, "at least one text"),
      (["--model", model, "--adapter", adapter, "--texts", wrong], 1, "wrong.jsonl line 1"),
      (["--model", model, "--adapter", adapter, "--texts", folder.path + "/none"], 1, "none"),
      (["--model", model, "--base-model", model, "--control", "scrambled"], 2, "adapter"),
      (["--model", model, "--adapter", adapter, "--tokens", "1"], 2, "--tokens"),
      (["--model", model, "--adapter", adapter, "--probe", texts, "--out", folder.path + "/o"], 1, "texts.txt"),
    ] as [([String], Int32, String)] {
      try Program.run(["differences"] + arguments).expectOneLine(code: code, saying: hint)
    }
  }
}
