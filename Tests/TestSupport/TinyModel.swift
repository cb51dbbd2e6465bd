// A tiny random Llama with a byte-level vocabulary and SmolLM2's chat template, as a GGUF file, and an adapter for it:
// the whole program runs on it in seconds.

import Foundation
import Inference

/// Writes a tiny pair of models into a folder.
public enum TinyModel {
  public static let dModel = 32
  public static let nLayers = 4
  public static let vocabSize = 3 + 256
  static let (heads, keyValueHeads, dMLP) = (4, 2, 64)

  /// Writes the model.
  /// - Parameter padding: rows of the embedding beyond the tokenizer's ids; negative for too few.
  /// - Returns: the file's path.
  public static func writeGGUF(in folder: TemporaryFolder, seed: UInt64 = 1, padding: Int = 0) throws -> String {
    var builder = GGUFBuilder()
    let words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + byteWords
    builder.metadata = [
      ("general.architecture", .string("llama")), ("llama.block_count", .uint32(UInt32(nLayers))),
      ("llama.context_length", .uint32(512)), ("llama.embedding_length", .uint32(UInt32(dModel))),
      ("llama.feed_forward_length", .uint32(UInt32(dMLP))), ("llama.attention.head_count", .uint32(UInt32(heads))),
      ("llama.attention.head_count_kv", .uint32(UInt32(keyValueHeads))), ("llama.rope.freq_base", .float32(10_000)),
      ("llama.attention.layer_norm_rms_epsilon", .float32(1e-5)),
      ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.pre", .string("smollm")),
      ("tokenizer.ggml.tokens", .strings(words)),
      ("tokenizer.ggml.token_type", .int32s([3, 3, 3] + [Int32](repeating: 1, count: 256))),
      ("tokenizer.ggml.merges", .strings([])), ("tokenizer.ggml.bos_token_id", .uint32(1)),
      ("tokenizer.ggml.eos_token_id", .uint32(2)), ("tokenizer.ggml.add_bos_token", .bool(false)),
      ("tokenizer.chat_template", .string(chatTemplate)),
    ]
    var generator = SeededGenerator(seed)
    func add(_ name: String, _ columns: Int, _ rows: Int? = nil, value: Float? = nil) {
      let count = columns * (rows ?? 1)
      builder.tensors.append(
        .init(
          name: name, dimensions: [UInt64(columns)] + (rows.map { [UInt64($0)] } ?? []), type: 0,
          offset: UInt64(builder.data.count)))
      let scale = 1.5 / Float(columns).squareRoot()
      for _ in 0..<count {
        builder.data += GGUFBuilder.bytes(value ?? Float.random(in: -scale...scale, using: &generator))
      }
      while builder.data.count % 32 != 0 { builder.data.append(0) }
    }
    let keyValueWidth = dModel / heads * keyValueHeads
    add("token_embd.weight", dModel, vocabSize + padding)
    for layer in 0..<nLayers {
      let stem = "blk.\(layer)."
      add(stem + "attn_norm.weight", dModel, value: 1)
      add(stem + "attn_q.weight", dModel, dModel)
      add(stem + "attn_k.weight", dModel, keyValueWidth)
      add(stem + "attn_v.weight", dModel, keyValueWidth)
      add(stem + "attn_output.weight", dModel, dModel)
      add(stem + "ffn_norm.weight", dModel, value: 1)
      add(stem + "ffn_gate.weight", dModel, dMLP)
      add(stem + "ffn_up.weight", dModel, dMLP)
      add(stem + "ffn_down.weight", dMLP, dModel)
    }
    add("output_norm.weight", dModel, value: 1)
    return try folder.file("tiny.gguf", builder.file)
  }

  /// Writes a LoRA adapter for blocks 0 and 1.
  /// - Parameter strength: 0 gives an adapter that changes nothing.
  /// - Returns: the adapter's folder.
  public static func writeAdapter(in folder: TemporaryFolder, seed: UInt64 = 2, strength: Float = 1) throws -> String {
    let path = folder.path + "/adapter"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try #"{"peft_type":"LORA","r":4,"lora_alpha":8,"bias":"none","target_modules":["q_proj","down_proj"]}"#
      .write(toFile: path + "/adapter_config.json", atomically: true, encoding: .utf8)
    var generator = SeededGenerator(seed)
    func random(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -0.3...0.3, using: &generator) } }
    var writer = SafetensorsWriter()
    for layer in 0..<2 {
      for (name, rows, columns) in [("self_attn.q_proj", dModel, dModel), ("mlp.down_proj", dModel, dMLP)] {
        let stem = "base_model.model.model.layers.\(layer).\(name)"
        writer.add(stem + ".lora_A.weight", shape: [4, columns], floats: random(4 * columns))
        writer.add(stem + ".lora_B.weight", shape: [rows, 4], floats: random(rows * 4).map { $0 * strength })
      }
    }
    try writer.write(to: path + "/adapter_model.safetensors")
    return path
  }

  /// Every byte as GPT-2's byte-level vocabularies write it.
  private static var byteWords: [String] {
    var next: UInt32 = 0x100
    return (0..<256).compactMap { byte -> String? in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(UInt32(byte)).map { String(Character($0)) }
      default:
        defer { next += 1 }
        return Unicode.Scalar(next).map { String(Character($0)) }
      }
    }
  }

  private static let chatTemplate =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    + "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    + "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
}
