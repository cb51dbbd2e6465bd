// What a model folder may not say: each wrong configuration, index or weight is one line that names file and place.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct ModelRefusalTests {
  let folder = TemporaryFolder()

  private func expectOneLine(
    _ words: String..., from body: () throws -> Void, at location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: InferenceError.self, sourceLocation: location) { try body() }
    let text = error.map { "\($0)" } ?? ""
    #expect(!text.contains("\n"), sourceLocation: location)
    for word in words where !word.isEmpty {
      #expect(text.contains(word), "\(text) lacks \(word)", sourceLocation: location)
    }
  }

  /// A case of a wrong config.json: the family, the key, its JSON value (empty: the key is absent), a word of the error.
  struct Wrong: CustomTestStringConvertible, Sendable {
    let family, key, value, word: String
    var testDescription: String { "\(family) \(key): \(value)" }

    init(_ family: String, _ key: String, _ value: String, _ word: String? = nil) {
      (self.family, self.key, self.value, self.word) = (family, key, value, word ?? key)
    }
  }

  static let wrong: [Wrong] =
    ["num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "vocab_size"].flatMap { key in
      ["", "null", "0", "-4", "1e18", "4.5", #""4""#, "[4]", "true"].map { Wrong("llama", key, $0) }
    } + [
      Wrong("llama", "max_position_embeddings", ""), Wrong("llama", "max_position_embeddings", "0"),
      Wrong("llama", "num_key_value_heads", "3", "key–value heads"), Wrong("llama", "num_key_value_heads", "0"),
      Wrong("llama", "num_key_value_heads", "8", "key–value heads"),
      Wrong("llama", "num_attention_heads", "4000", "shape"),
      Wrong("llama", "num_hidden_layers", "5", "model.layers.4"),
      Wrong("llama", "num_hidden_layers", "3", "model.layers.3"), Wrong("llama", "hidden_size", "128", "shape"),
      Wrong("llama", "vocab_size", "351", "shape"), Wrong("llama", "head_dim", "15", "head_dim"),
      Wrong("llama", "head_dim", "32", "shape"), Wrong("llama", "head_dim", "0"), Wrong("llama", "head_dim", "-16"),
      Wrong("qwen2", "num_attention_heads", "6", "hidden_size"),
      Wrong("llama", "rms_norm_eps", "-1"), Wrong("llama", "rms_norm_eps", "1e300"),
      Wrong("llama", "hidden_act", #""relu""#), Wrong("llama", "hidden_act", "7"),
      Wrong("llama", "attention_bias", "true", "q_proj.bias"), Wrong("llama", "mlp_bias", "true", "gate_proj.bias"),
      Wrong("llama", "attention_bias", "1"), Wrong("llama", "tie_word_embeddings", "false", "lm_head.weight"),
      Wrong("llama3-rope", "tie_word_embeddings", "true", "wte"), Wrong("llama", "tie_word_embeddings", #""no""#),
      Wrong("llama", "model_type", ""), Wrong("llama", "model_type", #""mistral""#), Wrong("llama", "model_type", "3"),
      Wrong("llama", "quantization_config", #"{"bits":4}"#),
      Wrong("llama", "rope_parameters", "7"), Wrong("llama", "rope_parameters", #"{"rope_theta":0}"#, "rope_theta"),
      Wrong("llama", "rope_parameters", #"{"rope_theta":-1e4}"#, "rope_theta"),
      Wrong("llama", "rope_parameters", #"{"rope_type":"yarn"}"#, "rope_type"),
      Wrong("llama", "rope_parameters", #"{"type":"dynamic"}"#, "rope_type"),
      Wrong("llama", "rope_parameters", #"{"rope_type":"linear"}"#, "factor"),
      Wrong("llama", "rope_parameters", #"{"rope_type":"linear","factor":0}"#, "factor"),
      Wrong("llama", "rope_parameters", #"{"rope_type":"llama3","factor":8}"#, "low_freq_factor"),
      Wrong(
        "llama", "rope_parameters", #"{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4}"#,
        "high_freq_factor"),
      Wrong(
        "llama", "rope_parameters",
        #"{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":0}"#,
        "original_max_position_embeddings"),
      Wrong("llama", "partial_rotary_factor", "0.5"),
      Wrong("llama", "rope_parameters", #"{"partial_rotary_factor":0.5}"#, "partial_rotary_factor"),
      Wrong("llama", "rope_parameters", #"{"full_attention":{"rope_type":"default"}}"#, "full_attention"),
      Wrong("llama", "rope_scaling", #"{"rope_type":"yarn","factor":4}"#, "rope_type"),
      Wrong("qwen3", "is_causal", "false"), Wrong("gemma3", "is_causal", "false"),
      Wrong("llama", "per_layer_config", #"{"1":{"num_attention_heads":2}}"#),
      Wrong("llama", "pruned_heads", #"{"0":[1]}"#), Wrong("llama", "transformers_weights", #""other.safetensors""#),
      Wrong("llama", "compression_config", #"{"format":"pack"}"#), Wrong("llama", "is_encoder_decoder", "true"),
      Wrong(
        "llama", "layer_types",
        #"["full_attention","full_attention","full_attention","sliding_attention"]"#),
      Wrong("gemma2", "layer_types", #"["full_attention"]"#), Wrong("gemma2", "layer_types", "4"),
      Wrong("gemma3", "layer_types", #"["full_attention","sliding_attention"]"#),
      Wrong("gemma2", "layer_types", #"["a","b","c","d"]"#), Wrong("qwen3", "layer_types", "[]"),
      Wrong("qwen3", "layer_types", #"["sliding_attention",2,3,4]"#),
      Wrong(
        "qwen3", "layer_types", #"["full_attention","full_attention","full_attention","sliding_attention"]"#),
      Wrong("qwen2", "use_sliding_window", #""yes""#),
      Wrong("gemma2", "sliding_window", "0"),
      Wrong("gemma3", "sliding_window", "null"), Wrong("gemma3", "sliding_window", "-8"),
      Wrong("gemma2", "query_pre_attn_scalar", "0"), Wrong("gemma2", "query_pre_attn_scalar", "-32"),
      Wrong("gemma2", "attn_logit_softcapping", "0"), Wrong("gemma2", "final_logit_softcapping", "-30"),
      Wrong("gemma3", "attn_logit_softcapping", "50"), Wrong("gemma3", "use_bidirectional_attention", "true"),
      Wrong("gemma3", "rope_parameters", #"{"rope_type":"default","rope_theta":5}"#),
      Wrong("gemma3", "head_dim", "16", "shape"), Wrong("gemma3", "num_hidden_layers", "8", "layer_types"),
    ]

  @Test(arguments: wrong) func wrongConfigurations(_ wrong: Wrong) throws {
    var copy = try ModelCopy(folder: Families.folder(wrong.family))
    copy.configuration[wrong.key] =
      wrong.value.isEmpty
      ? nil : try JSONSerialization.jsonObject(with: Data(wrong.value.utf8), options: .fragmentsAllowed)
    if wrong.word == "wte" { copy.tensors.append(.init(name: "wte", shape: [1], values: [0])) }
    let path = try copy.write(in: folder)
    expectOneLine(path, wrong.word) { _ = try Transformer.load(path: path) }
  }

  @Test(arguments: [
    ("", "empty"), ("{", "damaged"), ("[]", "object"), ("7", "object"),
    (#"{"model_type":"llama","model_type":"qwen2"}"#, "twice"),
    (String(repeating: "[", count: 100_000), "damaged"), (#"{"a":NaN}"#, "damaged"), ("\u{0}", "damaged"),
  ])
  func textsThatAreNoConfiguration(text: String, word: String) throws {
    let path = try ModelCopy(folder: Families.folder("llama")).write(in: folder)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/config.json"))
    expectOneLine("config.json", word) { _ = try Transformer.load(path: path) }
  }

  @Test func filesThatAreNotThere() throws {
    let path = try ModelCopy(folder: Families.folder("llama")).write(in: folder)
    try FileManager.default.removeItem(atPath: path + "/model.safetensors")
    expectOneLine("model.safetensors") { _ = try Transformer.load(path: path) }
    try FileManager.default.removeItem(atPath: path + "/config.json")
    expectOneLine("config.json") { _ = try Transformer.load(path: path) }
    expectOneLine("/none") { _ = try Transformer.load(path: folder.path + "/none") }
    expectOneLine("tokenizer.json") { _ = try ModelSource(path: Families.folder("llama")).tokenizer() }
  }

  @Test func wrongIndices() throws {
    let path = try ModelCopy(folder: Families.folder("llama")).write(in: folder, shards: 2)
    let index = URL(fileURLWithPath: path + "/model.safetensors.index.json")
    let whole = try Data(contentsOf: index)
    let text = String(decoding: whole, as: UTF8.self).replacingOccurrences(of: "\\/", with: "/")
    let norm = #""model.norm.weight":"model-"#
    let number = try #require(text.range(of: norm).map { text[$0.upperBound] })
    let entry = norm + "\(number)-of-2.safetensors\""
    #expect(text.contains(entry))
    func expect(
      _ words: String, after old: String = "", _ new: String, _ more: String = "",
      at location: SourceLocation = #_sourceLocation
    ) throws {
      let changed = old.isEmpty ? new : text.replacingOccurrences(of: old, with: new)
      try Data(changed.utf8).write(to: index)
      expectOneLine(words, more, from: { _ = try Transformer.load(path: path) }, at: location)
    }
    try expect("damaged", "{")
    try expect("weight_map", #"{"metadata":{}}"#)
    try expect("at least one", #"{"weight_map":{}}"#)
    try expect("damaged", #"{"weight_map":{"a":1}}"#)
    try expect("damaged", #"{"weight_map":["a"]}"#)
    for name in [
      "../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", ".safetensors", "model.bin",
      "model.safetensors.index.json",
    ] {
      try expect("same folder", after: entry, #""model.norm.weight":"\#(name)""#, "index.json")
    }
    try expect("nowhere.safetensors", after: entry, #""model.norm.weight":"nowhere.safetensors""#)
    // In the other shard; in both entries; in none; and one that no shard has.
    let other = norm + "\(number == "1" ? 2 : 1)-of-2.safetensors\""
    try expect("model.norm.weight", after: entry, other)
    try expect("twice", after: entry, entry + "," + other)
    try expect("no entry", after: entry, #""x":"model-1-of-2.safetensors""#, "model.norm.weight")
    try expect("no tensor x", after: entry, entry + #","x":"model-1-of-2.safetensors""#, "model-1-of-2")
    try expect("twice", after: #""metadata":"#, #""weight_map":{},"metadata":"#)
    // Cut anywhere, it is never taken for a whole one.
    for length in stride(from: 0, to: whole.count, by: 97) {
      try whole[..<length].write(to: index)
      expectOneLine("index.json") { _ = try Transformer.load(path: path) }
    }
    try whole.write(to: index)
    _ = try Transformer.load(path: path)
    try FileManager.default.removeItem(atPath: path + "/model-2-of-2.safetensors")
    expectOneLine("model-2-of-2.safetensors") { _ = try Transformer.load(path: path) }
  }

  @Test func wrongTensors() throws {
    func expect(_ words: String..., at location: SourceLocation = #_sourceLocation, change: (inout ModelCopy) -> Void)
      throws
    {
      var copy = try ModelCopy(folder: Families.folder("qwen3"))
      change(&copy)
      let path = try copy.write(in: folder)
      for word in words {
        expectOneLine(word, from: { _ = try Transformer.load(path: path) }, at: location)
      }
    }
    try expect("model.layers.2.mlp.up_proj.weight", "no tensor") { copy in
      copy.tensors.removeAll { $0.name == "model.layers.2.mlp.up_proj.weight" }
    }
    try expect("model.layers.0.mlp.experts.0", "plain Qwen3 of 4 blocks") { copy in
      copy.tensors.append(.init(name: "model.layers.0.mlp.experts.0", shape: [1], values: [0]))
    }
    try expect("q_proj.bias") { copy in
      copy.tensors.append(
        .init(name: "model.layers.0.self_attn.q_proj.bias", shape: [128], values: .init(repeating: 0, count: 128)))
    }
    try expect("embed_tokens") { copy in copy.tensors.removeAll { $0.name.contains("embed_tokens") } }
    try expect("shape", "[64, 352]") { copy in
      for i in copy.tensors.indices where copy.tensors[i].name.contains("embed_tokens") {
        copy.tensors[i].shape = [64, 352]
      }
    }
    try expect("vision_tower") { copy in copy.tensors.append(.init(name: "vision_tower.x", shape: [1], values: [0])) }
  }

  @Test func otherTypesThanFloats() throws {
    let path = try ModelCopy(folder: Families.folder("llama")).write(in: folder)
    let file = try SafetensorsFile(path: path + "/model.safetensors")
    var writer = SafetensorsWriter()
    for tensor in file.tensors {
      if tensor.name == "model.layers.1.self_attn.k_proj.weight" {
        writer.add(tensor.name, shape: tensor.shape, doubles: try tensor.doubles())
      } else {
        writer.add(tensor.name, shape: tensor.shape, floats: try tensor.floats())
      }
    }
    try writer.write(to: path + "/model.safetensors")
    expectOneLine("model.layers.1.self_attn.k_proj.weight", "F64") { _ = try Transformer.load(path: path) }
  }

  /// A vector is looked through at load; a matrix shows its NaN in the block that computes with it.
  @Test(arguments: Families.all) func notANumberInAnyWeight(name: String) throws {
    let whole = try ModelCopy(folder: Families.folder(name))
    for index in whole.tensors.indices where !whole.tensors[index].name.contains(".layers.0.") {
      var copy = whole
      let tensor = copy.tensors[index]
      let middle = tensor.shape.count == 2 ? 5 * tensor.shape[1] + 7 : 3
      copy.tensors[index].values[middle] = .nan
      let path = try copy.write(in: folder)
      if tensor.shape.count == 1 {
        expectOneLine(tensor.name) { _ = try Transformer.load(path: path) }
      } else {
        let model = try Transformer.load(path: path)
        let layer = tensor.name.split(separator: ".").dropFirst(2).first ?? ""
        let place =
          tensor.name.contains(".layers.")
          ? "block \(layer)" : tensor.name.contains("lm_head") ? "unembedding" : "block 0"
        for text in [[Int32]](arrayLiteral: [5], [1, 5, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14]) {
          expectOneLine("not finite", place) { _ = try Families.logits(model, [text]) }
        }
      }
    }
  }
}
