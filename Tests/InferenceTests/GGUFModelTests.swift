// What the metadata of a GGUF model may and may not say.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct GGUFModelTests {
  let folder = TemporaryFolder()

  /// A change of one key, `.`-led ones below the architecture; nil takes the key away.
  struct Change: CustomTestStringConvertible, Sendable {
    let family: String
    let key: String
    let value: Value?
    let word: String
    var testDescription: String { "\(family) \(key)" }

    enum Value: Sendable {
      case int(UInt32)
      case float(Float)
      case text(String)
      case flags([Bool])

      var gguf: GGUFBuilder.Value {
        switch self {
        case .int(let value): .uint32(value)
        case .float(let value): .float32(value)
        case .text(let value): .string(value)
        case .flags(let list):
          .raw(9, GGUFBuilder.bytes(UInt32(7)) + GGUFBuilder.bytes(UInt64(list.count)) + list.map { $0 ? 1 : 0 })
        }
      }
    }

    init(_ family: String, _ key: String, _ value: Value?, _ word: String? = nil) {
      (self.family, self.key, self.value, self.word) = (family, key, value, word ?? key)
    }
  }

  private func write(_ change: Change) throws -> String {
    var builder = try ModelCopy(folder: Families.folder(change.family)).ggufBuilder()
    let architecture = change.family.hasPrefix("llama") ? "llama" : change.family
    let key = change.key.hasPrefix(".") ? architecture + change.key : change.key
    builder.metadata.removeAll { $0.0 == key }
    if let value = change.value { builder.metadata.append((key, value.gguf)) }
    return try folder.file("model.gguf", builder.file)
  }

  static let wrong: [Change] =
    [
      ".block_count", ".embedding_length", ".feed_forward_length", ".attention.head_count", ".context_length",
      ".attention.layer_norm_rms_epsilon",
    ].flatMap { key in
      [Change("llama", key, nil), Change("llama", key, .text("4")), Change("llama", key, .int(.max))]
    } + [
      Change("llama", ".block_count", .int(0)), Change("llama", ".block_count", .int(5), "blk.4"),
      Change("llama", ".block_count", .int(3), "blk.3"), Change("llama", ".attention.head_count", .int(0)),
      Change("llama", ".attention.head_count_kv", .int(3), "key–value heads"),
      Change("qwen2", ".attention.head_count", .int(6), "qwen2.embedding_length"),
      Change("llama", ".attention.key_length", .int(7)), Change("llama", ".attention.key_length", .int(32), "shape"),
      Change("llama", ".attention.value_length", .int(8)), Change("llama", ".attention.key_length", .int(0)),
      Change("llama", ".rope.freq_base", .float(0)), Change("llama", ".rope.freq_base", .float(.nan)),
      Change("llama", ".rope.dimension_count", .int(8), "rotary"),
      Change("llama", ".rope.scaling.type", .text("yarn"), "yarn"),
      Change("llama", ".rope.scaling.type", .text("linear"), ".rope.scaling.factor"),
      Change("llama3-rope", ".rope.scaling.type", .text("linear"), "linear"),
      Change("llama", "general.architecture", .text("mamba"), "mamba"), Change("llama", "general.architecture", nil),
      Change("gemma2", ".attention.sliding_window", nil), Change("gemma3", ".attention.sliding_window", .int(0)),
      Change("gemma3", ".attention.sliding_window_pattern", .flags([true, false])),
      Change("gemma3", ".attention.sliding_window_pattern", .text("6")),
      Change("gemma2", ".attention.scale", .float(-1)), Change("gemma2", ".attn_logit_softcapping", .float(0)),
      Change("gemma2", ".final_logit_softcapping", .float(.infinity)),
    ]

  @Test(arguments: wrong) func wrongMetadata(change: Change) throws {
    let path = try write(change)
    let error = #expect(throws: InferenceError.self) { try Transformer.load(path: path) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains(change.word) && text.contains(path) && !text.contains("\n"), "\(text)")
  }

  @Test(arguments: [0, -1, .infinity, .nan] as [Float]) func wrongRopeDivisors(value: Float) throws {
    var builder = try ModelCopy(folder: Families.folder("llama")).ggufBuilder()
    builder.tensors.append(
      .init(name: "rope_freqs.weight", dimensions: [8], type: 0, offset: UInt64(builder.data.count)))
    builder.data += [Float](repeating: value, count: 8).flatMap { GGUFBuilder.bytes($0) }
    let path = try folder.file("model.gguf", builder.file)
    let error = #expect(throws: InferenceError.self) { try Transformer.load(path: path) }
    #expect(error.map { "\($0)" }?.contains("rope_freqs.weight") == true)
  }

  @Test func whatIsNotSaidIsAsLlamaCppHasIt() throws {
    let gemma2 = try Transformer.load(path: write(Change("gemma2", ".attention.scale", nil))).configuration
    #expect(gemma2.windows == [8, nil, 8, nil])
    #expect(gemma2.attentionScale == Float(1 / 24.0.squareRoot()))
    #expect((gemma2.attentionCap, gemma2.logitCap) == (50, 30))
    #expect(gemma2.embeddingScale == 8 && gemma2.tiesEmbeddings)
    let gemma3 = try Transformer.load(path: write(Change("gemma3", ".rope.freq_base", .float(5e5)))).configuration
    #expect(gemma3.windows == [8, 8, 8, 8, 8, nil, 8])
    #expect(gemma3.rope == Rotary(theta: 500_000) && gemma3.localRope == Rotary(theta: 10_000))
    #expect(gemma3.attentionCap == nil && gemma3.logitCap == nil)
    let llama = try Transformer.load(path: write(Change("llama", ".rope.scaling.type", .text("none")))).configuration
    #expect(llama.rope == Rotary(theta: 100_000) && llama.windows == [nil, nil, nil, nil])
  }

  @Test(arguments: [".rope.scaling.factor", ".rope.scale_linear"]) func aFactorAloneIsLinear(key: String) throws {
    let scaled = try Transformer.load(path: write(Change("qwen2", key, .float(4)))).configuration
    #expect(scaled.rope == Rotary(theta: 10_000, scaling: .linear(factor: 4)))
    let plain = try Transformer.load(path: write(Change("qwen2", key, .float(1)))).configuration
    #expect(plain.rope == Rotary(theta: 10_000))
  }

  @Test func windowsMayBeListedOrHaveAPeriod() throws {
    let key = ".attention.sliding_window_pattern"
    let period = try Transformer.load(path: write(Change("gemma3", key, .int(2)))).configuration
    #expect(period.windows == [8, nil, 8, nil, 8, nil, 8])
    let flags = [true, true, false, false, true, false, true]
    let listed = try Transformer.load(path: write(Change("gemma3", key, .flags(flags)))).configuration
    #expect(listed.windows == flags.map { $0 ? 8 : nil })
  }
}
