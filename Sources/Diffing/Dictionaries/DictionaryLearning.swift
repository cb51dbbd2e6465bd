// Dictionaries of dictionary_learning, and of its fork crosscoder_learning, which trains them on the difference of two
// models as well. `trainer.dict_class` in config.json, dict_class beside it, or trainer_config.json says which class:
//   AutoEncoder {bias, encoder.*, decoder.weight [d, F]}    f = relu((x − bias)Eᵀ + b); the library's loader makes
//                                                           decoder columns unit, and f larger by their norm
//   GatedAutoEncoder {decoder_bias, gate_bias, mag_bias, r_mag}    the gate's and the magnitude's map share E
//   JumpReluAutoEncoder {W_enc [d, F], b_enc, W_dec [F, d], b_dec, threshold [F]}    b_dec is not subtracted
//   AutoEncoderTopK, BatchTopKSAE {encoder.*, b_dec, k, threshold}, MatryoshkaBatchTopKSAE {W_enc, …, group_sizes}
//                                                           p = (x − b_dec)E + b; the k largest, or p > θ
// A checkpoint in the midst of training (`ae.…`) has a factor that no tensor holds, and is refused.
// Source: saprmarks/dictionary_learning at 60ec6bf, crosscoder_learning at b2363ed.

import Inference
import Kernels

extension DictionaryForm {
  static let dictionaryLearning = DictionaryForm(
    name: "dictionary_learning",
    reads:
      "AutoEncoder, GatedAutoEncoder, JumpReluAutoEncoder, AutoEncoderTopK, BatchTopKSAE and MatryoshkaBatchTopKSAE of "
      + "dictionary_learning (ae.pt), and BatchTopKSAE of crosscoder_learning on one model or a difference, with its "
      + "normaliser.",
    refuses:
      "Other classes, and checkpoints in the midst of training (`ae.…`), whose norm_factor is no tensor.",
    files: ["ae.pt", "model.safetensors", "model_final.pt"], tables: [.dictionaryLearning, .trainer],
    recognises: { (folder) throws(DiffingError) in
      if try folder.has("encoder.weight", dimensions: 2) || folder.reader.has("ae.encoder.weight")
        || folder.reader.has("ae.W_enc")
      {
        return true
      }
      guard try folder.has("W_enc", dimensions: 2), !folder.has(file: "cfg.json") else { return false }
      return try dictionaryClass(folder) != nil
    },
    open: { (folder) throws(DiffingError) in try openDictionaryLearning(folder) })

  private enum Kind: String, CaseIterable {
    case autoEncoder = "AutoEncoder"
    case gated = "GatedAutoEncoder"
    case jumpRelu = "JumpReluAutoEncoder"
    case topK = "AutoEncoderTopK"
    case batchTopK = "BatchTopKSAE"
    case matryoshka = "MatryoshkaBatchTopKSAE"

    var bias: String {
      switch self {
      case .autoEncoder: "bias"
      case .gated: "decoder_bias"
      case .jumpRelu, .topK, .batchTopK, .matryoshka: "b_dec"
      }
    }
    /// Whether tensors have the names W_enc [d, F] and W_dec [F, d].
    var hasShortNames: Bool { self == .jumpRelu || self == .matryoshka }
  }

  private static func dictionaryClass(_ folder: DictionaryFolder) throws(DiffingError) -> String? {
    for name in ["config.json", "trainer_config.json"] {
      guard let json = try folder.json(name) else { continue }
      if let found = json["trainer"]["dict_class"].string ?? json["dict_class"].string { return found }
    }
    return nil
  }

  private static func kind(_ folder: DictionaryFolder) throws(DiffingError) -> Kind {
    if folder.reader.file.names.contains(where: { $0.hasPrefix("ae.") }) {
      throw folder.unsupported(
        "a checkpoint in the midst of training, with the tensors", "ae.…",
        "the finished ae.pt (such a checkpoint also needs the norm_factor, which is no tensor)")
    }
    if let name = try dictionaryClass(folder) {
      guard let kind = Kind(rawValue: name) else {
        throw folder.unsupported(
          "a dictionary with dict_class", name, Kind.allCases.map(\.rawValue).joined(separator: ", "), file: "")
      }
      return kind
    }
    if folder.reader.has("gate_bias") { return .gated }
    if folder.reader.has("bias") { return .autoEncoder }
    throw .notSaid(
      path: folder.folder, what: "which class of dictionary it is",
      remedy: "put config.json (trainer.dict_class) beside the tensors, as the library leaves it")
  }

  private static func openDictionaryLearning(_ folder: DictionaryFolder) throws(DiffingError) -> OpenedDictionary {
    let reader = folder.reader
    let kind = try kind(folder)
    let encoder = kind.hasShortNames ? "W_enc" : "encoder.weight"
    let (first, second) = try folder.matrix(encoder)
    let (F, d) = kind.hasShortNames ? (second, first) : (first, second)
    var tensors = [kind.bias: [d]]
    tensors[encoder] = [first, second]
    tensors[kind.hasShortNames ? "W_dec" : "decoder.weight"] = [second, first]
    if kind != .gated { tensors[kind.hasShortNames ? "b_enc" : "encoder.bias"] = [F] }
    switch kind {
    case .autoEncoder: break
    case .gated: for name in ["gate_bias", "mag_bias", "r_mag"] { tensors[name] = [F] }
    case .jumpRelu: tensors["threshold"] = [F]
    case .topK, .batchTopK, .matryoshka:
      (tensors["k"], tensors["threshold"]) = ([], [])
      if kind == .matryoshka, reader.has("group_sizes") {
        let sizes = try reader.shape("group_sizes")
        tensors["group_sizes"] = [sizes.count == 1 ? sizes[0] : 0]
      }
    }
    // A BatchTopKSAE of crosscoder_learning has the buffers of a normaliser, NaN if there is none.
    let isFork = kind == .batchTopK && reader.has("target_rms")
    if isFork {
      for (name, shape) in [
        ("target_rms", []), ("activation_mean", [d]), ("activation_std", [d]), ("activation_global_scale", []),
      ] where reader.has(name) { tensors[name] = shape }
    }
    let reads = try readsOf(folder, isFork: isFork)
    var card = CrosscoderCard()
    if let trainer = try trainer(of: folder) {
      try reading { () throws(InferenceError) in
        card.layer = try trainer.integer("layer")
        card.modelName = try trainer.text("lm_name")
        _ = try trainer.integer("k", in: 1...Int.max)
      }
      let sizes = try reading { () throws(InferenceError) in
        (try trainer.integer("activation_dim"), try trainer.integer("dict_size"))
      }
      try folder.agree("trainer.activation_dim", "config.json", sizes.0, d)
      try folder.agree("trainer.dict_size", "config.json", sizes.1, F)
    }
    if let fields = try folder.fields("config.json", .dictionaryLearning) {
      let sizes = try reading { () throws(InferenceError) in
        (try fields.integer("activation_dim"), try fields.integer("dict_size"))
      }
      try folder.agree("activation_dim", "config.json", sizes.0, d)
      try folder.agree("dict_size", "config.json", sizes.1, F)
    }
    let load = { @Sendable (directionsOnly: Bool) throws(DiffingError) -> SoleWeights in
      try weights(folder, kind, F: F, d: d, isFork: isFork, directionsOnly: directionsOnly)
    }
    let cardInside = card
    var opened = OpenedDictionary(
      dModel: d, nLatents: F, tensors: tensors,
      decoderRows: { () throws(DiffingError) in
        let weights = try load(true)
        guard reads == .baseMinusChat else { return weights.decoderRows }
        return DecoderRows(
          values: weights.decoder.map { -$0 }, nLatents: F, dModel: d, layout: .sole(.chat, offset: 0, step: d))
      },
      crosscoder: { () throws(DiffingError) in
        try load(false).crosscoder(card: cardInside, reads: reads ?? .chat)
      })
    opened.card = card
    opened.optional = ["activation_mean", "activation_std", "activation_global_scale", "target_rms"]
    opened.isTurned = reads == .baseMinusChat
    switch reads {
    case .base: opened.target = .base
    case .chat: opened.target = .chat
    case .chatMinusBase, .baseMinusChat: opened.target = .difference
    case nil:
      opened.fault = .notSaid(
        path: folder.folder, what: "whether it reads base, chat, chat − base or base − chat",
        remedy: "give --reads base, chat, chat-base or base-chat (the run's training_metrics.json has it as target)")
    }
    return opened
  }

  /// The object `trainer` of config.json or trainer_config.json.
  private static func trainer(of folder: DictionaryFolder) throws(DiffingError) -> FieldReader? {
    for name in ["trainer_config.json", "config.json"] {
      guard let json = try folder.json(name), json["trainer"] != .null else { continue }
      return try reading { () throws(InferenceError) in
        try FormatTable.trainer.read(json["trainer"], path: folder.folder + "/" + name, place: "trainer")
      }
    }
    return nil
  }

  /// What the dictionary reads; nil if neither its files nor the caller say it. dictionary_learning reads one model.
  private static func readsOf(
    _ folder: DictionaryFolder, isFork: Bool
  ) throws(DiffingError) -> DictionaryChoice.Reads? {
    var said: DictionaryChoice.Reads?
    if let target = try folder.json("training_metrics.json")?["target"], target != .null {
      switch target.string {
      case "difference_ftb": said = .chatMinusBase
      case "difference_bft": said = .baseMinusChat
      case "base": said = .base
      case "ft", "chat": said = .chat
      default:
        throw .configurationInvalid(
          path: folder.folder + "/training_metrics.json", key: "target",
          expected: "difference_ftb, difference_bft, base or ft", found: String((target.string ?? "no text").prefix(80))
        )
      }
    }
    if let said, let chosen = folder.choice.reads, chosen != said {
      throw .configurationInvalid(
        path: folder.folder + "/training_metrics.json", key: "target", expected: "\(chosen.rawValue), as --reads says",
        found: said.rawValue)
    }
    return said ?? folder.choice.reads ?? (isFork ? nil : .chat)
  }

  private static func weights(
    _ folder: DictionaryFolder, _ kind: Kind, F: Int, d: Int, isFork: Bool, directionsOnly: Bool
  ) throws(DiffingError) -> SoleWeights {
    let reader = folder.reader
    let (encoder, decoder) = kind.hasShortNames ? ("W_enc", "W_dec") : ("encoder.weight", "decoder.weight")
    let bias = kind == .gated ? "gate_bias" : kind.hasShortNames ? "b_enc" : "encoder.bias"
    var weights = SoleWeights(
      d: d, F: F, encoder: directionsOnly ? [] : try reader.rows(encoder, F: F, d: d, isTransposed: kind.hasShortNames),
      bias: try reader.floats(bias, [F]),
      decoder: try reader.rows(decoder, F: F, d: d, isTransposed: !kind.hasShortNames),
      decoderBias: try reader.floats(kind.bias, [d]))
    switch kind {
    case .autoEncoder: break
    case .gated:
      weights.activation = .gated(
        logScales: try reader.floats("r_mag", [F]), biases: try reader.floats("mag_bias", [F]))
    case .jumpRelu: weights.thresholds = try reader.floats("threshold", [F])
    case .topK, .batchTopK, .matryoshka:
      let k = try reader.integer("k")
      guard k > 0 else {
        throw .configurationInvalid(path: folder.path, key: "tensor k", expected: "at least 1", found: "\(k)")
      }
      weights.k = k
      let threshold = try reader.floats("threshold", [])[0]
      if kind == .topK {
        weights.selection = .largest(k, scaled: false)
      } else {
        weights.thresholds = [Float](repeating: max(0, threshold), count: F)
      }
    }
    if kind != .jumpRelu { weights.subtractDecoderBias() }
    if kind == .autoEncoder { weights.moveToEncoder(weights.decoderNorms) }
    if isFork { weights.normaliser = try Crosscoder.normaliser(reader, targetRMS: nil, models: 1, d: d) }
    return weights
  }
}

extension FormatTable {
  /// The fields of config.json beside dictionaries of dictionary_learning and of its fork.
  static let dictionaryLearning = FormatTable(
    "config.json of dictionary_learning", reference: "dictionary_learning 60ec6bf, BatchTopKSAE of crosscoder_learning",
    unknown: .refused,
    [
      .honoured("trainer", "See the table of the trainer."),
      .honoured("dict_class", "The class, if there is no trainer."),
      .honoured("activation_dim", "It must agree with the weights."),
      .honoured("dict_size", "It must agree with the weights."),
      .withoutEffect("k", "The tensor says it; here the class's default may stand."),
      .withoutEffect("target_rms", "The tensor says it; here the class's default stands."),
      .withoutEffect("activation_mean", "The tensor says it."), .withoutEffect("activation_std", "The tensor says it."),
      .withoutEffect("encoder_init_norm", "It acts before training."),
      .withoutEffect("buffer", "It says what training read."),
    ])
}
