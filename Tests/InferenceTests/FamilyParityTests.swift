// Parity of every family with Hugging Face transformers in fp32 on tiny random models (see Fixtures/make_models.py), as a
// ladder: the residual stream after each block, logits, steered logits. The first rung that differs is named.

import Foundation
import TestSupport
import Testing

@testable import Inference
@testable import Kernels

/// The families' fixtures; texts are longer than their windows.
enum Families {
  static let all = ["llama", "llama3-rope", "qwen2", "qwen3", "gemma2", "gemma3"]
  static func folder(_ name: String) -> String { fixturePath("models/\(name)") }

  /// The logits of whole texts, all in one batch.
  static func logits(_ model: Transformer, _ texts: [[Int32]], adapter: Adapter? = nil, hooks: Hooks = Hooks()) throws
    -> [Matrix]
  {
    try model.forward(
      texts.enumerated().map {
        Segment(stream: $0, cache: model.makeCache(), tokens: $1, adapter: adapter, logits: .all)
      }, hooks: hooks)
  }

  /// The two texts of a fixture.
  static func texts(_ name: String) throws -> [[Int32]] {
    let file = try SafetensorsFile(path: folder(name) + "/reference.safetensors")
    let ids = try file.ints(named: "input_ids").map(Int32.init)
    return [Array(ids[..<(ids.count / 2)]), Array(ids[(ids.count / 2)...])]
  }

  static func difference(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Float {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }
}

@Suite struct FamilyParityTests {
  let folder = TemporaryFolder()

  /// What the rungs of a reference differ by, in order.
  private func ladder(_ model: Transformer, _ name: String) throws -> [(rung: String, difference: Float)] {
    let reference = try SafetensorsFile(path: Families.folder(name) + "/reference.safetensors")
    let texts = try Families.texts(name)
    nonisolated(unsafe) var hidden: [Int: [Float]] = [:]
    var hooks = Hooks()
    for layer in 0..<model.configuration.nLayers {
      hooks.add(layer: layer, site: .residPost) { view in
        hidden[layer] = Array(UnsafeBufferPointer(start: view.values, count: 2 * texts[0].count * view.d))
      }
    }
    let logits = try Families.logits(model, texts, hooks: hooks)
    let layer = try #require(reference.ints(named: "steer_layer").first)
    let vector = try reference.floats(named: "steer_vector")
    var steering = Hooks()
    steering.add(layer: layer, site: .residPost) { view in
      for rows in view.segments { for row in rows.rows { addScaled(1, vector, to: view.row(row), count: view.d) } }
    }
    let steered = try Families.logits(model, texts, hooks: steering)
    var rungs: [(String, Float)] = []
    for layer in 0..<model.configuration.nLayers {
      rungs.append(
        (
          "block \(layer)",
          Families.difference(try #require(hidden[layer]), try reference.floats(named: "hidden.\(layer)"))
        ))
    }
    rungs.append(("logits", Families.difference(logits.flatMap(\.values), try reference.floats(named: "logits"))))
    rungs.append(
      ("steered logits", Families.difference(steered.flatMap(\.values), try reference.floats(named: "steered_logits"))))
    return rungs
  }

  private func expectParity(_ model: Transformer, _ name: String) throws {
    let rungs = try ladder(model, name)
    let first = rungs.first { !($0.difference <= 1e-4) }
    #expect(first == nil, "\(name) differs first at \(first?.rung ?? "") by \(first?.difference ?? 0)")
    print("parity of \(name):", rungs.map { "\($0.rung) \($0.difference)" }.joined(separator: ", "))
  }

  @Test(arguments: Families.all) func folderAgreesWithTransformers(name: String) throws {
    try expectParity(try Transformer.load(path: Families.folder(name)), name)
  }

  @Test(arguments: Families.all) func convertedToGGUFAgreesToo(name: String) throws {
    let path = try folder.file("model.gguf", ModelCopy(folder: Families.folder(name)).gguf())
    try expectParity(try Transformer.load(path: path), name)
  }

  @Test(arguments: Families.all) func tokenByTokenEqualsTheWhole(name: String) throws {
    let model = try Transformer.load(path: Families.folder(name))
    for text in try Families.texts(name) {
      let whole = try Families.logits(model, [text])[0]
      for step in [1, 5, 9] {
        let cache = model.makeCache()
        var pieces: [Float] = []
        for start in stride(from: 0, to: text.count, by: step) {
          let tokens = Array(text[start..<min(start + step, text.count)])
          pieces += try model.forward([Segment(stream: 0, cache: cache, tokens: tokens, logits: .all)])[0].values
        }
        #expect(Families.difference(pieces, whole.values) < 2e-5, "in steps of \(step)")
      }
    }
  }

  @Test(arguments: Families.all) func inOneBatchEqualsEachAlone(name: String) throws {
    let model = try Transformer.load(path: Families.folder(name))
    var texts = try Families.texts(name)
    texts[1].removeLast(7)
    let together = try Families.logits(model, texts)
    for (text, logits) in zip(texts, together) {
      #expect(Families.difference(try Families.logits(model, [text])[0].values, logits.values) < 2e-5)
    }
  }

  /// What a block adds is what its hooks see: resid_post = resid_pre + attn_out + mlp_out, norms behind them included.
  @Test(arguments: Families.all) func sitesAddUp(name: String) throws {
    let model = try Transformer.load(path: Families.folder(name))
    nonisolated(unsafe) var seen: [Site: [Float]] = [:]
    let text = try Families.texts(name)[0]
    var hooks = Hooks()
    for site in Site.allCases {
      hooks.add(layer: 1, site: site) { view in
        seen[site] = Array(UnsafeBufferPointer(start: view.values, count: text.count * view.d))
      }
    }
    _ = try Families.logits(model, [text], hooks: hooks)
    let (pre, attention) = (try #require(seen[.residPre]), try #require(seen[.attnOut]))
    let (mid, mlp, post) = (try #require(seen[.residMid]), try #require(seen[.mlpOut]), try #require(seen[.residPost]))
    #expect(Families.difference(zip(pre, attention).map(+), mid) == 0)
    #expect(Families.difference(zip(mid, mlp).map(+), post) == 0)
  }

  /// The lens applies the final norm's effective weight, the offset of Gemma's included.
  @Test(arguments: Families.all) func lensUsesTheEffectiveNorm(name: String) throws {
    let model = try Transformer.load(path: Families.folder(name))
    let copy = try ModelCopy(folder: Families.folder(name))
    let weight = try #require(copy.tensors.first { $0.name == "model.norm.weight" }).values
    let offset: Float = name.hasPrefix("gemma") ? 1 : 0
    let d = weight.count
    var row = Matrix(rows: 1, columns: d)
    row[0, 3] = 2
    let untied = copy.tensors.first { $0.name == "lm_head.weight" }
    let head = try #require(untied ?? copy.tensors.first { $0.name == "model.embed_tokens.weight" }).values
    let wanted = (0..<model.configuration.vocabSize).map { head[$0 * d + 3] * 2 * (weight[3] + offset) }
    #expect(Families.difference(model.unembed(row).values, wanted) < 1e-5)
  }

  @Test(arguments: Families.all) func adapterEqualsMergedWeights(name: String) throws {
    var merged = try ModelCopy(folder: Families.folder(name))
    let adapterPath = try writeAdapter(for: &merged)
    let texts = try Families.texts(name)
    let wanted = try Families.logits(Transformer.load(path: merged.write(in: folder)), texts)
    let gguf = try folder.file("model.gguf", ModelCopy(folder: Families.folder(name)).gguf())
    for path in [Families.folder(name), gguf] {
      let model = try Transformer.load(path: path)
      let got = try Families.logits(model, texts, adapter: Adapter(path: adapterPath, for: model))
      for (a, b) in zip(got, wanted) { #expect(Families.difference(a.values, b.values) < 1e-4) }
    }
  }

  /// Writes a LoRA adapter for all projections of all blocks, and merges it into the model.
  private func writeAdapter(for model: inout ModelCopy) throws -> String {
    let path = folder.path + "/adapter"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try #"{"peft_type":"LORA","r":2,"lora_alpha":6,"target_modules":"all-linear"}"#.write(
      toFile: path + "/adapter_config.json", atomically: true, encoding: .utf8)
    var generator = SeededGenerator(3)
    var writer = SafetensorsWriter()
    for index in model.tensors.indices where model.tensors[index].name.hasSuffix("_proj.weight") {
      let tensor = model.tensors[index]
      let (rows, columns) = (tensor.shape[0], tensor.shape[1])
      let a = (0..<2 * columns).map { _ in Float.random(in: -0.1...0.1, using: &generator) }
      let b = (0..<rows * 2).map { _ in Float.random(in: -0.1...0.1, using: &generator) }
      let stem = "base_model.model." + tensor.name.dropLast(".weight".count)
      writer.add(stem + ".lora_A.weight", shape: [2, columns], floats: a)
      writer.add(stem + ".lora_B.weight", shape: [rows, 2], floats: b)
      for r in 0..<rows {
        for c in 0..<columns {
          model.tensors[index].values[r * columns + c] += 3 * (b[r * 2] * a[c] + b[r * 2 + 1] * a[columns + c])
        }
      }
    }
    try writer.write(to: path + "/adapter_model.safetensors")
    return path
  }
}
