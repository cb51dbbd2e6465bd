// The fields of config.json: those of transformers' configuration classes for these families, and of their base
// classes. A family's own rows are in its file in Models/.

extension FormatTable {
  static let transformers = "transformers 5.24.0"

  /// The table of a family's config.json: the fields that all families share, then the family's own.
  static func configuration(_ family: ModelFamily) -> FormatTable {
    FormatTable(
      "config.json of \(family.name)", reference: "\(transformers), \(family.reference)", unknown: .ignored,
      sharedConfiguration + family.fields)
  }

  /// All tables of models: the fields that families share, then each family's own.
  public static var models: [FormatTable] {
    let configurations = ModelFamily.all.map { family in
      FormatTable(
        "config.json of \(family.name), besides", reference: "\(transformers), \(family.reference)", unknown: .ignored,
        family.fields)
    }
    let metadata = ModelFamily.all.filter { !$0.metadata.isEmpty }.map { family in
      FormatTable(
        "GGUF metadata of \(family.name), besides", reference: "llama.cpp", unknown: .refused, family.metadata)
    }
    return [FormatTable("config.json", reference: transformers, unknown: .ignored, sharedConfiguration)]
      + configurations
      + [rotary, sharedGGUF] + metadata
  }

  /// The table of the object of rotary parameters, and of the objects in it, one for each kind of layer.
  public static let rotary = FormatTable(
    "rope_parameters and rope_scaling of config.json", reference: "\(transformers), modeling_rope_utils",
    unknown: .ignored,
    [
      .honoured("rope_type", "default, linear and llama3 are taken; every other type is refused."),
      .honoured("type", "The older name of `rope_type`, used if that is absent."),
      .honoured("rope_theta", "It takes precedence over the one beside the object."),
      .honoured("factor", "The factor of linear and llama3."),
      .honoured("low_freq_factor", "A setting of llama3."),
      .honoured("high_freq_factor", "A setting of llama3."),
      .honoured(
        "original_max_position_embeddings",
        "A setting of llama3; the one beside the object takes precedence; `max_position_embeddings` if both are absent."
      ),
      .refused("partial_rotary_factor", unless: [.number(1)], "rotary positions over whole heads"),
      .withoutEffect("attention_factor", "It belongs to yarn and longrope, which are refused."),
      .withoutEffect("beta_fast", "It belongs to yarn, which is refused."),
      .withoutEffect("beta_slow", "It belongs to yarn, which is refused."),
      .withoutEffect("mscale", "It belongs to yarn, which is refused."),
      .withoutEffect("mscale_all_dim", "It belongs to yarn, which is refused."),
      .withoutEffect("truncate", "It belongs to yarn, which is refused."),
      .withoutEffect("short_factor", "It belongs to longrope, which is refused."),
      .withoutEffect("long_factor", "It belongs to longrope, which is refused."),
      .honoured("full_attention", "Gemma 3's object for layers that see everything; other families refuse it."),
      .honoured("sliding_attention", "Gemma 3's object for layers with a window; other families refuse it."),
    ])

  private static let sharedConfiguration: [Field] = [
    .honoured("model_type", "Chooses the family."),
    .honoured("num_hidden_layers", "The number of blocks."),
    .honoured("hidden_size", "d, the residual stream's width."),
    .honoured("intermediate_size", "The MLP's width."),
    .honoured("num_attention_heads", "The number of query heads."),
    .honoured("num_key_value_heads", "The number of key–value heads; null means as many as query heads."),
    .honoured(
      "head_dim", "A head's width; hidden_size ÷ num_attention_heads where the class has no number of its own."),
    .honoured("vocab_size", "The number of rows of the embedding."),
    .honoured("max_position_embeddings", "Longer texts are refused."),
    .honoured("rms_norm_eps", "ε of all norms; 1e-6 where it is absent."),
    .honoured(
      "tie_word_embeddings",
      "True means that one matrix is embedding and unembedding, whichever of the two the file has; if it has both and "
        + "they differ, each is used, as in transformers."),
    .honoured("rope_parameters", "See the table of rotary parameters."),
    .honoured(
      "rope_scaling", "The older name of `rope_parameters`; it takes precedence if both exist, as in transformers."),
    .honoured("rope_theta", "It is used if the object of rotary parameters has none."),
    .honoured(
      "original_max_position_embeddings", "It takes precedence over the one inside the object of rotary parameters."),
    .refused("partial_rotary_factor", unless: [.number(1)], "rotary positions over whole heads"),
    .refused("quantization_config", "F32, F16 or BF16 weights"),
    .refused("compression_config", "F32, F16 or BF16 weights"),
    .refused("is_causal", unless: [.bool(true)], "causal attention"),
    .refused("per_layer_config", "the same settings in all layers"),
    .refused("fusion_config", "the family's own modules"),
    .refused("kv_sharing_modes", "layers that each have their own keys and values"),
    .refused("pruned_heads", "all heads"),
    .refused("transformers_weights", unless: ["model.safetensors"], "its weights in model.safetensors or its shards"),
    .refused("is_encoder_decoder", "a decoder alone"),
    .refused("add_cross_attention", "a decoder alone"),
    .withoutEffect("torch_dtype", "Weights are used as the file has them."),
    .withoutEffect("dtype", "Weights are used as the file has them."),
    .withoutEffect("architectures", "The tensors show which head there is; another than lm_head is refused."),
    .withoutEffect("auto_map", "It names classes of Python; model_type chooses the family."),
    .withoutEffect("attention_dropout", "It acts in training alone."),
    .withoutEffect("initializer_range", "It acts before training alone."),
    .withoutEffect("pretraining_tp", "It says how products were split, which does not change them."),
    .withoutEffect("chunk_size_feed_forward", "It says how products are split, which does not change them."),
    .withoutEffect("use_cache", "Caches change no number."),
    .withoutEffect("output_hidden_states", "It says what Python returns."),
    .withoutEffect("output_attentions", "It says what Python returns."),
    .withoutEffect("return_dict", "It says what Python returns."),
    .withoutEffect("id2label", "Of classifiers."),
    .withoutEffect("label2id", "Of classifiers."),
    .withoutEffect("problem_type", "Of classifiers."),
    .withoutEffect("bos_token_id", "The tokenizer's files say it."),
    .withoutEffect("eos_token_id", "The tokenizer's files say it."),
    .withoutEffect("pad_token_id", "Nothing is padded."),
    .withoutEffect("transformers_version", "The fields themselves say what they mean."),
  ]
}
