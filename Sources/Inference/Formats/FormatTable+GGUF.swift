// The keys of a GGUF file that describe a model, as llama.cpp reads them. Keys under the architecture's name are listed
// without it. Keys of the tokenizer are not in this table. A family's own rows are in its file in Models/.

extension FormatTable {
  /// The table of the metadata of a family's GGUF files.
  static func gguf(_ family: ModelFamily) -> FormatTable {
    FormatTable(
      "GGUF metadata of \(family.name) (keys after `\(family.architecture).` where no other prefix is shown)",
      reference: "llama.cpp, gguf 0.19.0", unknown: .refused, sharedMetadata + family.metadata)
  }

  /// The table of keys that all families share.
  static var sharedGGUF: FormatTable {
    FormatTable(
      "GGUF metadata (keys after the architecture's name where no other prefix is shown)",
      reference: "llama.cpp, gguf 0.19.0", unknown: .refused, sharedMetadata)
  }

  /// Throws for the first key, in alphabetical order, that asks for something that this program does not do. Keys with
  /// another prefix than the architecture's do not affect the computation, unless the table has them.
  func check(_ file: GGUFFile, architecture: String) throws(InferenceError) {
    let prefix = architecture + "."
    for key in file.keys {
      let name = key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : key
      guard let value = file.metadata[key], value.asksForSomething else { continue }
      guard let field = self[name] else {
        guard key.hasPrefix(prefix), unknown == .refused, !value.isOff else { continue }
        throw .unsupported(
          path: file.path, what: "the unknown key", found: InferenceError.excerpt(key),
          supported: "keys of \(reference)")
      }
      guard field.use == .refused, !(value.json.map(field.accepts) ?? false) else { continue }
      throw .unsupported(
        path: file.path, what: key, found: value.json?.kind ?? "a list", supported: field.note)
    }
  }

  private static let sharedMetadata: [Field] = [
    .honoured("general.architecture", "Chooses the family."),
    .honoured("general.alignment", "Tensors begin at multiples of it."),
    .refused("general.type", unless: ["model"], "a model, not an adapter or a part of one"),
    .refused("split.count", unless: [.number(1)], "the whole model in one file (llama-gguf-split --merge joins them)"),
    .honoured("block_count", "The number of blocks."), .honoured("embedding_length", "d, the residual stream's width."),
    .honoured("feed_forward_length", "The MLP's width; one number for all blocks."),
    .honoured("attention.head_count", "The number of query heads, one for all blocks."),
    .honoured("attention.head_count_kv", "The number of key–value heads; if absent, as many as query heads."),
    .honoured("attention.key_length", "A head's width; embedding_length ÷ attention.head_count where it is absent."),
    .honoured("attention.value_length", "It must equal `attention.key_length`."),
    .honoured("context_length", "Longer texts are refused."),
    .honoured("attention.layer_norm_rms_epsilon", "ε of all norms."),
    .honoured("rope.dimension_count", "It must be the width of a whole head."),
    .honoured("rope.freq_base", "θ; 10000 where it is absent."),
    .honoured("rope.scaling.type", "none and linear are taken; every other type is refused."),
    .honoured("rope.scaling.factor", "The factor of linear scaling, which it implies if no type is given."),
    .honoured("rope.scale_linear", "The older name of `rope.scaling.factor`."),
    .refused("attention.causal", unless: [.bool(true)], "causal attention"),
    .refused("attention.scale", "scores divided by the root of a head's width"),
    .refused("attention.sliding_window", "layers without a window"),
    .refused("attention.sliding_window_pattern", "layers without a window"),
    .refused("attention.clamp_kqv", "queries, keys and values without a limit"),
    .refused("attention.max_alibi_bias", "rotary positions alone"),
    .refused("attention.output_scale", unless: [.number(1)], "an attention output that is not scaled"),
    .refused("attention.temperature_length", "scores without a temperature"),
    .refused("attention.temperature_scale", "scores without a temperature"),
    .refused("attention.key_length_swa", "heads of one width"),
    .refused("attention.value_length_swa", "heads of one width"),
    .refused("attention.shared_kv_layers", "layers that each have their own keys and values"),
    .refused("rope.freq_base_swa", "one θ for all layers"),
    .refused("rope.dimension_count_swa", "rotary positions over whole heads"),
    .refused("rope.dimension_sections", "one position for each token"),
    .refused("rope.scaling.alpha", unless: [.number(1)], "none or linear scaling"),
    .refused("rope.scaling.attn_factor", unless: [.number(1)], "none or linear scaling"),
    .refused("rope.scaling.yarn_attn_factor", unless: [.number(1)], "none or linear scaling"),
    .refused("attn_logit_softcapping", "scores without a cap"),
    .refused("final_logit_softcapping", "logits without a cap"),
    .refused("logit_scale", unless: [.number(1)], "logits that are not scaled"),
    .refused("residual_scale", unless: [.number(1)], "block outputs that are not scaled"),
    .refused("embedding_scale", unless: [.number(1)], "the family's own scale of embeddings"),
    .refused("expert_count", "one MLP per block"), .refused("expert_used_count", "one MLP per block"),
    .refused("expert_feed_forward_length", "one MLP per block"),
    .refused("expert_shared_feed_forward_length", "one MLP per block"),
    .refused("expert_shared_count", "one MLP per block"),
    .refused("expert_weights_scale", "one MLP per block"), .refused("expert_weights_norm", "one MLP per block"),
    .refused("expert_gating_func", "one MLP per block"), .refused("interleave_moe_layer_step", "one MLP per block"),
    .refused("nextn_predict_layers", "a decoder that predicts one token"),
    .refused("use_parallel_residual", "blocks one after another"),
    .refused("swin_norm", "the family's own norms"), .refused("rescale_every_n_layers", "blocks that are not rescaled"),
    .refused("classifier.output_labels", "a language model"),
    .withoutEffect("vocab_size", "The number of rows of the embedding says it."),
    .withoutEffect("pooling_type", "It is for embeddings of texts."),
    .withoutEffect("tensor_data_layout", "llama.cpp does not read it."),
    .withoutEffect("attention.layer_norm_epsilon", "These families have no such norm."),
    .withoutEffect("rope.scaling.original_context_length", "It belongs to yarn and longrope, which are refused."),
    .withoutEffect("rope.scaling.finetuned", "llama.cpp reads it and does not use it."),
    .withoutEffect("rope.scaling.yarn_log_multiplier", "It belongs to yarn, which is refused."),
    .withoutEffect("rope.scaling.yarn_ext_factor", "It belongs to yarn, which is refused."),
    .withoutEffect("rope.scaling.yarn_beta_fast", "It belongs to yarn, which is refused."),
    .withoutEffect("rope.scaling.yarn_beta_slow", "It belongs to yarn, which is refused."),
  ]
}

extension GGUFValue {
  /// Whether it differs from 0, false and an empty value. A switch that is off differs from one that is usually on.
  fileprivate var asksForSomething: Bool {
    switch self {
    case .integer(0), .float(0): false
    case .string(let text): !text.isEmpty
    default: true
    }
  }

  /// Whether it is a switch that is off.
  fileprivate var isOff: Bool { if case .bool(false) = self { true } else { false } }

  /// The value in JSON, if it is a single one; nil otherwise.
  fileprivate var json: JSONValue? {
    switch self {
    case .integer(let value): .number(Double(value))
    case .float(let value): .number(value)
    case .bool(let value): .bool(value)
    case .string(let text): .string(text)
    default: nil
    }
  }
}
