// The fields of the files beside a tokenizer.json: tokenizer_config.json, special_tokens_map.json and
// generation_config.json. `KnownTemplates` decides about chat_template.jinja.

extension FormatTable {
  /// All tables of tokenizers, in the order of docs/formats.md.
  public static var tokenizers: [FormatTable] {
    let parts = [normalizers, preTokenizers, postProcessors].flatMap { $0.sorted { $0.key < $1.key }.map(\.value) }
    return [tokenizer, tokenizerModel, addedToken] + parts + [tokenizerConfig, specialTokensMap, generationConfig]
  }

  /// The table of tokenizer_config.json.
  static let tokenizerConfig = FormatTable(
    "tokenizer_config.json", reference: transformers, unknown: .ignored,
    named + [
      .honoured(
        "added_tokens_decoder", "Added tokens and their settings, which take precedence over those of tokenizer.json."),
      .honoured("chat_template", "A template, or several, of which the one named default is used."),
      .refused(
        "split_special_tokens", unlessExactly: [.bool(false)],
        "false; true would spell the markers of a chat, which are tokens here"),
      .refused(
        "fast_tokenizer_files", unlessExactly: [.array([]), .array([.string("tokenizer.json")])],
        "tokenizer.json alone"),
      .refused("fix_mistral_regex", unlessExactly: [.bool(false)], "false, which keeps the file's own pattern"),
    ]
      + fields(
        without: "transformers drops it beside a tokenizer.json, whose post_processor decides.", "add_bos_token",
        "add_eos_token")
      + fields(
        without: "tokenizer.json says what the class would build.", "tokenizer_class", "add_prefix_space", "backend",
        "legacy", "vocab", "merges", "vocab_file", "merges_file", "tokenizer_file", "tokenizer_object",
        "post_processor",
        "gguf_file", "tokenizer", "unk_id", "init_inputs", "use_default_system_prompt")
      + fields(
        without: "Code of others is never run.", "auto_map")
      + fields(
        without: "Texts are neither padded nor cut here.", "model_max_length", "max_len", "max_length", "padding_side",
        "truncation_side", "truncation_strategy", "stride", "pad_to_multiple_of", "pad_token_type_id",
        "tokenizer_padding", "tokenizer_truncation")
      + fields(
        without: "It concerns decoding, where each token is decoded by itself.", "clean_up_tokenization_spaces",
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output")
      + fields(
        without: "Markers in a message's content are text here in any case.", "chat_control_tokens")
      + fields(
        without: "It is the library's bookkeeping.", "name_or_path", "processor_class", "model_input_names", "verbose",
        "files_loaded", "response_template", "response_schema", "is_local", "local_files_only"))

  /// The table of special_tokens_map.json.
  static let specialTokensMap = FormatTable(
    "special_tokens_map.json, read where tokenizer_config.json has no added_tokens_decoder", reference: transformers,
    unknown: .ignored, named)

  /// The table of generation_config.json.
  static let generationConfig = FormatTable(
    "generation_config.json", reference: "\(transformers), GenerationConfig", unknown: .ignored,
    [.honoured("eos_token_id", "The ids that end an answer.")]
      + fields(
        without: "The command line, the screen or the request says how answers are sampled.",
        "do_sample", "temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff",
        "repetition_penalty", "encoder_repetition_penalty", "length_penalty", "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size", "bad_words_ids", "renormalize_logits", "forced_bos_token_id",
        "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
        "begin_suppress_tokens", "sequence_bias", "token_healing", "guidance_scale", "watermarking_config",
        "penalty_alpha", "dola_layers", "diversity_penalty", "constraints", "force_words_ids")
      + fields(
        without: "The command line, the screen or the request says how long answers are.", "max_length",
        "max_new_tokens", "min_length", "min_new_tokens", "early_stopping", "max_time", "stop_strings")
      + fields(
        without: "There are no beams, caches or helping models to choose here.", "num_beams", "num_beam_groups",
        "num_return_sequences", "use_mtp", "use_cache", "cache_implementation", "cache_config", "max_cache_len",
        "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold",
        "prompt_lookup_num_tokens", "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind",
        "target_lookbehind", "assistant_ensemble_weight", "speculation_type", "compile_config", "disable_compile",
        "continuous_batching_config", "low_memory", "prefill_chunk_size")
      + fields(
        without: "It changes no token of an answer.", "bos_token_id", "pad_token_id", "decoder_start_token_id",
        "output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate",
        "_from_model_config", "_commit_hash", "transformers_version", "force_bos_token_to_be_generated"))

  private static let named: [Field] =
    TokenizerFolder.namedTokens.map { name in
      switch name {
      case "bos_token":
        .honoured(name, "The token that templates write first; added unless it is an added token already.")
      case "eos_token": .honoured(name, "The token that ends an answer; added unless it is an added token already.")
      default: .honoured(name, "It is added as a marker unless it is an added token already.")
      }
    } + [
      .honoured(
        "additional_special_tokens",
        "Markers, added unless they are added tokens already; not read beside extra_special_tokens."),
      .honoured("extra_special_tokens", "The same, as a list or by name."),
      .honoured("model_specific_special_tokens", "The same, by name; so is any field whose name ends in `_token`."),
    ]

  private static func fields(without why: String, _ names: String...) -> [Field] {
    names.map { .withoutEffect($0, why) }
  }
}
