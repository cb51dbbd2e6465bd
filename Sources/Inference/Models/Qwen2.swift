// Qwen2 and Qwen2.5: Llama with a bias on queries, keys and values.
// Reference implementation: modeling_qwen2.py of Hugging Face transformers.

extension ModelFamily {
  static let qwen2 = ModelFamily(
    name: "Qwen2", architecture: "qwen2", modelTypes: ["qwen2"]
  ) { keys, configuration throws(InferenceError) in
    configuration.biases = [.q, .k, .v]
    configuration.windows = try keys.windowsOfUpperLayers(configuration.nLayers)
  }
}
