// The earlier open replication's crosscoders: W_enc [2, d, F], b_enc [F], W_dec [F, 2, d], b_dec [2, d] in cc_weights.pt,
// cfg.json beside it. Inputs are divided by each model's mean norm and multiplied by √d; the files do not hold the norms.
// Source: ckkissane/crosscoder-model-diff-replication.

import Inference
import Kernels

extension DictionaryForm {
  static let replication = DictionaryForm(
    name: "replication",
    reads: "Crosscoders of the earlier open replication; the mean norms of the inputs are asked for.",
    refuses: "Nothing that is published.",
    files: ["cc_weights.pt"], tables: [.replication],
    recognises: { (folder) throws(DiffingError) in try folder.has("W_enc", dimensions: 3) },
    open: { (folder) throws(DiffingError) in try openReplication(folder) })

  private static func openReplication(_ folder: DictionaryFolder) throws(DiffingError) -> OpenedDictionary {
    let reader = folder.reader
    let shape = try reader.shape("W_enc")
    guard shape.count == 3, shape[0] == 2, shape[1] > 0, shape[2] > 0 else {
      throw .shapeMismatch(path: folder.path, tensor: "W_enc", expected: [2, 0, 0], found: shape)
    }
    let (d, F) = (shape[1], shape[2])
    let fields = try folder.fields("cfg.json", .replication)
    let (name, width, size, hook) = try reading { () throws(InferenceError) in
      (
        try fields?.text("model_name"), try fields?.integer("d_in"), try fields?.integer("dict_size"),
        try fields?.text("hook_point")
      )
    }
    try folder.agree("d_in", "cfg.json", width, d)
    try folder.agree("dict_size", "cfg.json", size, F)
    let place = hook.map { PlacedDictionary($0, path: folder.folder + "/cfg.json") } ?? PlacedDictionary()
    var scaled = place.card
    scaled.inputScaling = .meanNorm
    let card = scaled
    var opened = OpenedDictionary(
      dModel: d, nLatents: F,
      tensors: ["W_enc": [2, d, F], "b_enc": [F], "W_dec": [F, 2, d], "b_dec": [2, d]],
      decoderRows: { () throws(DiffingError) in
        try reader.decoderRows("W_dec", [F, 2, d], F: F, d: d, .latentFirst)
      },
      crosscoder: { () throws(DiffingError) in
        Crosscoder(
          encoder: Matrix(
            rows: F, columns: 2 * d,
            values: try reader.rearranged("W_enc", [2, d, F]) { transposed($0, rows: 2 * d, columns: F) }),
          encoderBias: try reader.floats("b_enc", [F]),
          decoder: Matrix(rows: F, columns: 2 * d, values: try reader.floats("W_dec", [F, 2, d])),
          decoderBias: try reader.floats("b_dec", [2, d]), card: card)
      })
    (opened.card, opened.target, opened.fault) = (card, .pair, place.fault)
    opened.modelName = name
    return opened
  }
}

extension FormatTable {
  /// The fields of cfg.json of the earlier replication.
  static let replication = FormatTable(
    "cfg.json of the earlier replication", reference: "crosscoder-model-diff-replication", unknown: .refused,
    [
      .honoured("d_in", "It must agree with the weights."), .honoured("dict_size", "It must agree with the weights."),
      .honoured("hook_point", "blocks.N.hook_resid_pre is the output of block N − 1."),
      .honoured("model_name", "The base model's name in the store."),
    ]
      + [
        "seed", "batch_size", "buffer_mult", "lr", "num_tokens", "l1_coeff", "beta1", "beta2", "seq_len", "enc_dtype",
        "device", "model_batch_size", "log_every", "save_every", "dec_init_norm", "wandb_project", "wandb_entity",
        "site",
        "layer", "name", "norm_tokens", "d_in_A", "d_in_B",
      ].map { .withoutEffect($0, "It says how training ran.") })
}
