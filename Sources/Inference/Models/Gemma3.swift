// Gemma 3, the text model: Gemma 2 without the cap on scores and with a norm on each head's query and key. For each
// layer that sees everything, there are five with a window and a rotary base of their own. Reference implementation:
// modeling_gemma3.py of Hugging Face transformers; llama.cpp for what GGUF leaves out.

extension ModelFamily {
  static let gemma3 = ModelFamily(
    name: "Gemma 3", architecture: "gemma3", modelTypes: ["gemma3_text", "gemma3"], normOffset: 1,
    hasLocalRope: true, tiesByDefault: true,
    defaults: [
      "num_hidden_layers": 26, "hidden_size": 2304, "intermediate_size": 9216, "num_attention_heads": 8,
      "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262_208, "max_position_embeddings": 131_072,
      "sliding_window": 4096,
    ],
    reference: "Gemma3TextConfig and Gemma3Config",
    fields: gemmaFields + [
      .honoured(
        "sliding_window_pattern", "If `layer_types` is absent, every n-th layer sees everything; n is 6 by default."),
      .withoutEffect(
        "original_max_position_embeddings", "transformers reads only the one inside the object of rotary parameters."),
      .withoutEffect("_sliding_window_pattern", "transformers writes it and does not read it."),
      .honoured("rope_local_base_freq", "θ of layers with a window, where `rope_parameters` has none; 10000."),
      .honoured("final_logit_softcapping", "The cap on logits; none where it is absent or null."),
      .refused("attn_logit_softcapping", "scores without a cap"),
      .honoured("text_config", "The text model's own fields, where the model also sees pictures."),
      .withoutEffect("vision_config", "Pictures are not read."),
      .withoutEffect("mm_tokens_per_image", "Pictures are not read."),
      .withoutEffect("boi_token_index", "Pictures are not read."),
      .withoutEffect("eoi_token_index", "Pictures are not read."),
      .withoutEffect("image_token_index", "Pictures are not read."),
    ],
    metadata: gemmaMetadata + [
      .honoured("rope.freq_base_swa", "θ of layers with a window; 10000 where it is absent."),
      .honoured("final_logit_softcapping", "The cap on logits; none where it is absent."),
    ]
  ) { keys, configuration throws(InferenceError) in
    try configuration.becomeGemma(keys, layersOfTheLargest: 62)
    configuration.hasHeadNorms = true
    let pattern = try keys.int(json: "sliding_window_pattern", in: 1...1 << 12) ?? 6
    configuration.windows = try keys.windows(configuration.nLayers, pattern: try keys.ggufPattern() ?? pattern)
    configuration.logitCap = try keys.cap("final_logit_softcapping", absent: nil)
  }
}
