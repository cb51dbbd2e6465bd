// The subcommands that run a model, on the tiny random pair: what they print, and what they say of bad input.
import Foundation
import Inference
import Testing
import TestSupport

@testable import crosscope

@Suite struct ModelCommandTests {
  private func run(_ arguments: String...) throws -> Program.Outcome { try Program.run(arguments) }

  @Test func generateAnswersTheSameForOneSeed() throws {
    let folder = TemporaryFolder()
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    func ids(_ more: String...) throws -> [Int] {
      let outcome = try Program.run(
        ["generate", "--model", model, "--prompt", "Hi", "--max-tokens", "12", "--json"] + more)
      #expect(outcome.code == 0, "\(outcome.error)")
      let json = try outcome.json()
      #expect(json["finished"] is Bool && json["prompt_tokens"] is Int)
      return try #require(json["ids"] as? [Int])
    }
    #expect(try ids() == ids("--seed", "7"), "greedy needs no seed")
    #expect(try ids("--temperature", "2", "--seed", "7") == ids("--temperature", "2", "--seed", "7"))
    #expect(try ids("--temperature", "2", "--seed", "7") != ids("--temperature", "2", "--seed", "8"))
    #expect(try ids() != ids("--adapter", adapter))
    #expect(try run("generate", "--model", model, "--prompt", "-x", "--max-tokens", "1").code == 0)
  }

  @Test func steerReportsWhatItDid() throws {
    let build = try TinyBuild()
    try build.run()
    let store = build.storePath
    let latents = try run("latents", store, "--filter", "not dead", "--limit", "1", "--json").json()["latents"]
    let id = try #require((latents as? [[String: Any]])?.first?["id"] as? Int)
    let outcome = try run(
      "steer", store, "--latent", "\(id):2", "--sweep", "-1:1:1", "--prompt", "Hi", "--max-tokens", "6", "--json")
    #expect(outcome.code == 0, "\(outcome.error)")
    let json = try outcome.json()
    let interventions = try #require(json["interventions"] as? [[String: Any]])
    #expect(interventions.count == 1 && interventions[0]["strength"] as? Double == 2, "as given, not as swept")
    #expect(json["decoder"] as? String == "chat" && json["positions"] as? String == "all" && json["layer"] as? Int == 2)
    let baseline = try #require(json["baseline"] as? [String: Any])
    let steered = try #require(json["steered"] as? [[String: Any]])
    #expect(steered.map { $0["strength"] as? Double } == [-1, 0, 1])
    #expect(steered[1]["ids"] as? [Int] == baseline["ids"] as? [Int], "strength 0 is no steering")
    #expect(steered[1]["relative_change"] as? Double == 0)
    #expect((steered[2]["relative_change"] as? Double ?? 0) > 0)
    let several = build.folder.path + "/prompts.jsonl"
    try "{\"prompt\": \"Hi\"}\n\n".write(toFile: several, atomically: true, encoding: .utf8)
    let runs = try run("steer", store, "--latent", "\(id)", "--prompt-file", several, "--max-tokens", "2", "--json")
    #expect((try runs.json()["runs"] as? [Any])?.count == 1)
  }

  @Test(arguments: [
    (["--latent", "1:nan"], "finite number"), (["--latent", "1:0,5"], "finite number"), (["--latent", "x"], "number"),
    (["--latent", "99999999999999"], "number"), (["--latent", "1", "--sweep", "0:2:0"], "does not lead"),
    (["--latent", "1", "--sweep", "0:100:0.1"], "more than 32"),
    (["--latent", "1", "--sweep", "0:1"], "three numbers"),
    (["--latent", "1", "--mode", "clam"], "difference"), ([], "--latent"),
  ])
  func steerSaysWhatIsWrongWithItsArguments(arguments: [String], hint: String) throws {
    try Program.run(["steer", "any.crosscope", "--prompt", "Hi"] + arguments).expectOneLine(code: 2, saying: hint)
  }

  @Test func damagedModelsAndAdaptersGetOneLine() throws {
    let folder = TemporaryFolder()
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    func generate(_ model: String, _ more: String...) throws -> Program.Outcome {
      try Program.run(["generate", "--model", model, "--prompt", "Hi", "--max-tokens", "1"] + more)
    }
    #expect(try generate(model, "--adapter", adapter).code == 0)
    try generate(folder.path + "/none.gguf").expectOneLine(saying: "none.gguf")
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: model)))
    for length in [0, 3, 20, 400, bytes.count / 2, bytes.count - 1] {
      try generate(try folder.file("cut.gguf", Array(bytes[..<length]))).expectOneLine(saying: "cut.gguf")
    }
    let weights = adapter + "/adapter_model.safetensors"
    let whole = try Data(contentsOf: URL(filePath: weights))
    try whole.prefix(whole.count - 1).write(to: URL(filePath: weights))
    try generate(model, "--adapter", adapter).expectOneLine(saying: "adapter_model.safetensors")
    try whole.write(to: URL(filePath: weights))
    let configuration = URL(filePath: adapter + "/adapter_config.json")
    var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: configuration)) as? [String: Any])
    json["layers_to_transform"] = [99]
    try JSONSerialization.data(withJSONObject: json).write(to: configuration)
    try generate(model, "--adapter", adapter).expectOneLine(saying: "adapter_config.json names")
    json["layers_to_transform"] = nil
    json["r"] = nil
    try JSONSerialization.data(withJSONObject: json).write(to: configuration)
    try generate(model, "--adapter", adapter).expectOneLine(saying: "shape [8, 32]")
  }

  @Test func forwardRefusesWhatItCannotWrite() throws {
    let folder = TemporaryFolder()
    let model = try TinyModel.writeGGUF(in: folder)
    try run("forward", "--model", model, "--tokens", "1,2", "--out", "/dev/full").expectOneLine(saying: "regular file")
    try run("forward", "--model", model, "--tokens", "", "--out", folder.path + "/f").expectOneLine(
      code: 2, saying: "--tokens")
    #expect(folder.names.sorted() == ["tiny.gguf"])
    let outcome = try run(
      "forward", "--model", model, "--tokens", "1,2", "--hidden-layers", "0,3", "--out", folder.path + "/f")
    #expect(outcome.code == 0)
    let again = ["forward", "--model", model, "--tokens", "1,2", "--hidden-layers", "0,3", "--out", folder.path + "/f"]
    try Program.run(again).expectOneLine(saying: "--force")
    #expect(try Program.run(again + ["--force"]).code == 0)
    let file = try SafetensorsFile(path: folder.path + "/f")
    #expect(try file.shape(of: "hidden.3") == [2, TinyModel.dModel])
    #expect(try file.shape(of: "logits") == [2, TinyModel.vocabSize])
  }

  @Test func forwardReadsAHuggingFaceFolderWithoutATokenizer() throws {
    let folder = TemporaryFolder()
    let model = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("InferenceTests/Fixtures/models/gemma3").path
    let reference = try SafetensorsFile(path: model + "/reference.safetensors")
    let ids = try reference.ints(named: "input_ids").prefix(24).map(String.init).joined(separator: ",")
    let outcome = try run(
      "forward", "--model", model, "--tokens", ids, "--hidden-layers", "6", "--out", folder.path + "/f")
    #expect(outcome.code == 0, "\(outcome.error)")
    let logits = try SafetensorsFile(path: folder.path + "/f").floats(named: "logits")
    let wanted = try reference.floats(named: "logits").prefix(logits.count)
    #expect(zip(logits, wanted).allSatisfy { abs($0 - $1) < 1e-4 })
    try run("generate", "--model", model, "--prompt", "x").expectOneLine(saying: model)
  }
}
