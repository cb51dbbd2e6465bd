// Qwen2 and Qwen2.5: Llama with a bias on queries, keys and values.
// Reference implementation: modeling_qwen2.py of Hugging Face transformers.

extension ModelFamily {
  static let qwen2 = ModelFamily(
    name: "Qwen2", architecture: "qwen2", modelTypes: ["qwen2"],
    defaults: ["num_key_value_heads": 32, "sliding_window": 4096], reference: "Qwen2Config",
    fields: windowsOfUpperLayers + [
      .withoutEffect("attention_bias", "The family always has biases of q, k and v, and no others.")
    ]
  ) { keys, configuration throws(InferenceError) in
    configuration.activation = try keys.activation("hidden_act") ?? .silu
    configuration.biases = [.q, .k, .v]
    configuration.windows = try keys.windowsOfUpperLayers(configuration.nLayers)
  }

  /// The fields of Qwen's windows.
  static let windowsOfUpperLayers: [FormatTable.Field] = [
    .honoured("hidden_act", "silu, swish, gelu_pytorch_tanh or gelu_new; silu where it is absent."),
    .honoured("use_sliding_window", "True gives layers a window."),
    .honoured("sliding_window", "With `use_sliding_window`: 4096 where it is absent, no window where it is null."),
    .honoured("max_window_layers", "The first layer with a window; 28 where it is absent."),
    .honoured(
      "layer_types", "full_attention or sliding_attention for each layer; it takes precedence over `max_window_layers`."
    ),
  ]
}
