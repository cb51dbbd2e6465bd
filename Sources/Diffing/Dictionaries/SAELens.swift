// SAEs and transcoders of SAELens: cfg.json + sae_weights.safetensors {W_enc [d, F], b_enc, W_dec [F, d], b_dec, …}, of
// versions 2 to 6, and training's checkpoints of version 6. SAELensFields has the tables of cfg.json.
//   t = s(x) − b_dec if apply_b_dec_to_input, else s(x); p = t W_enc + b_enc
//   standard, jumprelu (p > θ_j), gated (b_gate, b_mag, r_mag), topk (the k largest p, or p‖d‖ with rescale), tanh-relu
//   layer_norm and constant_norm_rescale are token steps; expected_average_only_in is a factor in activation_scaler.json
// An absent field means the same in all versions. Places other than the residual stream can be encoded, not browsed.
// Source: SAELens 2.1.3, 3.23.4, 5.11.0 and 6.54.12.

import Inference
import Kernels

/// What cfg.json asks for.
struct SAELensSettings {
  enum Architecture { case standard, jumpReLU, gated, topK, batchTopK }

  var architecture = Architecture.standard
  var subtractsBias = true
  var k: Int?
  var rescales = false
  var isTanh = false
  var tokenStep: TokenStep?
  /// The factor of the input that a checkpoint has not folded.
  var inputScale = 1.0
  /// The tensor that multiplies f in decoding.
  var decoderFactors: String?
  var skips = false
  var readsElsewhere: String?
}

extension DictionaryForm {
  static let saeLens = DictionaryForm(
    name: "sae",
    reads:
      "SAEs of SAELens 2 to 6: standard, jumprelu, gated, topk, tanh-relu; layer_norm and constant_norm_rescale; fine-tuned "
      + "scaling factors; batchtopk and matryoshka as saved and as checkpoints with activation_scaler.json; transcoders and "
      + "skip transcoders of an MLP.",
    refuses:
      "Temporal, matching-pursuit and abs-topk SAEs, covariance_whitening in a checkpoint, one head of an attention layer, "
      + "and expected_average_only_in without its factor, which only a list inside SAELens holds.",
    files: ["sae_weights.safetensors"], tables: [.sae, .saeMetadata, .saeScaler],
    recognises: { (folder) throws(DiffingError) in
      guard try folder.has("W_enc", dimensions: 2) else { return false }
      return folder.has(file: "cfg.json")
    },
    open: { (folder) throws(DiffingError) in try openSAELens(folder) })

  private static func openSAELens(_ folder: DictionaryFolder) throws(DiffingError) -> OpenedDictionary {
    let reader = folder.reader
    let (d, F) = try folder.matrix("W_enc")
    guard let fields = try folder.fields("cfg.json", .sae) else {
      throw .file(.fileUnreadable(path: folder.folder + "/cfg.json", reason: "there is no such file"))
    }
    let metadata = try reading { () throws(InferenceError) in
      try FormatTable.saeMetadata.read(fields["metadata"], path: fields.path, place: "metadata")
    }
    let sizes = try reading { () throws(InferenceError) in
      (try fields.integer("d_in"), try fields.integer("d_sae"), try fields.integer("d_out"))
    }
    try folder.agree("d_in", "cfg.json", sizes.0, d)
    try folder.agree("d_sae", "cfg.json", sizes.1, F)
    try folder.agree("d_out", "cfg.json", sizes.2, d)
    var settings = try settings(folder, fields, metadata)
    var tensors = ["W_enc": [d, F], "W_dec": [F, d], "b_dec": [d]]
    switch settings.architecture {
    case .standard, .topK: tensors["b_enc"] = [F]
    case .jumpReLU: (tensors["b_enc"], tensors["threshold"]) = ([F], [F])
    case .gated: for name in ["b_gate", "b_mag", "r_mag"] { tensors[name] = [F] }
    case .batchTopK: (tensors["b_enc"], tensors["topk_threshold"]) = ([F], [])
    }
    if settings.skips { tensors["W_skip"] = [d, d] }
    try factors(folder, fields, F: F, &tensors, &settings)
    let place = try place(fields, metadata)
    settings.readsElsewhere = place.readsElsewhere
    let final = settings
    var opened = OpenedDictionary(
      dModel: d, nLatents: F, tensors: tensors,
      decoderRows: { () throws(DiffingError) in
        guard final.inputScale == 1, final.decoderFactors == nil, !final.rescales else {
          return try final.weights(folder, F: F, d: d, directionsOnly: true).decoderRows
        }
        return try reader.decoderRows("W_dec", [F, d], F: F, d: d, .sole(.chat, offset: 0, step: d))
      },
      crosscoder: { () throws(DiffingError) in try final.weights(folder, F: F, d: d).crosscoder(card: place.card) })
    opened.setPlace(place)
    if let tokenStep = final.tokenStep { opened.notes.append(tokenStep.unitsNote) }
    try reading { () throws(InferenceError) in
      let (own, other) = (try fields.text("model_name"), try metadata.text("model_name"))
      opened.modelName = own ?? other
      let version = try metadata.text(firstOf: "sae_lens_training_version", "sae_lens_version") ?? ""
      let trained = try metadata.text("training_architecture") ?? ""
      if version == "6.18" || version.hasPrefix("6.18."), trained.hasSuffix("batchtopk") {
        opened.notes.append(
          "SAELens \(version) wrote thresholds of \(trained) off by the scaling factor if it trained with "
            + "normalize_activations expected_average_only_in: check that the number of active latents is as trained")
      }
    }
    return opened
  }

  private static func settings(
    _ folder: DictionaryFolder, _ fields: FieldReader, _ metadata: FieldReader
  ) throws(DiffingError) -> SAELensSettings {
    var settings = SAELensSettings()
    let (architecture, activation, arguments) = try reading { () throws(InferenceError) in
      (
        try fields.text("architecture") ?? "standard",
        try fields.text(firstOf: "activation_fn_str", "activation_fn") ?? "relu", fields["activation_fn_kwargs"]
      )
    }
    let isTranscoder = architecture.contains("transcoder")
    settings.subtractsBias = try reading { () throws(InferenceError) in
      try fields.flag("apply_b_dec_to_input") ?? !isTranscoder
    }
    settings.skips = architecture.contains("skip_transcoder")
    switch architecture {
    case "standard", "transcoder", "skip_transcoder": settings.architecture = .standard
    case "jumprelu", "jumprelu_transcoder", "jumprelu_skip_transcoder": settings.architecture = .jumpReLU
    case "gated": settings.architecture = .gated
    case "topk": settings.architecture = .topK
    case "batchtopk", "matryoshka_batchtopk": settings.architecture = .batchTopK
    default:
      throw folder.unsupported(
        "an SAE with architecture", architecture,
        "standard, jumprelu, gated, topk, batchtopk, matryoshka_batchtopk or a transcoder", file: "cfg.json")
    }
    switch activation {
    case "relu": break
    case "tanh-relu" where [.standard, .jumpReLU].contains(settings.architecture): settings.isTanh = true
    case "topk" where [.standard, .topK].contains(settings.architecture): settings.architecture = .topK
    default:
      throw folder.unsupported(
        "activation_fn_str", activation, "relu; tanh-relu and topk of standard SAEs", file: "cfg.json")
    }
    try reading { () throws(InferenceError) in
      settings.rescales =
        try fields.flag("rescale_acts_by_decoder_norm") ?? (settings.architecture == .batchTopK)
      // A batchtopk's k may be a fraction, and changes no code.
      switch settings.architecture {
      case .topK: settings.k = try fields.integer("k", in: 1...Int.max)
      case .batchTopK: _ = try fields.number("k")
      default:
        guard fields["k"] == .null else {
          throw .unsupported(
            path: fields.path, what: "k", found: "\(try fields.number("k") ?? 0) of \(architecture)",
            supported: "topk or batchtopk")
        }
      }
      if case .object(let members) = arguments {
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
          guard name == "k", let k = value.integer, k > 0, settings.architecture == .topK,
            settings.k.map({ $0 == k }) ?? true
          else { throw fields.wrong("activation_fn_kwargs", "{\"k\": N} of a topk SAE, as k says") }
          settings.k = k
        }
      } else if arguments != .null {
        throw fields.wrong("activation_fn_kwargs", "an object")
      }
    }
    if settings.architecture == .topK, settings.k == nil {
      throw .configurationInvalid(
        path: fields.path, key: "k", expected: "the number of latents that a token keeps", found: "absent")
    }
    if settings.rescales, ![.topK, .batchTopK].contains(settings.architecture) {
      throw folder.unsupported(
        "rescale_acts_by_decoder_norm", "true of \(architecture)", "topk and batchtopk alone", file: "cfg.json")
    }
    try normalisation(folder, fields, &settings)
    return settings
  }

  /// The steps that inputs take.
  private static func normalisation(
    _ folder: DictionaryFolder, _ fields: FieldReader, _ settings: inout SAELensSettings
  ) throws(DiffingError) {
    let name: String
    switch fields["normalize_activations"] {
    case .null, .bool(false): name = "none"
    case .bool(true): name = "expected_average_only_in"
    case .string(let text): name = text
    default:
      throw .file(fields.wrong("normalize_activations", "none, layer_norm or another name"))
    }
    switch name {
    case "none": break
    case "layer_norm": settings.tokenStep = .standardised
    case "constant_norm_rescale": settings.tokenStep = .rootNorm
    case "expected_average_only_in":
      guard let scaler = try folder.fields("activation_scaler.json", .saeScaler) else {
        throw .notSaid(
          path: fields.path, what: "the factor of its inputs (normalize_activations \(name))",
          remedy:
            "put training's activation_scaler.json beside it, or let SAELens fold it (fold_activation_norm_scaling_factor)"
        )
      }
      let factor = try reading { () throws(InferenceError) in try scaler.number("scaling_factor") }
      guard let factor, factor > 0 else {
        throw .configurationInvalid(
          path: scaler.path, key: "scaling_factor", expected: "a positive number",
          found: factor.map { "\($0)" } ?? "absent")
      }
      settings.inputScale = factor
    default:
      throw folder.unsupported(
        "normalize_activations", name,
        "none, layer_norm, constant_norm_rescale, or expected_average_only_in with its factor", file: "cfg.json")
    }
  }

  /// The factors by which fine-tuning multiplies f in decoding.
  private static func factors(
    _ folder: DictionaryFolder, _ fields: FieldReader, F: Int, _ tensors: inout [String: [Int]],
    _ settings: inout SAELensSettings
  ) throws(DiffingError) {
    let flag = try reading { () throws(InferenceError) in try fields.flag("finetuning_scaling_factor") }
    guard
      let name = ["finetuning_scaling_factor", "scaling_factor"].first(where: { folder.reader.has($0) })
    else {
      guard flag == true else { return }
      throw .file(.tensorMissing(path: folder.path, tensor: "finetuning_scaling_factor"))
    }
    tensors[name] = [F]
    let isOne = try folder.reader.floats(name, [F]).allSatisfy { $0 == 1 }
    guard !isOne else { return }
    guard flag != false else {
      throw .configurationInvalid(
        path: fields.path, key: "finetuning_scaling_factor",
        expected: "true, as the tensor \(name) has other numbers than 1", found: "false")
    }
    settings.decoderFactors = name
  }

  /// The place that the dictionary reads, and the one that a transcoder writes.
  private static func place(
    _ fields: FieldReader, _ metadata: FieldReader
  ) throws(DiffingError) -> PlacedDictionary {
    let names = try reading { () throws(InferenceError) in
      [try fields.text("hook_name"), try fields.text("hook_point"), try metadata.text("hook_name")].compactMap { $0 }
    }
    let numbers = try reading { () throws(InferenceError) in
      [try fields.integer("hook_layer"), try fields.integer("hook_point_layer"), try metadata.integer("hook_layer")]
        .compactMap { $0 }
    }
    let output = try reading { () throws(InferenceError) in
      let (own, other) = (try fields.text("hook_name_out"), try metadata.text("hook_name_out"))
      return own ?? other
    }
    guard let name = names.first else { return PlacedDictionary() }
    func disagree(_ other: String) -> DiffingError {
      .configurationInvalid(path: fields.path, key: "hook_name", expected: other, found: String(name.prefix(80)))
    }
    if let other = names.first(where: { $0 != name }) { throw disagree(String(other.prefix(80))) }
    if let block = DictionaryPlace.named(name).block, let number = numbers.first(where: { $0 != block }) {
      throw disagree("block \(number), as hook_layer says")
    }
    return PlacedDictionary(name, output: output, path: fields.path)
  }
}
