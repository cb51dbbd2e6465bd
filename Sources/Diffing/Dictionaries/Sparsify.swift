// Sparse coders of eai-sparsify: cfg.json + sae.safetensors {encoder.weight [F, d], encoder.bias, W_dec [F, d], b_dec, maybe
// W_skip [d, d]} in a folder with the hook's name (layers.6 is the output of block 6).
//   p = (x − b_dec)Eᵀ + b, without − b_dec if transcode; topk keeps the k largest p > 0 of a token, groupmax the largest of
//   each of k groups of F/k neighbours; x̂ = f W_dec + b_dec (+ W_skip x)
// multi_topk is a loss of training. Source: eai-sparsify 1.3.3, sparse_coder.py and fused_encoder.py.

import Inference
import Kernels

extension DictionaryForm {
  static let sparsify = DictionaryForm(
    name: "sparsify",
    reads: "Sparse coders of eai-sparsify: topk and groupmax, with W_skip, transcoders of an MLP.",
    refuses:
      "Codes with a sign (`signed` of early versions), and coders of other modules than a block or its MLP, which "
      + "are encoded, not browsed.",
    files: ["sae.safetensors"], tables: [.sparsify],
    recognises: { (folder) throws(DiffingError) in
      guard try folder.has("encoder.weight", dimensions: 2) else { return false }
      return folder.reader.has("W_dec") || folder.path.hasSuffix("/sae.safetensors")
    },
    open: { (folder) throws(DiffingError) in try openSparsify(folder) })

  private static func openSparsify(_ folder: DictionaryFolder) throws(DiffingError) -> OpenedDictionary {
    let reader = folder.reader
    let (F, d) = try folder.matrix("encoder.weight")
    guard let fields = try folder.fields("cfg.json", .sparsify) else {
      throw .file(.fileUnreadable(path: folder.folder + "/cfg.json", reason: "there is no such file"))
    }
    let (kind, given, latents, factor, k, isTranscoder, skips) = try reading { () throws(InferenceError) in
      (
        try fields.text("activation") ?? "topk", try fields.integer("d_in"), try fields.integer("num_latents") ?? 0,
        try fields.integer("expansion_factor") ?? 32, try fields.integer("k", in: 1...Int.max) ?? 32,
        try fields.flag("transcode") ?? false, try fields.flag("skip_connection") ?? false
      )
    }
    try folder.agree("d_in", "cfg.json", given, d)
    if latents > 0 {
      try folder.agree("num_latents", "cfg.json", latents, F)
    } else {
      let (product, overflow) = d.multipliedReportingOverflow(by: factor)
      try folder.agree("d_in · expansion_factor", "cfg.json", overflow ? .max : product, F)
    }
    let selection: CodeSelection
    switch kind {
    case "topk": selection = .largest(k, scaled: false)
    case "groupmax":
      guard F.isMultiple(of: k) else {
        throw .configurationInvalid(
          path: fields.path, key: "k", expected: "a number of groups that divides \(F)", found: "\(k)")
      }
      selection = .largestOfGroups(k)
    default: throw folder.unsupported("activation", kind, "topk or groupmax", file: "cfg.json")
    }
    var tensors = ["encoder.weight": [F, d], "encoder.bias": [F], "W_dec": [F, d], "b_dec": [d]]
    if skips { tensors["W_skip"] = [d, d] }
    var place = PlacedDictionary()
    if let name = folder.components.dropLast().last, DictionaryPlace.named(name).block != nil {
      place = PlacedDictionary(
        isTranscoder ? "the input of \(name)" : name, output: isTranscoder ? name : nil, path: folder.folder)
    }
    if isTranscoder, place.readsElsewhere == nil { place.readsElsewhere = "the input of its module" }
    let placed = place
    var opened = OpenedDictionary(
      dModel: d, nLatents: F, tensors: tensors,
      decoderRows: { () throws(DiffingError) in
        try reader.decoderRows("W_dec", [F, d], F: F, d: d, .sole(.chat, offset: 0, step: d))
      },
      crosscoder: { () throws(DiffingError) in
        var weights = SoleWeights(
          d: d, F: F, encoder: try reader.floats("encoder.weight", [F, d]),
          bias: try reader.floats("encoder.bias", [F]), decoder: try reader.floats("W_dec", [F, d]),
          decoderBias: try reader.floats("b_dec", [d]))
        (weights.selection, weights.k, weights.readsElsewhere) = (selection, k, placed.readsElsewhere)
        if !isTranscoder { weights.subtractDecoderBias() }
        if skips { weights.skip = Matrix(rows: d, columns: d, values: try reader.floats("W_skip", [d, d])) }
        return weights.crosscoder(card: placed.card)
      })
    opened.setPlace(placed)
    return opened
  }
}

extension FormatTable {
  /// The fields of cfg.json of eai-sparsify.
  static let sparsify = FormatTable(
    "cfg.json of eai-sparsify", reference: "eai-sparsify 1.3.3, whose reader drops fields that its class lacks",
    unknown: .refused,
    [
      .honoured("activation", "topk, also where it is absent, or groupmax."),
      .honoured("k", "The number of latents that a token keeps; 32 where it is absent."),
      .honoured("num_latents", "It must agree with the weights; 0 means d_in · expansion_factor."),
      .honoured("expansion_factor", "See `num_latents`; 32 where it is absent."),
      .honoured("d_in", "It must agree with the weights."),
      .honoured("transcode", "True does not subtract b_dec from the input, and predicts a module's output."),
      .honoured("skip_connection", "True adds W_skip x."),
      .refused("signed", "codes above 0"),
      .withoutEffect("normalize_decoder", "It acts in training; b_dec is subtracted either way, as in the library."),
      .withoutEffect("multi_topk", "It is a loss of training."),
    ])
}
