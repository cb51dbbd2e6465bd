// The fields of adapter_config.json: those of PEFT's LoraConfig and its base classes.

extension FormatTable {
  /// The table of adapter_config.json.
  public static let adapter = FormatTable(
    "adapter_config.json", reference: "PEFT 0.21.2, LoraConfig", unknown: .refused,
    [
      .honoured("peft_type", "LORA is taken; every other method is refused."),
      .honoured("r", "The rank; 8 where it is absent."),
      .honoured("lora_alpha", "α, by which the change is scaled; 8 where it is absent."),
      .honoured("use_rslora", "True divides α by √r, not by r."),
      .honoured("rank_pattern", "Ranks by module; the first pattern that matches counts."),
      .honoured("alpha_pattern", "α by module, in the form of `rank_pattern`."),
      .honoured(
        "target_modules",
        "Names, ends of paths, whole paths, a regular expression or `all-linear`; null means q_proj and v_proj. Tensors "
          + "of other modules are refused."),
      .honoured("exclude_modules", "Names, ends of paths, whole paths or a regular expression."),
      .honoured("layers_to_transform", "A block or a list; null and an empty list mean all."),
      .honoured("layers_pattern", "The part of a path before the block's number; it needs `layers_to_transform`."),
      .honoured(
        "init_lora_weights",
        "true, false, gaussian, eva, orthogonal, mica and lora_ga leave the base's weights alone and are taken. pissa, "
          + "olora, corda and loftq change them before the adapter is added and are refused: convert such an adapter to "
          + "plain LoRA with PEFT (save_pretrained with path_initial_model_for_weight_conversion)."),
      .honoured("lora_bias", "True gives each change a bias, `lora_B.bias`, which is scaled like the change."),
      .honoured("bias", "none, all or lora_only; biases in the file replace those of the base."),
      .honoured("use_dora", "True gives each row of a changed matrix the length in lora_magnitude_vector."),
      .refused("use_qalora", "plain LoRA"),
      .refused("use_bdlora", "plain LoRA"),
      .refused("alora_invocation_tokens", "plain LoRA, which acts on all tokens"),
      .refused("layer_replication", "the base's own blocks"),
      .refused("modules_to_save", "LoRA matrices alone"),
      .refused("target_parameters", "LoRA of whole modules"),
      .refused("trainable_token_indices", "the base's own embeddings"),
      .refused("arrow_config", "one adapter without a router"),
      .refused("kasa_config", "plain LoRA"),
      .refused("monteclora_config", "plain LoRA"),
      .refused("megatron_config", "adapters of Hugging Face's own layers"),
      .refused("task_type", unless: ["CAUSAL_LM", "FEATURE_EXTRACTION"], "task_type CAUSAL_LM or none"),
      .withoutEffect("ensure_weight_tying", "It concerns `modules_to_save` and embeddings, which are refused."),
      .withoutEffect("fan_in_fan_out", "PEFT itself sets it to false for the linear layers of these families."),
      .withoutEffect("lora_dropout", "It acts in training alone."),
      .withoutEffect("inference_mode", "It says whether gradients are kept."),
      .withoutEffect("velora_config", "It compresses what training keeps."),
      .withoutEffect("eva_config", "It says how training began; eva leaves the base's weights alone."),
      .withoutEffect("corda_config", "It says how training began; the init itself is refused."),
      .withoutEffect("loftq_config", "It says how training began; the init itself is refused."),
      .withoutEffect("lora_ga_config", "It says how training began."),
      .withoutEffect("qalora_group_size", "It belongs to `use_qalora`, which is refused."),
      .withoutEffect("megatron_core", "It names a module for `megatron_config`, which is refused."),
      .withoutEffect("runtime_config", "PEFT ignores it in a file."),
      .withoutEffect("auto_mapping", "It names classes of Python."),
      .withoutEffect("base_model_name_or_path", "The base is the one that is given; its shapes are checked."),
      .withoutEffect("revision", "As `base_model_name_or_path`."),
      .withoutEffect("peft_version", "The fields themselves say what they mean."),
    ])
}
