// Gemma Scope 1 and 2, JumpReLU dictionaries: f = p[p > θ_j], p = x W_enc + b_enc, and b_dec is never subtracted.
//   1  params.npz {W_enc [d, F], b_enc, W_dec [F, d], b_dec, threshold}, no configuration; layer and model are in the path
//   2  params.safetensors with lower-case names, affine_skip_connection [d, d] of some transcoders, config.json or the path
// SAEs of the embeddings have W_enc divided and W_dec multiplied by √d on loading. What reads or writes another place than
// the residual stream can be encoded; a transcoder of an MLP can be browsed too. Dictionaries over several layers
// (crosscoders and cross-layer transcoders of version 2) are refused by name.
// Source: the loaders of SAELens 6.54.12 (gemma_2_…, gemma_3_sae_huggingface_loader).

import Inference
import Kernels

extension DictionaryForm {
  static let gemmaScope = DictionaryForm(
    name: "gemma-scope",
    reads:
      "Gemma Scope 1: params.npz, stored or deflated; the layer is read from layer_N in the path, and SAEs of embeddings, "
      + "attention and MLP from their folders.",
    refuses: "Nothing that is published; other places than the residual stream are encoded, not browsed.",
    files: ["params.npz", "params.safetensors"], tables: [],
    recognises: { (folder) throws(DiffingError) in try folder.has("W_enc", dimensions: 2) },
    open: { (folder) throws(DiffingError) in
      // The default of SAELens is to subtract b_dec, so its file must not be taken for one of Gemma Scope.
      guard !folder.path.hasSuffix("/sae_weights.safetensors") else {
        throw .notSaid(
          path: folder.path, what: "how its tensors are used", remedy: "put SAELens's cfg.json beside it")
      }
      return try openJumpReLU(folder, upper: true, place: nil, skips: false)
    })

  static let gemmaScope2 = DictionaryForm(
    name: "gemma-scope-2",
    reads:
      "Gemma Scope 2: params.safetensors with or without config.json, SAEs and transcoders with or without the affine skip "
      + "connection.",
    refuses:
      "Crosscoders over several layers (params_layer_N.safetensors) and cross-layer transcoders: how their files belong "
      + "together is not documented.",
    files: ["params.safetensors", "params_layer_0.safetensors"], tables: [.gemmaScope2],
    recognises: { (folder) throws(DiffingError) in folder.reader.has("w_enc") },
    open: { (folder) throws(DiffingError) in try openGemmaScope2(folder) })

  private static func openGemmaScope2(_ folder: DictionaryFolder) throws(DiffingError) -> OpenedDictionary {
    let isOneLayer = !folder.components.contains { $0 == "crosscoder" || $0 == "clt" || $0.hasPrefix("params_layer_") }
    guard isOneLayer else {
      throw folder.unsupported(
        "a file of a dictionary over several layers", folder.components.last ?? "",
        "the SAEs and transcoders of one layer (params.safetensors)")
    }
    for name in ["w_enc", "w_dec"] {
      let shape = try folder.reader.shape(name)
      guard shape.count != 2 else { continue }
      throw folder.unsupported(
        "a dictionary with \(name) of shape", "\(shape)",
        "one layer: w_enc [d, F] and w_dec [F, d] (not a crosscoder or a cross-layer transcoder)")
    }
    let hasSkip = folder.reader.has("affine_skip_connection")
    guard let fields = try folder.fields("config.json", .gemmaScope2) else {
      return try openJumpReLU(folder, upper: false, place: nil, skips: hasSkip)
    }
    let (kind, input, output, isAffine, width, name) = try reading { () throws(InferenceError) in
      (
        try fields.text("type") ?? "sae", try fields.text("hf_hook_point_in"), try fields.text("hf_hook_point_out"),
        try fields.flag("affine_connection") ?? false, try fields.integer("width"), try fields.text("model_name")
      )
    }
    guard ["sae", "transcoder"].contains(kind) else {
      throw folder.unsupported("a dictionary of type", kind, "sae or transcoder", file: "config.json")
    }
    let (_, F) = try folder.matrix("w_enc")
    try folder.agree("width", "config.json", width, F)
    guard isAffine == hasSkip else {
      throw .configurationInvalid(
        path: fields.path, key: "affine_connection",
        expected: "\(hasSkip), as the tensor affine_skip_connection is \(hasSkip ? "" : "not ")there",
        found: "\(isAffine)")
    }
    let isTranscoder = kind == "transcoder"
    guard isTranscoder || input == output || output == nil else {
      throw .configurationInvalid(
        path: fields.path, key: "hf_hook_point_out", expected: "that of hf_hook_point_in, as it is an SAE",
        found: String((output ?? "").prefix(80)))
    }
    var place = input.map { PlacedDictionary($0, output: isTranscoder ? output : nil, path: fields.path) }
    if isTranscoder, place == nil { place = placeInPath(folder) }
    if isTranscoder, place?.readsElsewhere == nil { place?.readsElsewhere = String((input ?? "its input").prefix(80)) }
    var opened = try openJumpReLU(
      folder, upper: false, place: place, skips: hasSkip)
    opened.modelName = name
    return opened
  }

  private static func openJumpReLU(
    _ folder: DictionaryFolder, upper: Bool, place said: PlacedDictionary?, skips: Bool
  ) throws(DiffingError) -> OpenedDictionary {
    let reader = folder.reader
    let (place, isFromPath) = (said ?? placeInPath(folder), said == nil)
    let (encoder, decoder) = upper ? ("W_enc", "W_dec") : ("w_enc", "w_dec")
    let (d, F) = try folder.matrix(encoder)
    var tensors = [encoder: [d, F], decoder: [F, d], "b_enc": [F], "b_dec": [d]]
    let hasThreshold = !upper || reader.has("threshold")
    if hasThreshold { tensors["threshold"] = [F] }
    if skips { tensors["affine_skip_connection"] = [d, d] }
    let isOfEmbeddings = upper && isOfEmbeddings(folder)
    let load = { @Sendable () throws(DiffingError) -> SoleWeights in
      var weights = SoleWeights(
        d: d, F: F, encoder: try reader.rows(encoder, F: F, d: d, isTransposed: true),
        bias: try reader.floats("b_enc", [F]), decoder: try reader.floats(decoder, [F, d]),
        decoderBias: try reader.floats("b_dec", [d]),
        thresholds: hasThreshold ? try reader.floats("threshold", [F]) : nil)
      if isOfEmbeddings {
        let shift = weights.decoderBias
        weights.scaleInput(by: 1 / Double(d).squareRoot())
        weights.decoderBias = shift
      }
      if skips {
        // It is stored as [input, output].
        let rows = try reader.rearranged("affine_skip_connection", [d, d]) { transposed($0, rows: d, columns: d) }
        weights.skip = Matrix(rows: d, columns: d, values: rows)
      }
      weights.readsElsewhere = place.readsElsewhere
      return weights
    }
    var opened = OpenedDictionary(
      dModel: d, nLatents: F, tensors: tensors,
      decoderRows: { () throws(DiffingError) in
        guard !isOfEmbeddings else { return try load().decoderRows }
        return try reader.decoderRows(decoder, [F, d], F: F, d: d, .sole(.chat, offset: 0, step: d))
      },
      crosscoder: { () throws(DiffingError) in try load().crosscoder(card: place.card) })
    opened.setPlace(place)
    opened.modelName = modelInPath(folder)
    if isFromPath, let layer = place.layer {
      opened.notes.append("the layer, \(layer), is taken from the folder's name")
    }
    return opened
  }

  /// The place that the folders' names say: layer_N of a repository or folder of residual streams, MLPs or attention.
  private static func placeInPath(_ folder: DictionaryFolder) -> PlacedDictionary {
    let components = folder.components
    // A site is named in the repository's name (version 1), or by a folder (version 2).
    func has(_ word: String, _ site: String) -> Bool {
      components.contains {
        $0 == site || $0 == site + "_all" || $0.hasPrefix("gemma-scope") && $0.contains("-" + word)
      }
    }
    if isOfEmbeddings(folder) { return PlacedDictionary("hook_embed", path: folder.path) }
    guard let layer = folder.layerInPath else { return PlacedDictionary() }
    if has("transcoder", "transcoder") {
      return PlacedDictionary(
        "blocks.\(layer).ln2.hook_normalized", output: "blocks.\(layer).hook_mlp_out", path: folder.path)
    }
    if has("mlp", "mlp_out") { return PlacedDictionary("blocks.\(layer).hook_mlp_out", path: folder.path) }
    if has("att", "attn_out") { return PlacedDictionary("blocks.\(layer).attn.hook_z", path: folder.path) }
    return PlacedDictionary("blocks.\(layer).hook_resid_post", path: folder.path)
  }

  /// Whether the folder is of SAEs of the embeddings, embedding or embedding_….
  private static func isOfEmbeddings(_ folder: DictionaryFolder) -> Bool {
    folder.layerInPath == nil && folder.components.contains { $0 == "embedding" || $0.hasPrefix("embedding_") }
  }

  /// The model of a repository gemma-scope-2b-pt-res.
  private static func modelInPath(_ folder: DictionaryFolder) -> String? {
    let parts = folder.components.last { $0.contains("gemma-scope-") }?.split(separator: "-").map(String.init) ?? []
    guard let start = parts.firstIndex(of: "scope"), start + 2 < parts.count, parts[start + 1].hasSuffix("b") else {
      return nil
    }
    return "google/gemma-2-\(parts[start + 1])" + (parts[start + 2] == "it" ? "-it" : "")
  }
}

extension FormatTable {
  /// The fields of config.json of Gemma Scope 2.
  static let gemmaScope2 = FormatTable(
    "config.json of Gemma Scope 2", reference: "the release, as SAELens 6.54.12 reads it", unknown: .refused,
    [
      .honoured("type", "sae or transcoder; every other type is refused."),
      .refused("architecture", unlessExactly: [.string("jump_relu")], "architecture jump_relu"),
      .honoured("hf_hook_point_in", "model.layers.N.output is the residual stream after block N."),
      .honoured("hf_hook_point_out", "The place that a transcoder writes."),
      .honoured("affine_connection", "It must agree with the tensor affine_skip_connection."),
      .honoured("width", "It must agree with the weights."), .honoured("model_name", "The model's name in the store."),
      .withoutEffect("l0", "It is a figure of training."),
    ])
}
