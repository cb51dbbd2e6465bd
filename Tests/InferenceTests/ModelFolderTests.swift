// Hugging Face folders: every way in which one model may be written gives the same numbers.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct ModelFolderTests {
  let folder = TemporaryFolder()

  private func logits(_ path: String, _ name: String) throws -> [Float] {
    try Families.logits(Transformer.load(path: path), Families.texts(name)).flatMap(\.values)
  }

  @Test(arguments: Families.all) func shardsEqualTheSingleFile(name: String) throws {
    let path = try ModelCopy(folder: Families.folder(name)).write(in: folder, shards: 3)
    #expect(try logits(path, name) == logits(Families.folder(name), name))
  }

  @Test(arguments: Families.all) func bfloat16KeepsItsPrecisionAndItsValues(name: String) throws {
    var copy = try ModelCopy(folder: Families.folder(name))
    let half = try copy.write(in: folder, "half", as: .bf16)
    for index in copy.tensors.indices {
      copy.tensors[index].values = copy.tensors[index].values.map { float(bfloat16Bits: bfloat16Bits($0)) }
    }
    let full = try copy.write(in: folder, "full")
    let model = try Transformer.load(path: half)
    #expect(model.embedding.type == .bf16 && model.blocks[0].weights[.q]?.type == .bf16)
    let (a, b) = (try logits(half, name), try logits(full, name))
    #expect(Families.difference(a, b) < 1e-5)
    #expect(Families.difference(a, try logits(Families.folder(name), name)) < 0.2)
  }

  @Test(arguments: Families.all) func olderKeysSayTheSame(name: String) throws {
    var copy = try ModelCopy(folder: Families.folder(name))
    let parameters = try #require(copy.configuration.removeValue(forKey: "rope_parameters") as? [String: Any])
    let full = parameters["full_attention"] as? [String: Any] ?? parameters
    copy.configuration["rope_theta"] = full["rope_theta"]
    if full["rope_type"] as? String == "llama3" {
      copy.configuration["rope_scaling"] = full.filter { $0.key != "rope_theta" }
    }
    if name == "gemma3" {
      copy.configuration["rope_local_base_freq"] = 10_000.0
      copy.configuration["sliding_window_pattern"] = copy.configuration.removeValue(forKey: "_sliding_window_pattern")
    }
    copy.configuration["layer_types"] = nil
    if name.hasPrefix("gemma") { copy.configuration["tie_word_embeddings"] = nil }
    if name == "llama3-rope" { copy.configuration["tie_word_embeddings"] = nil }
    if name.hasPrefix("llama") { copy.configuration["head_dim"] = NSNull() }
    #expect(try logits(copy.write(in: folder), name) == logits(Families.folder(name), name))
  }

  @Test func gemma3ScalesOnlyTheLayersThatSeeEverything() throws {
    var copy = try ModelCopy(folder: Families.folder("gemma3"))
    copy.configuration["rope_parameters"] = nil
    copy.configuration["rope_scaling"] = ["rope_type": "linear", "factor": 8.0]
    let old = try Transformer.load(path: copy.write(in: folder, "old"))
    copy.configuration["rope_scaling"] = nil
    copy.configuration["rope_parameters"] = [
      "full_attention": ["rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000.0],
      "sliding_attention": ["rope_type": "default"],
    ]
    let new = try Transformer.load(path: copy.write(in: folder, "new"))
    #expect(old.configuration == new.configuration)
    #expect(old.configuration.rope == Rotary(theta: 1_000_000, scaling: .linear(factor: 8)))
    #expect(old.configuration.localRope == Rotary(theta: 10_000))
  }

  @Test func tiedAndUntiedHeads() throws {
    // Saved beside a tied embedding, the head is the embedding once more.
    var copy = try ModelCopy(folder: Families.folder("qwen2"))
    var head = try #require(copy.tensors.first { $0.name == "model.embed_tokens.weight" })
    head.name = "lm_head.weight"
    copy.tensors.append(head)
    copy.tensors.append(
      .init(name: "model.layers.0.self_attn.rotary_emb.inv_freq", shape: [8], values: .init(repeating: 1, count: 8)))
    #expect(try logits(copy.write(in: folder, "tied"), "qwen2") == logits(Families.folder("qwen2"), "qwen2"))
    copy.configuration["tie_word_embeddings"] = false
    copy.change("lm_head.weight") { $0 = $0.map { $0 * 2 } }
    let twice = try logits(copy.write(in: folder, "untied"), "qwen2")
    let once = try logits(Families.folder("qwen2"), "qwen2")
    #expect(Families.difference(twice, once.map { $0 * 2 }) < 1e-5)
  }

  @Test(arguments: [("language_model.model.", "language_model.", ""), ("model.language_model.", "", "model.")])
  func gemma3SavedWithPicturesIsReadAsText(decoder: String, head: String, others: String) throws {
    var copy = try ModelCopy(folder: Families.folder("gemma3"))
    for index in copy.tensors.indices {
      copy.tensors[index].name = decoder + copy.tensors[index].name.dropFirst("model.".count)
    }
    copy.tensors.append(.init(name: others + "vision_tower.x.weight", shape: [1], values: [0]))
    copy.tensors.append(.init(name: others + "multi_modal_projector.y", shape: [1], values: [0]))
    var text = copy.configuration
    text["tie_word_embeddings"] = nil
    copy.configuration = ["model_type": "gemma3", "text_config": text, "tie_word_embeddings": true]
    #expect(try logits(copy.write(in: folder), "gemma3") == logits(Families.folder("gemma3"), "gemma3"))
  }

  @Test func identityIsThatOfConfigurationAndWeights() throws {
    var copy = try ModelCopy(folder: Families.folder("llama"))
    let path = try copy.write(in: folder, "a")
    let hash = try ModelSource.sha256(path: path)
    try "x".write(toFile: path + "/README.md", atomically: true, encoding: .utf8)
    #expect(try ModelSource.sha256(path: path) == hash)
    var joined = try Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))
    joined += try Data(contentsOf: URL(fileURLWithPath: path + "/model.safetensors"))
    let file = try folder.file("joined", [UInt8](joined))
    #expect(try ModelSource.sha256(path: file) == hash)
    copy.configuration["rms_norm_eps"] = 1e-5
    #expect(try ModelSource.sha256(path: copy.write(in: folder, "b")) != hash)
  }

  @Test func vocabularyMayBePaddedButNotCut() throws {
    let engine = try Engine(model: TinyModel.writeGGUF(in: folder, padding: 61))
    let last = Int32(engine.model.configuration.vocabSize - 1)
    #expect(Int(last) == TinyModel.vocabSize + 60)
    let logits = try Families.logits(engine.model, [[last, 5]])[0]
    #expect(logits.columns == TinyModel.vocabSize + 61)
    #expect(engine.tokenizer.decode([last]) == "\u{FFFD}")
    let error = #expect(throws: InferenceError.self) { try Engine(model: TinyModel.writeGGUF(in: folder, padding: -1)) }
    #expect(error.map { "\($0)" }?.contains("shape") == true)
  }
}
