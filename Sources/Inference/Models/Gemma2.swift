// Gemma 2: embeddings are scaled by √d, norms multiply by 1 + w and also follow attention and MLP, scores and logits
// are capped, and every other layer has a window. Reference implementation: modeling_gemma2.py of Hugging Face
// transformers; llama.cpp for what GGUF leaves out.

extension ModelFamily {
  static let gemma2 = ModelFamily(
    name: "Gemma 2", architecture: "gemma2", modelTypes: ["gemma2"], normOffset: 1, tiesByDefault: true,
    defaults: ["head_dim": 256, "num_attention_heads": 8, "num_key_value_heads": 4, "sliding_window": 4096],
    reference: "Gemma2Config",
    fields: gemmaFields + [
      .honoured("attn_logit_softcapping", "The cap on scores; 50 where it is absent, none where it is null."),
      .honoured("final_logit_softcapping", "The cap on logits; 30 where it is absent, none where it is null."),
      .withoutEffect(
        "sliding_window_pattern", "Every second layer sees everything, unless `layer_types` says otherwise."),
    ],
    metadata: gemmaMetadata + [
      .honoured("attn_logit_softcapping", "The cap on scores; 50 where it is absent."),
      .honoured("final_logit_softcapping", "The cap on logits; 30 where it is absent."),
    ]
  ) { keys, configuration throws(InferenceError) in
    try configuration.becomeGemma(keys, layersOfTheLargest: 46)
    configuration.windows = try keys.windows(configuration.nLayers, pattern: try keys.ggufPattern() ?? 2)
    configuration.attentionCap = try keys.cap("attn_logit_softcapping", absent: 50)
    configuration.logitCap = try keys.cap("final_logit_softcapping", absent: 30)
  }
}

extension ModelFamily {
  /// The fields that Gemma 2 and 3 share.
  static let gemmaFields: [FormatTable.Field] = [
    .honoured("hidden_activation", "gelu_pytorch_tanh where it is absent; also silu, swish and gelu_new."),
    .withoutEffect("hidden_act", "transformers reads `hidden_activation` alone."),
    .honoured("query_pre_attn_scalar", "Scores are divided by its root; 256 where it is absent."),
    .honoured("sliding_window", "The window; 4096 where it is absent."),
    .honoured("layer_types", "full_attention or sliding_attention for each layer."),
    .honoured("attention_bias", "Biases of q, k, v and o."),
    .refused("use_bidirectional_attention", "causal attention"),
  ]

  /// The keys of GGUF files that Gemma 2 and 3 share.
  static let gemmaMetadata: [FormatTable.Field] = [
    .honoured("attention.scale", "The factor of scores; if absent, llama.cpp's value for this size of model."),
    .honoured("attention.sliding_window", "The window."),
    .honoured("attention.sliding_window_pattern", "A list by layer, or a number n: every n-th layer sees everything."),
  ]
}

extension Transformer.Configuration {
  /// Sets what Gemma 2 and 3 share.
  /// - Parameter layersOfTheLargest: the number of layers of the one size whose attention scale does not follow from
  ///   the width of its heads; GGUF files do not say so.
  mutating func becomeGemma(_ keys: ModelKeys, layersOfTheLargest: Int) throws(InferenceError) {
    embeddingScale = Float(Double(dModel).squareRoot())
    hasPostNorms = true
    activation = try keys.activation("hidden_activation") ?? .geluTanh
    biases = try keys.biases(attention: [.q, .k, .v, .o])
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
