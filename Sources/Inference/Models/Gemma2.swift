// Gemma 2: embeddings scaled by √d, norms of 1 + w also behind attention and MLP, capped scores and logits, a window in
// every other layer. Reference implementation: modeling_gemma2.py of Hugging Face transformers; for what GGUF leaves
// out, llama.cpp.

extension ModelFamily {
  static let gemma2 = ModelFamily(
    name: "Gemma 2", architecture: "gemma2", modelTypes: ["gemma2"], normOffset: 1, tiesByDefault: true,
    defaults: ["head_dim": 256]
  ) { keys, configuration throws(InferenceError) in
    try configuration.becomeGemma(keys, layersOfTheLargest: 46)
    configuration.windows = try keys.windows(configuration.nLayers, pattern: 2)
    configuration.attentionCap = try keys.cap("attn_logit_softcapping", absent: 50)
    configuration.logitCap = try keys.cap("final_logit_softcapping", absent: 30)
  }
}

extension Transformer.Configuration {
  /// What Gemma 2 and 3 have in common.
  /// - Parameter layersOfTheLargest: the one size whose attention scale is not that of its heads; GGUF files do not say.
  mutating func becomeGemma(_ keys: ModelKeys, layersOfTheLargest: Int) throws(InferenceError) {
    embeddingScale = Float(Double(dModel).squareRoot())
    hasPostNorms = true
    activation = try keys.activation("hidden_activation") ?? .geluTanh
    biases = try keys.biases(attention: [.q, .k, .v, .o])
    try keys.refuse(true: "use_bidirectional_attention", supported: "causal attention")
    if keys.isGGUF {
      let largest = Double(dModel) / Double(nHeads)
      let usual = (nLayers == layersOfTheLargest ? largest : Double(headDimension)).squareRoot()
      attentionScale = Float(try keys.number(gguf: "attention.scale", in: 1e-6...1e6) ?? 1 / usual)
    } else {
      let scalar = try keys.number(json: "query_pre_attn_scalar", in: 1e-6...1e9) ?? 256
      attentionScale = Float(1 / scalar.squareRoot())
    }
  }
}
