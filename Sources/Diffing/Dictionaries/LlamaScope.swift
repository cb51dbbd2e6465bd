// Llama Scope: hyperparams.json + checkpoints/final.safetensors {encoder.weight [F, d], encoder.bias, decoder.weight [d, F],
// decoder.bias}, of OpenMOSS's earlier library. With s = √d/(average norm of the data set), n decoder norms:
//   p = n(x Eᵀ + b/s) on raw x; f = p[p > jump_relu_threshold]; x̂ = f(D/n)ᵀ + b_dec/s
// The threshold was measured after the scaling had been folded. Source: lm_saes 0.1.0 (4ec6f0aa).

import Inference
import Kernels

extension DictionaryForm {
  static let llamaScope = DictionaryForm(
    name: "llama-scope",
    reads: "Llama Scope and other SAEs of lm_saes 0.1.0: jumprelu, topk with or without a threshold, relu.",
    refuses: "token-wise norms, GLU encoders and a decoder bias that is subtracted from inputs.",
    files: ["checkpoints/final.safetensors", "final.safetensors"], tables: [.llamaScope, .llamaScopeNorms],
    recognises: { (folder) throws(DiffingError) in
      guard try folder.has("encoder.weight", dimensions: 2) else { return false }
      return settingsFolder(folder) != nil
    },
    open: { (folder) throws(DiffingError) in try openLlamaScope(folder) })

  /// hyperparams.json stands beside the tensors, or beside their folder.
  private static func settingsFolder(_ folder: DictionaryFolder) -> DictionaryFolder? {
    if folder.has(file: "hyperparams.json") { return folder }
    guard folder.has(file: "../hyperparams.json") else { return nil }
    return DictionaryFolder(path: folder.path, folder: folder.folder + "/..", reader: folder.reader)
  }

  private static func openLlamaScope(_ given: DictionaryFolder) throws(DiffingError) -> OpenedDictionary {
    let folder = settingsFolder(given) ?? given
    let reader = folder.reader
    let (F, d) = try folder.matrix("encoder.weight")
    guard let fields = try folder.fields("hyperparams.json", .llamaScope) else {
      throw .file(.fileUnreadable(path: folder.folder + "/hyperparams.json", reason: "there is no such file"))
    }
    let norms = try reading { () throws(InferenceError) in
      try FormatTable.llamaScopeNorms.read(
        fields["dataset_average_activation_norm"], path: fields.path, place: "dataset_average_activation_norm")
    }
    let (width, size, kind, bound, k, norm, scaled, hasBias, input, output) = try reading { () throws(InferenceError) in
      (
        try fields.integer("d_model"), try fields.integer("d_sae"), try fields.text("act_fn") ?? "relu",
        try fields.number("jump_relu_threshold") ?? 0, try fields.integer("top_k", in: 1...Int.max),
        try fields.text("norm_activation") ?? "token-wise", try fields.flag("sparsity_include_decoder_norm") ?? true,
        try fields.flag("use_decoder_bias") ?? true, try fields.text("hook_point_in"), try fields.text("hook_point_out")
      )
    }
    try folder.agree("d_model", "hyperparams.json", width, d)
    try folder.agree("d_sae", "hyperparams.json", size, F)
    let selection: CodeSelection
    switch kind {
    case "jumprelu": selection = .thresholds
    case "topk" where bound > 0: selection = .thresholds
    case "topk":
      guard let k else {
        throw .configurationInvalid(path: fields.path, key: "top_k", expected: "at least 1", found: "absent")
      }
      selection = .largest(k, scaled: false)
    case "relu" where bound == 0: selection = .thresholds
    default: throw folder.unsupported("act_fn", kind, "jumprelu, topk or relu", file: "hyperparams.json")
    }
    var (inScale, outScale) = (1.0, 1.0)
    switch norm {
    case "inference": break
    case "dataset-wise":
      let averages = try reading { () throws(InferenceError) in (try norms.number("in"), try norms.number("out")) }
      guard let first = averages.0, let second = averages.1, first > 0, second > 0 else {
        throw .configurationInvalid(
          path: fields.path, key: "dataset_average_activation_norm", expected: "positive numbers in and out",
          found: "other values")
      }
      (inScale, outScale) = (Double(d).squareRoot() / first, Double(d).squareRoot() / second)
    default:
      throw folder.unsupported("norm_activation", norm, "dataset-wise or inference", file: "hyperparams.json")
    }
    var tensors = ["encoder.weight": [F, d], "encoder.bias": [F], "decoder.weight": [d, F]]
    if hasBias { tensors["decoder.bias"] = [d] }
    let place = input.map { PlacedDictionary($0, output: output, path: fields.path) } ?? PlacedDictionary()
    let (s, sOut) = (inScale, outScale)
    let load = { @Sendable (directionsOnly: Bool) throws(DiffingError) -> SoleWeights in
      var weights = SoleWeights(
        d: d, F: F, encoder: directionsOnly ? [] : try reader.floats("encoder.weight", [F, d]),
        bias: try reader.floats("encoder.bias", [F]).map { Float(Double($0) / s) },
        decoder: try reader.rows("decoder.weight", F: F, d: d, isTransposed: true),
        decoderBias: hasBias
          ? try reader.floats("decoder.bias", [d]).map { Float(Double($0) / sOut) } : [Float](repeating: 0, count: d))
      if s != sOut {
        weights.scaleDecoder(by: [Float](repeating: Float(s / sOut), count: F))
      }
      if scaled { weights.moveToEncoder(weights.decoderNorms) }
      weights.selection = selection
      if selection == .thresholds { weights.thresholds = [Float](repeating: Float(bound), count: F) }
      (weights.k, weights.readsElsewhere) = (k, place.readsElsewhere)
      return weights
    }
    var opened = OpenedDictionary(
      dModel: d, nLatents: F, tensors: tensors,
      decoderRows: { () throws(DiffingError) in try load(true).decoderRows },
      crosscoder: { () throws(DiffingError) in try load(false).crosscoder(card: place.card) })
    opened.setPlace(place)
    return opened
  }
}

extension FormatTable {
  /// The fields of hyperparams.json.
  static let llamaScope = FormatTable(
    "hyperparams.json of Llama Scope", reference: "lm_saes 0.1.0, SAEConfig", unknown: .refused,
    [
      .honoured("hook_point_in", "The place that is read."), .honoured("hook_point_out", "The place that is written."),
      .honoured("d_model", "It must agree with the weights."), .honoured("d_sae", "It must agree with the weights."),
      .honoured("act_fn", "jumprelu; topk, which a threshold makes jumprelu; relu."),
      .honoured("jump_relu_threshold", "One for all latents, on codes in raw units."),
      .honoured("top_k", "k of topk without a threshold."),
      .honoured("norm_activation", "dataset-wise or inference."),
      .honoured("dataset_average_activation_norm", "The averages `in` and `out`."),
      .honoured("sparsity_include_decoder_norm", "True multiplies codes by decoder norms."),
      .honoured("use_decoder_bias", "False means that there is no decoder.bias."),
      .refused("apply_decoder_bias_to_pre_encoder", "inputs as they are"),
      .refused("use_glu_encoder", "an encoder of one map"),
    ]
      + [
        "device", "seed", "dtype", "expansion_factor", "bias_init_method", "decoder_exactly_fixed_norm",
        "init_decoder_norm", "init_encoder_norm", "init_encoder_with_decoder_transpose", "lp", "l1_coefficient",
        "l1_coefficient_warmup_steps", "k_warmup_steps", "use_batch_norm_mse", "use_ghost_grads", "tp_size", "ddp_size",
        "sae_pretrained_name_or_path", "strict_loading", "remove_gradient_parallel_to_decoder_directions",
        "noise_scale", "exp_name", "exp_series", "exp_result_dir",
      ].map { .withoutEffect($0, "It says how training ran; sizes and types are the weights'.") })

  /// The object of average norms in hyperparams.json.
  static let llamaScopeNorms = FormatTable(
    "dataset_average_activation_norm in hyperparams.json", reference: "lm_saes 0.1.0", unknown: .refused,
    [.honoured("in", "The average norm of inputs."), .honoured("out", "The average norm of outputs.")])
}
