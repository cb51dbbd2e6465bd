// The tables of fields of the JSON files beside crosscoders: config.json and trainer_config.json. Each other form has its
// tables in its own file in Dictionaries/.

import Inference

extension FormatTable {
  /// The fields of config.json of a crosscoder.
  public static let crosscoder = FormatTable(
    "config.json of crosscoders", reference: "crosscoder_learning b2363ed, CrossCoder and BatchTopKCrossCoder",
    unknown: .refused,
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
      .refused(
        "sparsity_loss_type", unless: ["CROSSCODER", "crosscoder"], "codes that are scaled by the sum of decoder norms"),
      .withoutEffect("sparsity_loss_alpha_sae", "It belongs to another `sparsity_loss_type`, which is refused."),
      .withoutEffect("sparsity_loss_alpha_cc", "It belongs to another `sparsity_loss_type`, which is refused."),
      .withoutEffect("buffer", "It says what training read."),
      .honoured("trainer", "In training's own folder: what trainer_config.json holds on the hub."),
    ])

  /// The fields of `trainer` in trainer_config.json.
  public static let trainer = FormatTable(
    "trainer in trainer_config.json and config.json",
    reference: "crosscoder_learning b2363ed and dictionary_learning 60ec6bf, whose readers look up dict_class alone",
    unknown: .ignored,
    [
      .honoured("activation_dim", "It must agree with the weights."),
      .honoured("dict_size", "It must agree with the weights."),
      .honoured(
        "dict_class",
        "The class; CrossCoder where it is absent beside a crosscoder. BatchTopKCrossCoder must have a threshold."),
      .honoured("k", "It is shown."), .honoured("layer", "The block whose output is read, counted from 0."),
      .honoured("lm_name", "The models' names, `<chat>-<base>`."),
      .withoutEffect("trainer_class", "dict_class says what was trained."),
      .withoutEffect("code_normalization", "config.json and the tensor say it."),
    ])
}
