// Gemma 3, its text model: Gemma 2 without the cap on scores, with a norm on each head's query and key, five layers with
// a window and a rotary base of their own to each that sees everything.
// Reference implementation: modeling_gemma3.py of Hugging Face transformers; for what GGUF leaves out, llama.cpp.

extension ModelFamily {
  static let gemma3 = ModelFamily(
    name: "Gemma 3", architecture: "gemma3", modelTypes: ["gemma3_text", "gemma3"], normOffset: 1,
    tiesByDefault: true,
    defaults: [
      "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262_208,
      "max_position_embeddings": 131_072,
    ]
  ) { keys, configuration throws(InferenceError) in
    try configuration.becomeGemma(keys, layersOfTheLargest: 62)
    configuration.hasHeadNorms = true
    configuration.windows = try keys.windows(configuration.nLayers, pattern: 6)
    // The reference reads this key and never uses it.
    try keys.refuse(number: "attn_logit_softcapping", supported: "scores without a cap")
    configuration.logitCap = try keys.cap("final_logit_softcapping", absent: nil)
    (configuration.rope, configuration.localRope) = try keys.globalAndLocalRope(configuration.headDimension)
  }
}
