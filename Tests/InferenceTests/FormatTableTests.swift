// The tables of file formats: a row for every field that the reference libraries have, and what is refused is refused by
// name. Fixtures/fields.json is made by make_fields.py.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct FormatTableTests {
  let folder = TemporaryFolder()

  private static func fields(_ library: String) throws -> [String] {
    try #require(JSONDecoder().decode([String: [String]].self, from: fixture("fields.json"))[library], "\(library)")
  }

  private func expectRows(_ table: FormatTable, _ library: String) throws {
    let names = try Self.fields(library)
    #expect(!names.isEmpty)
    let missing = names.filter { table[$0] == nil }
    #expect(missing.isEmpty, "\(table.title) has no row for \(missing)")
  }

  @Test func everyFieldOfLoraConfigHasARow() throws { try expectRows(.adapter, "LoraConfig") }

  @Test func everyFieldOfTheConfigurationsHasARow() throws {
    let classes: [(ModelFamily, [String])] = [
      (.llama, ["LlamaConfig"]), (.gemma2, ["Gemma2Config"]), (.gemma3, ["Gemma3TextConfig", "Gemma3Config"]),
      (.qwen2, ["Qwen2Config"]), (.qwen3, ["Qwen3Config"]),
    ]
    #expect(classes.count == ModelFamily.all.count)
    for (family, names) in classes {
      for name in names + ["undeclared"] { try expectRows(.configuration(family), name) }
    }
  }

  /// The fields of each object of a tokenizer's files stand under the title of its table.
  @Test(arguments: FormatTable.tokenizers.map(\.title)) func everyFieldOfATokenizerHasARow(title: String) throws {
    try expectRows(#require(FormatTable.tokenizers.first { $0.title == title }), title)
  }

  /// Keys of GGUF files without a row are refused; those that llama.cpp acts on have one in a family at least, or are
  /// such keys.
  @Test func keysOfLlamaCppAreHonouredOrRefused() throws {
    for family in ModelFamily.all {
      let table = FormatTable.gguf(family)
      #expect(table.unknown == .refused)
      for name in try Self.fields("llama.cpp") where table[name]?.use == .withoutEffect {
        #expect(name.hasPrefix("rope.scaling.") || name == "attention.layer_norm_epsilon", "\(name)")
      }
    }
  }

  @Test(arguments: FormatTable.adapter.fields.filter { $0.use == .refused }.map(\.name))
  func whatATableRefusesIsRefusedByName(name: String) throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    func write(_ value: String) throws {
      try #"{"peft_type":"LORA","r":4,"lora_alpha":8,"target_modules":["q_proj","down_proj"],"\#(name)":\#(value)}"#
        .write(toFile: adapter + "/adapter_config.json", atomically: true, encoding: .utf8)
    }
    for value in ["7", #""something""#, "[1]", #"{"a":1}"#] {
      try write(value)
      let error = #expect(throws: InferenceError.self) { try Engine(model: model, adapter: adapter) }
      #expect(error.map { "\($0)" }?.contains("adapter_config.json: \(name) ") == true, "\(String(describing: error))")
    }
    for value in ["null", "false", "[]", "{}"] {
      try write(value)
      #expect(throws: Never.self) { try Engine(model: model, adapter: adapter) }
    }
  }

  /// Whoever reads a field refuses what can be no value of it.
  @Test(arguments: ModelFamily.all.map(\.architecture)) func everyHonouredFieldOfAConfigurationIsRead(
    family: String
  ) throws {
    var copy = try ModelCopy(folder: Families.folder(family))
    if family.hasPrefix("qwen") {
      copy.configuration.merge(["use_sliding_window": true, "sliding_window": 4, "max_window_layers": 0]) { $1 }
      copy.configuration["layer_types"] = nil
    }
    #expect(throws: Never.self) { try Transformer.load(path: copy.write(in: folder)) }
    let table = FormatTable.configuration(try #require(ModelFamily.all.first { $0.architecture == family }))
    let honoured = table.fields.filter { $0.use == .honoured && $0.name != "text_config" }.map(\.name)
    #expect(honoured.count > 15)
    for name in honoured {
      let old = copy.configuration[name]
      copy.configuration[name] = "absurd"
      let path = try copy.write(in: folder)
      #expect { try Transformer.load(path: path) } throws: { "\($0)".contains("config.json") && "\($0)".contains(name) }
      copy.configuration[name] = old
    }
  }

  @Test func everyHonouredFieldOfAnAdapterIsRead() throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    for field in FormatTable.adapter.fields where field.use == .honoured {
      let usual: [String: Any] = [
        "peft_type": "LORA", "r": 4, "target_modules": ["q_proj", "down_proj"], "layers_to_transform": [0, 1],
        "layers_pattern": "layers",
      ]
      try JSONSerialization.data(withJSONObject: usual.merging([field.name: ["x": []] as [String: [Int]]]) { $1 })
        .write(to: URL(fileURLWithPath: adapter + "/adapter_config.json"))
      #expect { try Engine(model: model, adapter: adapter) } throws: { "\($0)".contains(field.name) }
    }
  }

  @Test func aFieldThatNobodyKnowsIsRefusedOnlyWhereItAsksForSomething() throws {
    let model = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    for (value, isTaken) in [("null", true), ("false", true), ("{}", true), ("true", false), ("0.5", false)] {
      try #"{"peft_type":"LORA","r":4,"lora_alpha":8,"target_modules":"all-linear","newest":\#(value)}"#
        .write(toFile: adapter + "/adapter_config.json", atomically: true, encoding: .utf8)
      if isTaken {
        #expect(throws: Never.self) { try Engine(model: model, adapter: adapter) }
      } else {
        #expect { try Engine(model: model, adapter: adapter) } throws: { "\($0)".contains("unknown field newest") }
      }
    }
  }

  private func written(_ copy: ModelCopy, _ key: String, _ value: GGUFBuilder.Value) throws -> String {
    var builder = copy.ggufBuilder()
    builder.metadata.append((key, value))
    return try folder.file("model.gguf", builder.file)
  }

  @Test func keysOfOtherModelsInAGGUFFileAreRefusedByName() throws {
    let copy = try ModelCopy(folder: Families.folder("llama"))
    for (key, value, isTaken) in [
      ("logit_scale", GGUFBuilder.Value.float32(0.5), false), ("logit_scale", .float32(1), true),
      ("expert_count", .uint32(8), false), ("expert_count", .uint32(0), true),
      ("attention.causal", .bool(false), false), ("attention.causal", .bool(true), true),
      ("attention.sliding_window", .uint32(8), false), ("attention.scale", .float32(0.5), false),
      ("rope.scaling.attn_factor", .float32(2), false), ("nobody.knows.this", .uint32(3), false),
      ("nobody.knows.this", .uint32(0), true), ("vocab_size", .uint32(7), true),
    ] {
      let path = try written(copy, "llama." + key, value)
      if isTaken {
        #expect(throws: Never.self, "\(key)") { try Transformer.load(path: path) }
      } else {
        #expect { try Transformer.load(path: path) } throws: { "\($0)".contains("llama." + key) }
      }
    }
    for (key, value) in [("split.count", GGUFBuilder.Value.uint32(2)), ("general.type", .string("adapter"))] {
      let path = try written(copy, key, value)
      #expect { try Transformer.load(path: path) } throws: { "\($0)".contains(key) }
    }
  }
}
