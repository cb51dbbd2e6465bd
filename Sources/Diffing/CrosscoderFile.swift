// Opens a published dictionary, and finds out which form it has by the names of its tensors, not by the name of the
// file. `TensorFile` reads the container (safetensors or PyTorch zip).
//   crosscoder   encoder.weight [2, d, F], decoder.weight [2, F, d], …: the authors', with JSON files beside it
//   replication  W_enc [2, d, F], b_enc, W_dec [F, 2, d], b_dec [2, d], cfg.json: the earlier open replication
//   sae          W_enc [d, F], b_enc, W_dec [F, d], b_dec [d], maybe threshold [F]: Gemma Scope's, one model's
//   autoencoder  encoder.weight [F, d], decoder.weight [d, F], …: dictionary_learning's, as `SparseAutoencoder` is saved
// Other tensors, shapes that disagree and settings that would change the codes are errors.
// Shape letters: F latents, d width of one model.

import Foundation
import Inference
import Kernels

/// A crosscoder or SAE on disk. Opening it reads no weights.
public struct CrosscoderFile: Sendable {
  /// The forms, told apart by the names of the tensors.
  public enum Form: String, Sendable { case crosscoder, replication, sae, autoencoder }

  /// The file of tensors.
  public let path: String
  public let form: Form
  public let dModel: Int
  public let nLatents: Int
  /// What the files beside it say about it.
  public let card: CrosscoderCard
  /// The model that the replication's or the SAE's configuration names.
  public let modelName: String?
  /// What the dictionary reads: `.pair`, or that on which this program trained an autoencoder: one model or chat − base.
  public let target: TrainingTarget

  let reader: CheckpointReader
  private let configuration: HubConfiguration
  private let trainer: TrainerFile?
  /// Whether an SAE encodes x − b_dec.
  private var subtractsDecoderBias = false

  /// The file names that are looked for in a folder; the first one found is used.
  private static let names = [
    "model.safetensors", "model_final.pt", "cc_weights.pt", "sae_weights.safetensors", "params.safetensors", "ae.pt",
  ]

  /// Opens a folder of one of the forms, or a single file of tensors.
  /// - Throws: `DiffingError.file`, `.configurationInvalid`, `.shapeMismatch`, `.unsupported`.
  public init(path given: String) throws(DiffingError) {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: given, isDirectory: &isFolder)
    var path = given
    if exists, isFolder.boolValue {
      let candidates = Self.names.map { given + "/" + $0 }
      guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
        throw .file(.fileUnreadable(path: given, reason: "none of \(Self.names.joined(separator: ", ")) is in it"))
      }
      path = found
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let reader = CheckpointReader(file: try reading { () throws(InferenceError) in try TensorFile(path: path) })
    (self.path, self.reader) = (path, reader)
    if reader.has("encoder.weight") {
      let shape = try reader.shape("encoder.weight")
      if shape.count == 2 {
        form = .autoencoder
        let settings = try SparseAutoencoder.Configuration.read(folder: folder)
        (dModel, nLatents, target) = (settings.activation_dim, settings.dict_size, settings.activations)
        (configuration, trainer, modelName) = (HubConfiguration(), nil, nil)
        card = try TrainerFile.read(folder: folder)?.card ?? CrosscoderCard()
        return
      }
      (form, target) = (.crosscoder, .pair)
      guard shape.count == 3, shape[0] == 2, shape[1] > 0, shape[2] > 0 else {
        throw .shapeMismatch(path: path, tensor: "encoder.weight", expected: [2, 0, 0], found: shape)
      }
      (dModel, nLatents, modelName) = (shape[1], shape[2], nil)
      configuration = try HubConfiguration.readIfPresent(folder: folder)
      let published = try TrainerFile.read(folder: folder)
      trainer = published == nil ? try TrainerFile.readTraining(folder: folder) : published
      card = trainer?.card ?? CrosscoderCard()
      try configuration.agree(d: dModel, F: nLatents, folder: folder)
      try reading { () throws(InferenceError) in
        try FormatTable.crosscoder.check(fileIfPresent: folder + "/config.json")
      }
      if let kind = trainer?.trainer?.dict_class, !["CrossCoder", "BatchTopKCrossCoder"].contains(kind) {
        throw .unsupported(
          path: folder, what: "a dictionary with dict_class", found: String(kind.prefix(80)),
          supported: "a CrossCoder or BatchTopKCrossCoder")
      }
      try reader.refuseTensors(
        otherThan: [
          "encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias", "code_normalization_id", "k", "threshold",
          "target_rms", "activation_mean", "activation_std", "activation_global_scale",
        ])
      return
    }
    (configuration, trainer) = (HubConfiguration(), nil)
    guard reader.has("W_enc") else {
      let names = reader.file.names.sorted().prefix(6).joined(separator: ", ")
      throw .unsupported(
        path: path, what: "a dictionary with the tensors", found: names.isEmpty ? "none" : names,
        supported: "encoder.weight (crosscoders), or W_enc and W_dec (the earlier replication, Gemma Scope)")
    }
    let shape = try reader.shape("W_enc")
    let settings = try DictionarySettings.read(folder: folder)
    var card = CrosscoderCard()
    card.layer = try settings.layer()
    switch shape.count {
    case 3 where shape[0] == 2 && shape[1] > 0 && shape[2] > 0:
      (form, target) = (.replication, .pair)
      card.inputScaling = .meanNorm
      try reader.refuseTensors(otherThan: ["W_enc", "b_enc", "W_dec", "b_dec"])
      (dModel, nLatents) = (shape[1], shape[2])
    case 2 where shape[0] > 0 && shape[1] > 0:
      (form, target) = (.sae, .chat)
      try settings.requirePlain(hasThresholds: reader.has("threshold"))
      try reader.refuseTensors(otherThan: ["W_enc", "b_enc", "W_dec", "b_dec", "threshold"])
      (dModel, nLatents) = (shape[0], shape[1])
    default:
      throw .shapeMismatch(
        path: path, tensor: "W_enc", expected: [2, settings.d_in ?? 0, settings.dict_size ?? 0], found: shape)
    }
    subtractsDecoderBias = settings.subtractsDecoderBias
    (self.card, modelName) = (card, settings.modelName)
    try settings.agree(d: dModel, F: nLatents)
  }

  /// Checks that the file has not changed since it was opened, so that all that was read so far, decoder rows in place
  /// included, is its own.
  public func check() throws(DiffingError) {
    try reading { () throws(InferenceError) in try reader.file.check() }
  }

  /// Checks the same, and that the path still leads to this file.
  /// - Throws: `DiffingError.file(.fileChanged)`.
  public func checkName() throws(DiffingError) {
    try reading { () throws(InferenceError) in try reader.file.checkName() }
  }

  /// The SHA-256 of the file of tensors. It reads the whole file.
  public func sha256() throws(DiffingError) -> String {
    try reading { () throws(InferenceError) in try reader.file.sha256() }
  }

  /// The decoder's rows: in place if the file holds aligned fp32, else a copy in fp32.
  /// - Throws: `DiffingError.shapeMismatch`, `.notFinite` naming the tensor and element.
  public func decoderRows() throws(DiffingError) -> DecoderRows {
    if form == .autoencoder { return try crosscoder().decoderRows }
    let (name, shape, layout): (String, [Int], DecoderRows.Layout) =
      switch form {
      case .crosscoder: ("decoder.weight", [2, nLatents, dModel], .modelFirst)
      case .replication: ("W_dec", [nLatents, 2, dModel], .latentFirst)
      case .sae, .autoencoder: ("W_dec", [nLatents, dModel], .sole(.chat))
      }
    // This checks the tensor by reading it once, and keeps nothing of it.
    _ = try reader.rearranged(name, shape) { _ in [] }
    let (F, d) = (nLatents, dModel)
    if let tensor = try reading({ () throws(InferenceError) in try reader.file.tensorInPlace(named: name) }) {
      return try reading { () throws(InferenceError) in
        try DecoderRows(tensor: tensor, nLatents: F, dModel: d, layout: layout)
      }
    }
    return DecoderRows(values: try reader.floats(name, shape), nLatents: F, dModel: d, layout: layout)
  }

  /// Checks every other tensor that encoding needs by reading it, and keeps nothing of it.
  /// - Throws: `DiffingError.shapeMismatch`, `.notFinite` naming the tensor and element, `.unsupported`.
  public func checkRest() throws(DiffingError) {
    let (d, F) = (dModel, nLatents)
    let shapes: [(String, [Int])] =
      switch form {
      case .crosscoder: [("encoder.weight", [2, d, F]), ("encoder.bias", [F]), ("decoder.bias", [2, d])]
      case .replication: [("W_enc", [2, d, F]), ("b_enc", [F]), ("b_dec", [2, d])]
      case .sae: [("W_enc", [d, F]), ("b_enc", [F]), ("b_dec", [d])]
      case .autoencoder: [("encoder.weight", [F, d]), ("encoder.bias", [F]), ("b_dec", [d])]
      }
    for (name, shape) in shapes { _ = try reader.rearranged(name, shape) { _ in [] } }
    switch form {
    case .crosscoder:
      _ = try Crosscoder.codeNormalization(
        reader, configuration, URL(fileURLWithPath: path).deletingLastPathComponent().path)
      _ = try Crosscoder.normaliser(reader, configuration, d: d)
    case .sae: if reader.has("threshold") { _ = try reader.floats("threshold", [F]) }
    case .replication, .autoencoder: break
    }
  }

  /// The whole dictionary, with one row for each latent.
  /// - Throws: the errors of `Crosscoder.load(folder:)`.
  public func crosscoder() throws(DiffingError) -> Crosscoder {
    let (F, d) = (nLatents, dModel)
    // Encoder and decoder take up memory in fp32, and one of them a second time while it is rearranged or scaled.
    try reading { () throws(InferenceError) in
      try MemoryBudget.require(
        3 * F * 2 * d * MemoryLayout<Float>.size, for: "the latents of \(path)",
        remedy: "close other programs, or take a crosscoder of fewer latents")
    }
    switch form {
    case .crosscoder:
      return try Crosscoder.load(
        reader, configuration, trainer, folder: URL(fileURLWithPath: path).deletingLastPathComponent().path)
    case .replication:
      return Crosscoder(
        encoder: Matrix(
          rows: F, columns: 2 * d,
          values: try reader.rearranged("W_enc", [2, d, F]) { transposed($0, rows: 2 * d, columns: F) }),
        encoderBias: try reader.floats("b_enc", [F]),
        decoder: Matrix(rows: F, columns: 2 * d, values: try reader.floats("W_dec", [F, 2, d])),
        decoderBias: try reader.floats("b_dec", [2, d]), card: card)
    case .sae:
      // Base's half is 0, so the kind of norm must be one that ignores it.
      return Crosscoder(
        encoder: Matrix(
          rows: F, columns: 2 * d,
          values: try reader.rearranged("W_enc", [d, F]) { values in
            transposed(values, rows: d, columns: F).withUnsafeBufferPointer { rowsInChatsPlace($0, width: d) }
          }),
        encoderBias: try saeBias(),
        decoder: Matrix(
          rows: F, columns: 2 * d, values: try reader.rearranged("W_dec", [F, d]) { rowsInChatsPlace($0, width: d) }),
        decoderBias: try reader.rearranged("b_dec", [d]) { rowsInChatsPlace($0, width: d) }, codeNormalization: .sae,
        card: card, jumpThresholds: reader.has("threshold") ? try reader.floats("threshold", [F]) : nil,
        target: .chat)
    case .autoencoder:
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      return try SparseAutoencoder.load(folder: folder, .read(folder: folder), reader).crosscoder()
    }
  }
}

extension CrosscoderFile {
  /// An SAE's bias for the unchanged x: b_enc, minus b_dec W_enc if the SAE encodes x − b_dec.
  private func saeBias() throws(DiffingError) -> [Float] {
    let bias = try reader.floats("b_enc", [nLatents])
    guard subtractsDecoderBias else { return bias }
    let shift = try reader.floats("b_dec", [dModel])
    var sums = bias.map(Double.init)
    _ = try reader.rearranged("W_enc", [dModel, nLatents]) { weights in
      for row in 0..<dModel {
        for latent in 0..<nLatents { sums[latent] -= Double(shift[row]) * Double(weights[row * nLatents + latent]) }
      }
      return []
    }
    return sums.map { Float($0) }
  }
}

extension Crosscoder {
  /// Reads a dictionary of any form that `CrosscoderFile` knows, from its folder or its file of tensors.
  /// - Throws: the errors of `CrosscoderFile.init` and `load(folder:)`.
  public static func load(path: String) throws(DiffingError) -> Crosscoder {
    try CrosscoderFile(path: path).crosscoder()
  }
}
