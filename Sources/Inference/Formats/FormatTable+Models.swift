// The fields of config.json: those of transformers' configuration classes for the families here, and of what they inherit.
// A family's own rows stand in its file in Models/.

extension FormatTable {
  static let transformers = "transformers 5.24.0"

  /// config.json of a family: what all families share, then the family's own fields.
  static func configuration(_ family: ModelFamily) -> FormatTable {
    FormatTable(
      "config.json of \(family.name)", reference: "\(transformers), \(family.reference)", unknown: .ignored,
      sharedConfiguration + family.fields)
  }

  /// All tables of models: what families share, then what each has of its own.
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

  /// What the object of rotary parameters says, and each of its objects by kind of layer.
  public static let rotary = FormatTable(
    "rope_parameters and rope_scaling of config.json", reference: "\(transformers), modeling_rope_utils",
    unknown: .ignored,
    [
      .honoured("rope_type", "default, linear and llama3 are taken; every other type is refused."),
      .honoured("type", "The older name of `rope_type`, taken where that is absent."),
      .honoured("rope_theta", "Goes before the one beside the object."),
      .honoured("factor", "Of linear and llama3."),
      .honoured("low_freq_factor", "Of llama3."),
      .honoured("high_freq_factor", "Of llama3."),
      .honoured(
        "original_max_position_embeddings",
        "Of llama3; the one beside the object goes before it; `max_position_embeddings` where both are absent."),
      .refused("partial_rotary_factor", unless: [.number(1)], "rotary positions over whole heads"),
      .withoutEffect("attention_factor", "Of yarn and longrope, which are refused."),
      .withoutEffect("beta_fast", "Of yarn, which is refused."),
      .withoutEffect("beta_slow", "Of yarn, which is refused."),
      .withoutEffect("mscale", "Of yarn, which is refused."),
      .withoutEffect("mscale_all_dim", "Of yarn, which is refused."),
      .withoutEffect("truncate", "Of yarn, which is refused."),
      .withoutEffect("short_factor", "Of longrope, which is refused."),
      .withoutEffect("long_factor", "Of longrope, which is refused."),
      .honoured("full_attention", "Of Gemma 3, the object of layers that see everything; refused elsewhere."),
      .honoured("sliding_attention", "Of Gemma 3, the object of layers with a window; refused elsewhere."),
    ])

  private static let sharedConfiguration: [Field] = [
    .honoured("model_type", "Chooses the family."),
    .honoured("num_hidden_layers", "Blocks."),
    .honoured("hidden_size", "d, the residual stream's width."),
    .honoured("intermediate_size", "The MLP's width."),
    .honoured("num_attention_heads", "Heads of queries."),
    .honoured("num_key_value_heads", "Heads of keys and values; null means as many as of queries."),
    .honoured(
      "head_dim", "A head's width; hidden_size ÷ num_attention_heads where the class has no number of its own."),
    .honoured("vocab_size", "Rows of the embedding."),
    .honoured("max_position_embeddings", "Longer texts are refused."),
    .honoured("rms_norm_eps", "ε of all norms; 1e-6 where it is absent."),
    .honoured(
      "tie_word_embeddings",
      "True: one matrix is embedding and unembedding, whichever of the two the file has; where it has both and they "
        + "differ, each is used, as transformers does."),
    .honoured("rope_parameters", "See the table of rotary parameters."),
    .honoured(
      "rope_scaling", "The older name of `rope_parameters`; where both are there, it goes first, as in transformers."),
    .honoured("rope_theta", "Taken where the object of rotary parameters has none."),
    .honoured("original_max_position_embeddings", "Goes before the one inside the object of rotary parameters."),
    .refused("partial_rotary_factor", unless: [.number(1)], "rotary positions over whole heads"),
    .refused("quantization_config", "F32, F16 or BF16 weights"),
    .refused("compression_config", "F32, F16 or BF16 weights"),
    .refused("is_causal", unless: [.bool(true)], "causal attention"),
    .refused("per_layer_config", "the same settings in all layers"),
    .refused("fusion_config", "the family's own modules"),
    .refused("kv_sharing_modes", "keys and values of every layer's own"),
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
    .withoutEffect("pretraining_tp", "It says how products were cut; they are the same."),
    .withoutEffect("chunk_size_feed_forward", "It says how products are cut; they are the same."),
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
