// The sparse autoencoders that this program trains, of one model or of chat − base: dictionary_learning's tensors, with
// what they read in config.json (`activations`). `SparseAutoencoder+Checkpoint` reads and writes them.

import Inference

extension DictionaryForm {
  static let autoencoder = DictionaryForm(
    name: "autoencoder", reads: "Sparse autoencoders of `crosscope train`, of base, chat or chat − base.",
    refuses: "Decoder directions whose norm is not 1, since thresholds would mean something else.",
    files: ["model.safetensors"], tables: [.autoencoder],
    recognises: { (folder) throws(DiffingError) in
      guard try folder.has("encoder.weight", dimensions: 2), let json = try folder.json("config.json") else {
        return false
      }
      return json["activations"] != .null
    },
    open: { (folder) throws(DiffingError) in
      _ = try folder.fields("config.json", .autoencoder)
      let settings = try SparseAutoencoder.Configuration.read(folder: folder.folder)
      let (F, d) = try folder.matrix("encoder.weight")
      try folder.agree("activation_dim", "config.json", settings.activation_dim, d)
      try folder.agree("dict_size", "config.json", settings.dict_size, F)
      let reader = folder.reader
      let load = { @Sendable () throws(DiffingError) -> Crosscoder in
        try SparseAutoencoder.load(folder: folder.folder, settings, reader).crosscoder()
      }
      var opened = OpenedDictionary(
        dModel: d, nLatents: F,
        tensors: [
          "encoder.weight": [F, d], "encoder.bias": [F], "decoder.weight": [d, F], "b_dec": [d], "k": [],
          "threshold": [],
        ],
        decoderRows: { () throws(DiffingError) in try load().decoderRows }, crosscoder: load)
      opened.target = settings.activations
      opened.card = try TrainerFile.read(folder: folder.folder)?.card ?? CrosscoderCard()
      return opened
    })
}

extension FormatTable {
  /// The fields of config.json of this program's autoencoders.
  static let autoencoder = FormatTable(
    "config.json of this program's autoencoders", reference: "this program", unknown: .refused,
    [
      .honoured("activation_dim", "It must agree with the weights."),
      .honoured("dict_size", "It must agree with the weights."), .honoured("k", "It is shown; the tensor says it too."),
      .honoured("activations", "base, chat or difference (chat − base)."),
      .withoutEffect("num_layers", "Always 1."),
    ])
}
