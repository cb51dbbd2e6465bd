// A model folder as llama.cpp's converter writes it: its names, q and k of Llama interleaved, 1 added to Gemma's norms,
// Llama 3's scaling as a tensor. Attention scales are written out, as our small models are none that a reader knows.

import Foundation
import Inference

extension ModelCopy {
  private static let architectures = [
    "llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma2": "gemma2", "gemma3_text": "gemma3",
  ]

  /// The bytes of a GGUF file of this model, weights in F32.
  public func gguf() -> [UInt8] { ggufBuilder().file }

  /// The same, to be changed before it is written.
  public func ggufBuilder() -> GGUFBuilder {
    var builder = GGUFBuilder()
    let type = configuration["model_type"] as? String ?? ""
    let architecture = Self.architectures[type] ?? type
    let isGemma = architecture.hasPrefix("gemma")
    let parameters = configuration["rope_parameters"] as? [String: Any] ?? [:]
    let rope = parameters["full_attention"] as? [String: Any] ?? parameters
    func theta(_ key: String) -> Double { rope[key] as? Double ?? 0 }
    let headDimension = configuration["head_dim"] as? Int ?? int("hidden_size") / int("num_attention_heads")
    builder.metadata = [("general.architecture", .string(architecture))]
    func add(_ key: String, _ value: GGUFBuilder.Value) { builder.metadata.append(("\(architecture).\(key)", value)) }
    func add(_ key: String, int value: Int) { add(key, .uint32(UInt32(value))) }
    add("block_count", int: int("num_hidden_layers"))
    add("context_length", int: int("max_position_embeddings"))
    add("embedding_length", int: int("hidden_size"))
    add("feed_forward_length", int: int("intermediate_size"))
    add("attention.head_count", int: int("num_attention_heads"))
    add("attention.head_count_kv", int: int("num_key_value_heads"))
    add("attention.layer_norm_rms_epsilon", .float32(Float(number("rms_norm_eps"))))
    add("rope.freq_base", .float32(Float(theta("rope_theta"))))
    if configuration["head_dim"] != nil { add("attention.key_length", int: headDimension) }
    if isGemma {
      add("attention.sliding_window", int: int("sliding_window"))
      add("attention.scale", .float32(Float(1 / number("query_pre_attn_scalar").squareRoot())))
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] where configuration[key] is Double {
      add(key, .float32(Float(number(key))))
    }
    func add(_ name: String, _ shape: [Int], _ values: [Float]) {
      builder.tensors.append(
        .init(name: name, dimensions: shape.reversed().map(UInt64.init), type: 0, offset: UInt64(builder.data.count)))
      values.withUnsafeBytes { builder.data += $0 }
      while builder.data.count % 32 != 0 { builder.data.append(0) }
    }
    if rope["rope_type"] as? String == "llama3" {
      let divisors = (0..<headDimension / 2).map { pair -> Float in
        let wavelength = 2 * Double.pi * pow(theta("rope_theta"), 2 * Double(pair) / Double(headDimension))
        let turns = theta("original_max_position_embeddings") / wavelength
        let (low, high) = (theta("low_freq_factor"), theta("high_freq_factor"))
        let blend = min(1, max(0, (turns - low) / (high - low)))
        return Float(1 / ((1 - blend) / theta("factor") + blend))
      }
      add("rope_freqs.weight", [divisors.count], divisors)
    }
    for tensor in tensors {
      var values = tensor.values
      if isGemma, tensor.name.hasSuffix("norm.weight") { values = values.map { $0 + 1 } }
      if architecture == "llama", ["q_proj.", "k_proj."].contains(where: tensor.name.contains) {
        values = Self.interleaved(values, rows: tensor.shape[0], headDimension: headDimension)
      }
      add(Self.ggufName(tensor.name, isGemma: isGemma), tensor.shape, values)
    }
    return builder
  }

  /// Rows of each head's two halves by turns.
  private static func interleaved(_ values: [Float], rows: Int, headDimension c: Int) -> [Float] {
    let columns = values.count / rows
    return (0..<rows).flatMap { row in
      let (head, within) = (row / c, row % c)
      let source = head * c + within / 2 + (within % 2) * (c / 2)
      return values[source * columns..<(source + 1) * columns]
    }
  }

  private static func ggufName(_ name: String, isGemma: Bool) -> String {
    var parts = name.split(separator: ".").map(String.init)
    let names = [
      "embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output", "q_proj": "attn_q", "k_proj": "attn_k",
      "v_proj": "attn_v", "o_proj": "attn_output", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm",
      "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down", "input_layernorm": "attn_norm",
      "post_attention_layernorm": isGemma ? "post_attention_norm" : "ffn_norm",
      "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
    ]
    let ending = parts.removeLast()
    let own = names[parts.last ?? ""] ?? name
    return parts.contains("layers") ? "blk.\(parts[2]).\(own).\(ending)" : "\(own).\(ending)"
  }
}
