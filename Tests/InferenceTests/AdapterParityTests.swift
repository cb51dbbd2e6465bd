// Adapters in every spelling that is honoured, against PEFT's logits (Fixtures/make_adapters.py), and those whose setting
// changes the base, which are refused by name.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct AdapterParityTests {
  private static var root: String { fixturePath("adapters") }
  let folder = TemporaryFolder()

  private static var spelled: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).filter { !$0.contains(".") && $0 != "base" }
      .sorted()
  }

  @Test(arguments: spelled) func logitsArePEFTs(name: String) throws {
    let expected = try SafetensorsFile(path: Self.root + "/expected.safetensors")
    let ids = try expected.ints(named: "input_ids").map(Int32.init)
    let model = try Transformer.load(path: Self.root + "/base")
    let adapter = try Adapter(path: Self.root + "/" + name, for: model)
    let logits = try Families.logits(model, [ids], adapter: adapter)[0].values
    #expect(Families.difference(logits, try expected.floats(named: name)) <= 1e-4)
    #expect(Families.difference(logits, try Families.logits(model, [ids])[0].values) > 0.01, "it changes nothing")
  }

  @Test func allSpellingsAreThere() { #expect(Self.spelled.count == 22) }

  /// An adapter's folder with some keys of another value.
  private func changed(_ name: String, _ changes: [String: Any]) throws -> String {
    let path = folder.path + "/adapter"
    try? FileManager.default.removeItem(atPath: path)
    try FileManager.default.copyItem(atPath: Self.root + "/" + name, toPath: path)
    let file = URL(fileURLWithPath: path + "/adapter_config.json")
    let old = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    try JSONSerialization.data(withJSONObject: old.merging(changes) { $1 }).write(to: file)
    return path
  }

  private func expectRefusal(_ words: [String], _ changes: [String: Any], of name: String = "names") throws {
    let model = try Transformer.load(path: Self.root + "/base")
    let path = try changed(name, changes)
    let error = #expect(throws: InferenceError.self) { try Adapter(path: path, for: model) }
    let text = error.map { "\($0)" } ?? ""
    for word in words { #expect(text.contains(word), "\(text) lacks \(word)") }
    #expect(!text.contains("\n"))
  }

  @Test func initialValuesThatChangeTheBaseAreRefusedByName() throws {
    for start in ["pissa", "pissa_niter_4", "olora", "OLoRA", "corda", "loftq", "tomorrows"] {
      try expectRefusal(["init_lora_weights", start], ["init_lora_weights": start])
    }
    try expectRefusal(["init_lora_weights"], ["init_lora_weights": 3])
  }

  @Test func aModuleWithoutItsTensorsIsRefusedOnlyWhereItWouldStartAtRandom() throws {
    let more: [String: Any] = ["target_modules": ["q_proj", "down_proj", "k_proj"]]
    try expectRefusal(["k_proj.lora_A.weight"], more.merging(["init_lora_weights": false]) { $1 })
    let model = try Transformer.load(path: Self.root + "/base")
    for start in [true, "gaussian"] as [Any] {
      let path = try changed("names", more.merging(["init_lora_weights": start]) { $1 })
      #expect(throws: Never.self) { try Adapter(path: path, for: model) }
    }
  }

  @Test func tensorsOfModulesThatAreNotNamedAreRefused() throws {
    for changes in [
      ["target_modules": ["q_proj"]], ["exclude_modules": ["down_proj"]], ["layers_to_transform": [0, 1, 2]],
      ["target_modules": NSNull()], ["target_modules": #".*q_proj"#],
    ] as [[String: Any]] {
      try expectRefusal(["lora_A.weight", "adapter_config.json names"], changes)
    }
  }

  @Test func settingsThatContradictOneAnotherAreRefused() throws {
    try expectRefusal(["layers_to_transform"], ["target_modules": ".*q_proj", "layers_to_transform": [1]])
    try expectRefusal(["layers_to_transform"], ["layers_pattern": "layers"])
    try expectRefusal(["target_modules", "(("], ["target_modules": "(("])
    try expectRefusal(["rank_pattern"], ["rank_pattern": ["q_proj": "two"]])
    try expectRefusal(["lora_alpha"], ["lora_alpha": "six"])
  }
}
