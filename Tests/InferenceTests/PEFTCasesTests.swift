// Adapters that PEFT 0.21.2 wrote (Fixtures/peft), with the logits that it computed on the same base; what is not computed here
// is refused by name.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct PEFTCasesTests {
  private static let root = fixturePath("peft")
  /// The base of all cases but those that bring one: a tiny pair's base among the fixtures of Diffing.
  private static let base = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "DiffingTests/Fixtures/diffing/base").path

  private func model(of name: String) throws -> Transformer {
    let own = Self.root + "/" + name + "/base"
    return try Transformer.load(path: FileManager.default.fileExists(atPath: own) ? own : Self.base)
  }

  @Test(arguments: [
    "plain_bin", "rslora", "dora", "rank_alpha_pattern", "layers_to_transform", "target_regex", "exclude_modules",
    "all_linear", "bfloat16", "bias_all", "bias_lora_only", "lora_bias",
  ]) func logitsArePEFTs(name: String) throws {
    let reference = try SafetensorsFile(path: Self.root + "/" + name + "/reference.safetensors")
    let shape = try reference.shape(of: "input_ids")
    let ids = try reference.ints(named: "input_ids").map(Int32.init)
    let texts = (0..<shape[0]).map { Array(ids[$0 * shape[1]..<($0 + 1) * shape[1]]) }
    let model = try model(of: name)
    let adapter = try Adapter(path: Self.root + "/" + name, for: model)
    let logits = try Families.logits(model, texts, adapter: adapter).flatMap(\.values)
    #expect(Families.difference(logits, try reference.floats(named: "logits")) <= 1e-4)
    let base = try Families.logits(model, texts).flatMap(\.values)
    #expect(Families.difference(base, try reference.floats(named: "logits_base")) <= 1e-4)
    #expect(Families.difference(base, logits) > 1e-3, "it changes nothing")
  }

  @Test(arguments: [
    ("lora_embedding", "lora_embedding"), ("modules_to_save_embed_tokens", "modules_to_save"),
    ("modules_to_save_lm_head", "modules_to_save"), ("modules_to_save_norm", "modules_to_save"),
    ("trainable_token_indices", "trainable_token_indices"),
  ]) func whatIsNotComputedIsRefusedByName(name: String, word: String) throws {
    let model = try model(of: name)
    #expect {
      try Adapter(path: Self.root + "/" + name, for: model)
    } throws: { "\($0)".contains(word) && !"\($0)".contains("\n") }
  }
}
