// Qwen3: Llama with a norm on each head's query and key, before they are rotated.
// Reference implementation: modeling_qwen3.py of Hugging Face transformers.

extension ModelFamily {
  static let qwen3 = ModelFamily(
    name: "Qwen3", architecture: "qwen3", modelTypes: ["qwen3"],
    defaults: ["head_dim": 128, "num_key_value_heads": 32, "sliding_window": 4096], reference: "Qwen3Config",
    fields: windowsOfUpperLayers + [.honoured("attention_bias", "Biases of q, k, v and o.")]
  ) { keys, configuration throws(InferenceError) in
    configuration.activation = try keys.activation("hidden_act") ?? .silu
    configuration.hasHeadNorms = true
    configuration.biases = try keys.biases(attention: [.q, .k, .v, .o])
    configuration.windows = try keys.windowsOfUpperLayers(configuration.nLayers)
  }
}
