// The fields of what lies beside a tokenizer.json: tokenizer_config.json, special_tokens_map.json and
// generation_config.json. Whether chat_template.jinja is known is `KnownTemplates`' business.

extension TokenizerFields {
  /// Names under which these files list tokens with a meaning, in the library's order.
  static let namedTokens = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  static let tokenizerConfig = FieldTable(
    object: "tokenizer_config.json",
    fields: named + [
      ("added_tokens_decoder", .honoured("added tokens and their settings, before those of tokenizer.json")),
      ("chat_template", .honoured("a template, or several of which the one named default counts")),
      (
        "split_special_tokens",
        .refused(unless: [.bool(false)], "the markers of a chat would be spelled instead of being tokens")
      ),
      (
        "fast_tokenizer_files",
        .refused(
          unless: [.array([]), .array([.string("tokenizer.json")])], "another file than tokenizer.json would be read")
      ),
      ("fix_mistral_regex", .refused(unless: [.bool(false)], "another pattern than the file's would cut text")),
    ]
      + fields(
        without: "transformers drops it beside a tokenizer.json, whose post_processor decides", "add_bos_token",
        "add_eos_token")
      + fields(
        without: "tokenizer.json says what the class would build", "tokenizer_class", "add_prefix_space", "backend",
        "legacy", "vocab", "merges", "vocab_file", "merges_file", "tokenizer_file", "tokenizer_object",
        "post_processor",
        "gguf_file", "tokenizer", "unk_id", "init_inputs", "use_default_system_prompt")
      + fields(
        without: "code of others is never run", "auto_map")
      + fields(
        without: "texts are neither padded nor cut here", "model_max_length", "max_len", "max_length", "padding_side",
        "truncation_side", "truncation_strategy", "stride", "pad_to_multiple_of", "pad_token_type_id",
        "tokenizer_padding", "tokenizer_truncation")
      + fields(
        without: "it concerns decoding, where each token stands for itself", "clean_up_tokenization_spaces",
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output")
      + fields(
        without: "markers in a message's content are text here in any case", "chat_control_tokens")
      + fields(
        without: "it is the library's bookkeeping", "name_or_path", "processor_class", "model_input_names", "verbose",
        "files_loaded", "response_template", "response_schema", "is_local", "local_files_only"))

  static let specialTokensMap = FieldTable(
    object: "special_tokens_map.json, read where tokenizer_config.json has no added_tokens_decoder", fields: named)

  static let generationConfig = FieldTable(
    object: "generation_config.json",
    fields: [("eos_token_id", .honoured("the ids that end an answer"))]
      + fields(
        without: "how answers are sampled is said on the command line, on the screen or in the request",
        "do_sample", "temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff",
        "repetition_penalty", "encoder_repetition_penalty", "length_penalty", "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size", "bad_words_ids", "renormalize_logits", "forced_bos_token_id",
        "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
        "begin_suppress_tokens", "sequence_bias", "token_healing", "guidance_scale", "watermarking_config",
        "penalty_alpha", "dola_layers", "diversity_penalty", "constraints", "force_words_ids")
      + fields(
        without: "how long answers are is said on the command line, on the screen or in the request", "max_length",
        "max_new_tokens", "min_length", "min_new_tokens", "early_stopping", "max_time", "stop_strings")
      + fields(
        without: "there are no beams, caches or helping models to choose here", "num_beams", "num_beam_groups",
        "num_return_sequences", "use_mtp", "use_cache", "cache_implementation", "cache_config", "max_cache_len",
        "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold",
        "prompt_lookup_num_tokens", "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind",
        "target_lookbehind", "assistant_ensemble_weight", "speculation_type", "compile_config", "disable_compile",
        "continuous_batching_config", "low_memory", "prefill_chunk_size")
      + fields(
        without: "it changes no token of an answer", "bos_token_id", "pad_token_id", "decoder_start_token_id",
        "output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate",
        "_from_model_config", "_commit_hash", "transformers_version", "force_bos_token_to_be_generated"))

  /// All tables, in the order of docs/formats.md.
  static var all: [FieldTable] {
    let parts = [normalizers, preTokenizers, postProcessors].flatMap { $0.sorted { $0.key < $1.key }.map(\.value) }
    return [file, model, addedToken] + parts + [tokenizerConfig, specialTokensMap, generationConfig]
  }

  private static let named: [(name: String, use: FieldTable.Use)] =
    namedTokens.map { name in
      switch name {
      case "bos_token": (name, .honoured("the token that templates write in front; added where it is none yet"))
      case "eos_token": (name, .honoured("the token that ends an answer; added where it is none yet"))
      default: (name, .honoured("added as a marker where it is no added token yet"))
      }
    } + [
      (
        "additional_special_tokens",
        .honoured("markers, added where they are none yet; unread beside extra_special_tokens")
      ),
      ("extra_special_tokens", .honoured("the same, as a list or by name")),
      ("model_specific_special_tokens", .honoured("the same, by name; so is any field whose name ends in `_token`")),
    ]

  private static func fields(without why: String, _ names: String...) -> [(name: String, use: FieldTable.Use)] {
    names.map { ($0, .withoutEffect(why)) }
  }
}
