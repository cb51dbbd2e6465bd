// The Llama family (Llama, SmolLM2): RMSNorm, rotary positions, grouped-query attention, gated SiLU MLP.
// Reference implementation: modeling_llama.py of Hugging Face transformers.

extension ModelFamily {
  static let llama = ModelFamily(
    name: "Llama", architecture: "llama", modelTypes: ["llama"], interleavesHalvesInGGUF: true
  ) { keys, configuration throws(InferenceError) in
    configuration.biases = try keys.biases(attention: [.q, .k, .v, .o], mlp: [.gate, .up, .down])
  }
}
