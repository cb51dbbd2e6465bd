// The tables of fields of the JSON files beside dictionaries: cfg.json of SAELens and of the earlier replication, and
// config.json and trainer_config.json of crosscoders.

import Inference

extension FormatTable {
  private static let plain = "ReLU or JumpReLU of one affine map"

  /// The fields of cfg.json of an SAE with the names of SAELens.
  public static let sae = FormatTable(
    "cfg.json of SAEs", reference: "SAELens 2 to 6 (6.54.12)", unknown: .ignored,
    [
      .honoured("architecture", "standard or jumprelu, which must have thresholds; standard where it is absent."),
      .honoured(
        "apply_b_dec_to_input",
        "True, and where it is absent: b_dec is taken from the input, which is moved into the encoder's bias."),
      .honoured("d_in", "It must agree with the weights."), .honoured("d_sae", "It must agree with the weights."),
      .honoured("hook_name", "blocks.N.hook_resid_post or _pre, or model.layers.N; every other place is refused."),
      .honoured("hook_point", "The older name of `hook_name`."),
      .honoured("hook_layer", "It must agree with the hook's name."),
      .honoured("hook_point_layer", "The older name of `hook_layer`."),
      .honoured("model_name", "The model's name in the store."), .honoured("metadata", "See the next table."),
      .refused("activation_fn", unless: ["relu"], plain), .refused("activation_fn_str", unless: ["relu"], plain),
      .refused("activation_fn_kwargs", plain), .refused("k", plain),
      .refused("rescale_acts_by_decoder_norm", plain),
      .refused("normalize_activations", unless: ["none"], "inputs as they are (normalize_activations none)"),
      .refused("reshape_activations", unless: ["none"], "the residual stream (reshape_activations none)"),
      .refused("finetuning_scaling_factor", "codes as they are (finetuning_scaling_factor false)"),
      .refused("scaling_factor", unless: [.number(1)], "codes as they are"),
      .refused("hook_head_index", "the whole residual stream, not one head"),
      .refused("hook_head_index_out", "the whole residual stream, not one head"),
      .refused("hook_name_out", "one place for input and output"),
      .refused("hook_layer_out", "one place for input and output"),
      .refused("d_out", "one place for input and output"), .refused("skip_connection", plain),
      .refused("use_error_term", "codes alone"),
      .refused("model_from_pretrained_kwargs", unless: [rawModel], rawText),
      .withoutEffect("noise_scale", "It acts in training alone."),
      .withoutEffect("dtype", "The weights' own type is read."),
      .withoutEffect("device", "It says where training ran."),
      .withoutEffect("sae_lens_version", "The fields themselves say what they mean."),
      .withoutEffect("sae_lens_training_version", "The fields themselves say what they mean."),
      .withoutEffect("prepend_bos", "The command that runs a text says which tokens come first."),
      .withoutEffect("context_size", "It says how training cut texts."),
      .withoutEffect("dataset_path", "It says what training read."),
      .withoutEffect("dataset_trust_remote_code", "It says what training read."),
      .withoutEffect("seqpos_slice", "It says what training read."),
      .withoutEffect("neuronpedia_id", "It names a page."),
      .withoutEffect("decoder_init_norm", "It acts before training."),
      .withoutEffect("l1_coefficient", "It acts in training alone."),
      .withoutEffect("dict_size", "The earlier replication has it, and it must agree with the weights there."),
    ])

  /// The fields of `metadata`, which SAELens 6 writes.
  public static let saeMetadata = FormatTable(
    "metadata in cfg.json of SAEs", reference: "SAELens 6.54.12", unknown: .ignored,
    [
      .honoured("hook_name", "The same as `hook_name` beside it."),
      .honoured("hook_layer", "The same as `hook_layer` beside it."),
      .honoured("model_name", "The same as `model_name` beside it."),
      .refused("hook_head_index", "the whole residual stream, not one head"),
      .refused("hook_name_out", "one place for input and output"),
      .refused("hook_layer_out", "one place for input and output"),
      .refused("hook_head_index_out", "one place for input and output"),
      .refused("model_from_pretrained_kwargs", unless: [rawModel], rawText),
      .withoutEffect("model_class_name", "The model is the one that is given."),
      .withoutEffect("training_architecture", "`architecture` says what was saved."),
      .withoutEffect("training_architecture_details", "`architecture` says what was saved."),
      .withoutEffect("prepend_bos", "The command that runs a text says which tokens come first."),
      .withoutEffect("exclude_special_tokens", "It says what training read."),
      .withoutEffect("context_size", "It says how training cut texts."),
      .withoutEffect("dataset_path", "It says what training read."),
      .withoutEffect("seqpos_slice", "It says what training read."),
      .withoutEffect("sae_lens_version", "The fields themselves say what they mean."),
      .withoutEffect("sae_lens_training_version", "The fields themselves say what they mean."),
    ])

  private static let rawModel = JSONValue.object(["center_writing_weights": .bool(false)])
  private static let rawText = "the residual stream of the model as it is"

  /// The fields of config.json of a crosscoder.
  public static let crosscoder = FormatTable(
    "config.json of crosscoders", reference: "crosscoder_learning b2363ed, CrossCoder and BatchTopKCrossCoder",
    unknown: .ignored,
    [
      .honoured("activation_dim", "It must agree with the weights."),
      .honoured("dict_size", "It must agree with the weights."),
      .honoured("num_layers", "2, base and chat."),
      .honoured("k", "It is used if there is no tensor k; published files hold the class's default here."),
      .honoured("code_normalization", "It is used if there is no tensor code_normalization_id."),
      .honoured("code_normalization_alpha_sae", "It is a weight of MIXED; 1 if it is absent."),
      .honoured("code_normalization_alpha_cc", "It is a weight of MIXED; 0.1 if it is absent."),
      .honoured("target_rms", "It is used if there is no tensor target_rms."),
      .refused(
        "dict_class", unless: ["CrossCoder", "BatchTopKCrossCoder", "BatchTopKSAE"],
        "a CrossCoder or BatchTopKCrossCoder"),
      .refused("encoder_layers", "an encoder that reads both models"),
      .refused("latent_processor", "codes as they are"),
      .refused("num_decoder_layers", "a decoder of as many models as the encoder"),
      .withoutEffect("activation_mean", "The tensor says it."), .withoutEffect("activation_std", "The tensor says it."),
      .withoutEffect("norm_init_scale", "It acts before training."),
      .withoutEffect("init_with_transpose", "It acts before training."),
      .withoutEffect("same_init_for_all_layers", "It acts before training."),
      .honoured("trainer", "In training's own folder: what trainer_config.json holds on the hub."),
    ])

  /// The fields of `trainer` in trainer_config.json.
  public static let trainer = FormatTable(
    "trainer in trainer_config.json", reference: "crosscoder_learning b2363ed", unknown: .ignored,
    [
      .honoured("dict_class", "BatchTopKCrossCoder must have a threshold; CrossCoder where it is absent."),
      .honoured("k", "It is shown."), .honoured("layer", "The block whose output is read, counted from 0."),
      .honoured("lm_name", "The models' names, `<chat>-<base>`."),
      .withoutEffect("trainer_class", "dict_class says what was trained."),
      .withoutEffect("code_normalization", "config.json and the tensor say it."),
    ])
}
