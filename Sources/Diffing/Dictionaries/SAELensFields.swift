// The tables of the JSON files of SAELens: cfg.json of versions 2 to 6 and of training's checkpoints, `metadata` in it, and
// activation_scaler.json. Versions before 6 wrote the whole configuration of a training run; the library itself drops the
// fields that its configuration classes lack, and this program refuses what none of those classes has.

import Inference

extension FormatTable {
  /// The fields of cfg.json.
  static let sae = FormatTable(
    "cfg.json of SAELens", reference: "SAELens 2.1.3, 3.23.4, 5.11.0 and 6.54.12", unknown: .refused,
    [
      .honoured(
        "architecture",
        "standard, jumprelu, gated, topk, batchtopk and matryoshka_batchtopk (checkpoints), transcoder, skip_transcoder, "
          + "jumprelu_transcoder and jumprelu_skip_transcoder; standard where it is absent."),
      .honoured(
        "apply_b_dec_to_input",
        "True, and where it is absent: b_dec is taken from the input, which is moved into the encoder's bias. False where it "
          + "is absent from a transcoder."),
      .honoured("d_in", "It must agree with the weights."), .honoured("d_sae", "It must agree with the weights."),
      .honoured("d_out", "It must agree with the weights; a transcoder writes as many values as it reads."),
      .honoured(
        "hook_name",
        "blocks.N.hook_resid_post or _pre, or model.layers.N. Activations of another place can be encoded; such a "
          + "dictionary is not browsed."),
      .honoured("hook_point", "The older name of `hook_name`."),
      .honoured("hook_layer", "It must agree with the hook's name."),
      .honoured("hook_point_layer", "The older name of `hook_layer`."),
      .honoured("hook_name_out", "The place that a transcoder writes: blocks.N.hook_mlp_out."),
      .honoured("model_name", "The model's name in the store."), .honoured("metadata", "See the next table."),
      .honoured(
        "activation_fn_str", "relu; tanh-relu of standard and jumprelu; topk of standard, which makes it topk."),
      .honoured("activation_fn", "The older and the newer name of `activation_fn_str`."),
      .honoured("activation_fn_kwargs", "k of topk, and nothing else."),
      .honoured("k", "The number of latents that a token keeps; batchtopk keeps by its threshold."),
      .honoured(
        "rescale_acts_by_decoder_norm",
        "Codes are multiplied by decoder norms; false where it is absent, true for batchtopk."),
      .honoured(
        "normalize_activations",
        "none, layer_norm, constant_norm_rescale; expected_average_only_in (also written as true) with "
          + "activation_scaler.json."),
      .honoured("finetuning_scaling_factor", "It must agree with the tensor, which multiplies codes in decoding."),
      .withoutEffect("sae_lens_version", "An absent field means the same in all versions."),
      .withoutEffect("sae_lens_training_version", "As `sae_lens_version`."),
      .refused("reshape_activations", unless: ["none"], "the residual stream (reshape_activations none)"),
      .refused("hook_head_index", "the whole residual stream, not one head"),
      .refused("hook_point_head_index", "the whole residual stream, not one head"),
      .refused("hook_head_index_out", "the whole residual stream, not one head"),
      .refused("use_error_term", "codes alone"),
      .refused("model_kwargs", "the model as it is"),
      .refused("model_from_pretrained_kwargs", unless: [rawModel], rawText),
      .withoutEffect("hook_layer_out", "The hook's name says it."),
      .withoutEffect("dtype", "The weights' own type is read."),
      .withoutEffect("device", "It says where training ran."),
      .withoutEffect("prepend_bos", "The command that runs a text says which tokens come first."),
    ] + training.map { .withoutEffect($0, "It says how training ran.") })

  /// The fields of training's configurations that change no number of a saved SAE.
  private static let training = [
    "act_store_device", "activations_mixing_fraction", "adam_beta1", "adam_beta2", "adam_epsilon", "autocast",
    "autocast_lm", "aux_loss_coefficient", "b_dec_init_method", "cached_activations_path", "checkpoint_name",
    "checkpoint_path", "compile_llm", "compile_sae", "context_size", "dataset_path", "dataset_trust_remote_code",
    "dead_feature_estimation_method", "dead_feature_reinit_method", "dead_feature_threshold",
    "dead_feature_window", "decoder_heuristic_init", "decoder_heuristic_init_norm", "decoder_init_norm",
    "decoder_orthogonal_init", "dict_size", "disable_concat_sequences", "eval_batch_size_prompts",
    "eval_every_n_wandb_logs", "exclude_special_tokens", "expansion_factor", "feature_reinit_scale",
    "feature_sampling_method", "feature_sampling_window", "finetuning_method", "finetuning_tokens",
    "from_pretrained_path", "hf_hook_name", "hf_hook_name_out", "hook_eval", "hook_point_eval",
    "init_encoder_as_decoder_transpose", "is_dataset_tokenized", "jumprelu_bandwidth", "jumprelu_init_threshold",
    "jumprelu_sparsity_loss_mode", "jumprelu_ste_to_input", "jumprelu_tanh_scale", "l0", "l0_coefficient",
    "l0_warm_up_steps", "l1_coefficient", "l1_warm_up_steps", "llm_compilation_mode", "llm_device",
    "log_activations_store_to_wandb", "log_optimizer_state_to_wandb", "log_to_wandb", "lp_norm", "lr",
    "lr_decay_steps", "lr_end", "lr_scheduler", "lr_scheduler_name", "lr_warm_up_steps", "matryoshka_widths",
    "model_class_name", "mse_loss_normalization", "n_batches_for_norm_estimate", "n_batches_in_buffer",
    "n_checkpoints", "n_eval_batches", "n_restart_cycles", "neuronpedia_id", "noise_scale",
    "normalize_sae_decoder", "num_dead_features", "output_path", "pre_act_loss_coefficient",
    "prefetch_llm_batches", "resample_batches", "resume", "resume_from_checkpoint", "run_name",
    "sae_compilation_mode", "sampling_method", "save_final_checkpoint", "scale_sparsity_penalty_by_decoder_norm",
    "seed", "seqpos_slice", "sequence_separator_token", "sparsity", "store_batch_size", "store_batch_size_prompts",
    "streaming", "target_l0", "tokens_per_buffer", "topk_threshold_lr", "total_training_tokens",
    "train_batch_size", "train_batch_size_tokens", "training_tokens", "unique_id", "use_cached_activations",
    "use_chat_formatting", "use_ghost_grads", "use_matryoshka_aux_loss", "use_sparse_activations", "verbose",
    "wandb_entity", "wandb_id", "wandb_log_frequency", "wandb_project",
  ]

  /// The fields of `metadata`, which SAELens 6 writes and takes whatever is in it.
  static let saeMetadata = FormatTable(
    "metadata in cfg.json of SAELens", reference: "SAELens 6.54.12, whose reader keeps any field and acts on few",
    unknown: .ignored,
    [
      .honoured("hook_name", "The same as `hook_name` beside it."),
      .honoured("hook_layer", "The same as `hook_layer` beside it."),
      .honoured("hook_name_out", "The place that a transcoder writes."),
      .honoured("model_name", "The same as `model_name` beside it."),
      .honoured("sae_lens_version", "Versions before 6 have no metadata."),
      .honoured("sae_lens_training_version", "6.18 wrote wrong thresholds of batchtopk, which is said."),
      .honoured(
        "training_architecture", "It says whether that fault concerns the file; `architecture` says what was saved."),
      .refused("hook_head_index", "the whole residual stream, not one head"),
      .refused("hook_head_index_out", "the whole residual stream, not one head"),
      .refused("model_from_pretrained_kwargs", unless: [rawModel], rawText),
      .withoutEffect("hook_layer_out", "The hook's name says it."),
      .withoutEffect("model_class_name", "The model is the one that is given."),
      .withoutEffect("training_architecture_details", "`architecture` says what was saved."),
      .withoutEffect("prepend_bos", "The command that runs a text says which tokens come first."),
      .withoutEffect("exclude_special_tokens", "It says what training read."),
      .withoutEffect("context_size", "It says how training cut texts."),
      .withoutEffect("dataset_path", "It says what training read."),
      .withoutEffect("seqpos_slice", "It says what training read."),
      .withoutEffect("l0", "It is a figure of training."),
      .withoutEffect("num_dead_features", "It is a figure of training."),
    ])

  /// The fields of activation_scaler.json, which training leaves beside a checkpoint.
  static let saeScaler = FormatTable(
    "activation_scaler.json of SAELens", reference: "SAELens 6.54.12", unknown: .refused,
    [
      .honoured("scaling_factor", "It multiplies inputs if normalize_activations is expected_average_only_in."),
      .refused("has_whitening", "inputs that are not whitened"),
    ])

  private static let rawModel = JSONValue.object(["center_writing_weights": .bool(false)])
  private static let rawText = "the residual stream of the model as it is"
}
