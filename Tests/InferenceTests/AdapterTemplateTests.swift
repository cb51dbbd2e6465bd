// A chat template beside an adapter: a base model has none, and an adapter was trained with one.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct AdapterTemplateTests {
  let folder = TemporaryFolder()
  private let asked = [ChatMessage(role: .user, content: "hi")]

  /// The chat `asked` as the engine of the tiny model and the adapter writes it.
  private func rendered(_ model: String, _ adapter: String?) throws -> String {
    let engine = try Engine(model: model, adapter: adapter)
    return engine.tokenizer.decode(try engine.encodeChat(asked, addGenerationPrompt: true).ids)
  }

  @Test(arguments: ["chat_template.jinja", "tokenizer_config.json"])
  func countsBeforeTheModels(file: String) throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    #expect(try rendered(model, adapter) == rendered(model, nil))
    let text = try #require(try knownTemplate("gemma3"))
    let written = file.hasSuffix(".json") ? try JSONEncoder().encode(["chat_template": text]) : Data(text.utf8)
    try written.write(to: URL(filePath: adapter + "/" + file))
    // The token that begins a sequence is the model's, because the tokenizer is.
    let wanted = "<|im_start|><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n"
    #expect(try rendered(model, adapter) == wanted)
    #expect(try rendered(model, nil) != wanted)
  }

  @Test func isPartOfTheAdaptersIdentity() throws {
    let adapter = try TinyModel.writeAdapter(in: folder)
    let before = try Adapter.sha256(folder: adapter)
    try Data("{}".utf8).write(to: URL(filePath: adapter + "/tokenizer_config.json"))
    #expect(try Adapter.sha256(folder: adapter) == before)
    let text = try #require(try knownTemplate("gemma3"))
    try Data(text.utf8).write(to: URL(filePath: adapter + "/chat_template.jinja"))
    #expect(try Adapter.sha256(folder: adapter) != before)
  }

  @Test func ofAnUnknownKindIsRefusedByNameAndTextsStillRun() throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    try Data("{{ messages }}".utf8).write(to: URL(filePath: adapter + "/chat_template.jinja"))
    let engine = try Engine(model: model, adapter: adapter)
    #expect(try !engine.encodePrompt("hi", raw: true).ids.isEmpty)
    let error = #expect(throws: InferenceError.self) { try engine.encodePrompt("hi") }
    #expect(error.map { "\($0)" }?.contains(adapter + "/chat_template.jinja") == true)
  }
}
