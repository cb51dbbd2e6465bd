// A tiny random Llama with a byte-level vocabulary and SmolLM2's chat template, as a GGUF file, and an adapter for it:
// the whole program runs on it in seconds.

import Foundation
import Inference

/// Writes a tiny pair of models into a folder.
public enum TinyModel {
  public static let dModel = 32
  public static let nLayers = 4
  public static let vocabSize = 3 + 256
  /// The adapter's rank r; its α/r is 2.
  private static let rank = 4
  static let (heads, keyValueHeads, dMLP) = (4, 2, 64)

  /// Writes the model.
  /// - Parameters:
  ///   - padding: rows of the embedding beyond the tokenizer's ids; negative for too few.
  ///   - merging: the folder of an adapter to be added to the weights.
  /// - Returns: the file's path.
  public static func writeGGUF(
    in folder: TemporaryFolder, name: String = "tiny.gguf", seed: UInt64 = 1, padding: Int = 0,
    merging adapter: String? = nil
  ) throws -> String {
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
    let lowRank = try adapter.map { try SafetensorsFile(path: $0 + "/adapter_model.safetensors") }
    func add(_ name: String, _ columns: Int, _ rows: Int? = nil, value: Float? = nil, module: String = "") throws {
      let count = columns * (rows ?? 1)
      builder.tensors.append(
        .init(
          name: name, dimensions: [UInt64(columns)] + (rows.map { [UInt64($0)] } ?? []), type: 0,
          offset: UInt64(builder.data.count)))
      let scale = 1.5 / Float(columns).squareRoot()
      var values = (0..<count).map { _ in value ?? Float.random(in: -scale...scale, using: &generator) }
      if let lowRank, lowRank.hasTensor(named: module + ".lora_A.weight") {
        let (a, b) = (
          try lowRank.floats(named: module + ".lora_A.weight"), try lowRank.floats(named: module + ".lora_B.weight")
        )
        for i in values.indices {
          let row = isQuery(module) ? interleaved(i / columns) : i / columns
          for r in 0..<rank { values[i] += 2 * b[row * rank + r] * a[r * columns + i % columns] }
        }
      }
      for value in values { builder.data += GGUFBuilder.bytes(value) }
      while builder.data.count % 32 != 0 { builder.data.append(0) }
    }
    let keyValueWidth = dModel / heads * keyValueHeads
    try add("token_embd.weight", dModel, vocabSize + padding)
    for layer in 0..<nLayers {
      let stem = "blk.\(layer)."
      let module = "base_model.model.model.layers.\(layer)."
      try add(stem + "attn_norm.weight", dModel, value: 1)
      try add(stem + "attn_q.weight", dModel, dModel, module: module + "self_attn.q_proj")
      try add(stem + "attn_k.weight", dModel, keyValueWidth)
      try add(stem + "attn_v.weight", dModel, keyValueWidth)
      try add(stem + "attn_output.weight", dModel, dModel)
      try add(stem + "ffn_norm.weight", dModel, value: 1)
      try add(stem + "ffn_gate.weight", dModel, dMLP)
      try add(stem + "ffn_up.weight", dModel, dMLP)
      try add(stem + "ffn_down.weight", dMLP, dModel, module: module + "mlp.down_proj")
    }
    try add("output_norm.weight", dModel, value: 1)
    return try folder.file(name, builder.file)
  }

  private static func isQuery(_ module: String) -> Bool { module.hasSuffix("q_proj") }

  /// The row of PEFT's matrix at a row of the GGUF's, where a head's halves alternate.
  private static func interleaved(_ row: Int) -> Int {
    let c = dModel / heads
    return row / c * c + row % 2 * c / 2 + row % c / 2
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
        writer.add(stem + ".lora_A.weight", shape: [rank, columns], floats: random(rank * columns))
        writer.add(stem + ".lora_B.weight", shape: [rows, rank], floats: random(rows * rank).map { $0 * strength })
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
