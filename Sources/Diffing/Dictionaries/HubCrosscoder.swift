// Crosscoders of two models as their authors publish them: encoder.weight [2, d, F], decoder.weight [2, F, d], … with
// config.json and trainer_config.json on the hub, or model_final.pt with the trainer in config.json as training leaves it.
// `Crosscoder+Checkpoint` reads and writes the tensors. Index 0 is base, 1 is chat. An encoder of some layers alone, a
// latent processor and other classes are refused. Source: crosscoder_learning b2363ed, dictionary.py.

import Inference

extension DictionaryForm {
  static let crosscoder = DictionaryForm(
    name: "crosscoder",
    reads:
      "Crosscoders of two models of crosscoder_learning: CrossCoder and BatchTopKCrossCoder with all five code "
      + "normalisations and the input normaliser (which DECOUPLED codes get twice, as in the library); the hub's folder and "
      + "training's model_final.pt.",
    refuses: "Encoders of some layers alone, latent processors, more than two models: no file of them is known.",
    files: ["model.safetensors", "model_final.pt"], tables: [.crosscoder, .trainer],
    recognises: { (folder) throws(DiffingError) in try folder.has("encoder.weight", dimensions: 3) },
    open: { (folder) throws(DiffingError) in try openCrosscoder(folder) })

  private static func openCrosscoder(_ folder: DictionaryFolder) throws(DiffingError) -> OpenedDictionary {
    let reader = folder.reader
    let shape = try reader.shape("encoder.weight")
    guard shape.count == 3, shape[0] == 2, shape[1] > 0, shape[2] > 0 else {
      throw .shapeMismatch(path: folder.path, tensor: "encoder.weight", expected: [2, 0, 0], found: shape)
    }
    let (d, F) = (shape[1], shape[2])
    _ = try folder.fields("config.json", .crosscoder)
    let configuration = try HubConfiguration.readIfPresent(folder: folder.folder)
    let published = try TrainerFile.read(folder: folder.folder)
    let trainer = published == nil ? try TrainerFile.readTraining(folder: folder.folder) : published
    try configuration.agree(d: d, F: F, folder: folder.folder)
    if let kind = trainer?.trainer?.dict_class, !["CrossCoder", "BatchTopKCrossCoder"].contains(kind) {
      throw folder.unsupported(
        "a dictionary with dict_class", kind, "a CrossCoder or BatchTopKCrossCoder", file: "")
    }
    var tensors = [
      "encoder.weight": [2, d, F], "encoder.bias": [F], "decoder.weight": [2, F, d], "decoder.bias": [2, d],
    ]
    for (name, shape) in [
      ("code_normalization_id", []), ("k", []), ("target_rms", []), ("activation_mean", [2, d]),
      ("activation_std", [2, d]),
    ] where reader.has(name) { tensors[name] = shape }
    for name in ["threshold", "activation_global_scale"] where reader.has(name) {
      tensors[name] = try reader.shape(name) == [2] ? [2] : []
    }
    var opened = OpenedDictionary(
      dModel: d, nLatents: F, tensors: tensors,
      decoderRows: { () throws(DiffingError) in
        try reader.decoderRows("decoder.weight", [2, F, d], F: F, d: d, .modelFirst)
      },
      crosscoder: { () throws(DiffingError) in
        try Crosscoder.load(reader, configuration, trainer, folder: folder.folder)
      })
    opened.optional = ["activation_mean", "activation_std", "activation_global_scale", "target_rms"]
    opened.target = .pair
    opened.card = trainer?.card ?? CrosscoderCard()
    return opened
  }
}
