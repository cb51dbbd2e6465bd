// The Llama family (Llama, SmolLM2): RMSNorm, rotary positions, grouped-query attention, gated SiLU MLP.
// Reference implementation: modeling_llama.py of Hugging Face transformers.

extension ModelFamily {
  static let llama = ModelFamily(
    name: "Llama", architecture: "llama", modelTypes: ["llama"], interleavesHalvesInGGUF: true,
    reference: "LlamaConfig",
    fields: [
      .honoured("hidden_act", "silu, swish, gelu_pytorch_tanh or gelu_new; silu where it is absent."),
      .honoured("attention_bias", "Biases of q, k, v and o."), .honoured("mlp_bias", "Biases of gate, up and down."),
      .honoured("layer_types", "full_attention in all layers."),
      .withoutEffect("sliding_window", "The attention of transformers' Llama does not read it."),
    ]
  ) { keys, configuration throws(InferenceError) in
    try keys.requireNoWindows(configuration.nLayers)
    configuration.activation = try keys.activation("hidden_act") ?? .silu
    configuration.biases = try keys.biases(attention: [.q, .k, .v, .o], mlp: [.gate, .up, .down])
  }
}
