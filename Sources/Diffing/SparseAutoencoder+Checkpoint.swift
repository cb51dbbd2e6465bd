// The folder of a sparse autoencoder: config.json, trainer_config.json and model.safetensors, in the form that
// dictionary_learning uses for BatchTopKSAE. That class encodes x − b_dec, so the bias in the file is b + W b_dec. A
// decoder direction whose norm is not 1 is an error, since the thresholds would mean something else.
// Shape letters: F latents, d width.

import Foundation
import Inference
import Kernels

extension SparseAutoencoder {
  /// The content of config.json.
  struct Configuration: Codable {
    var activation_dim: Int
    var dict_size: Int
    var k: Int
    var num_layers = 1
    /// `base`, `chat` or `difference` (chat − base).
    var activations: TrainingTarget

    /// - Throws: `DiffingError.file`, `.configurationInvalid`.
    static func read(folder: String) throws(DiffingError) -> Configuration {
      let path = folder + "/config.json"
      guard let configuration = try readJSON(Configuration.self, path) else {
        throw .file(.fileUnreadable(path: path, reason: "there is no such file"))
      }
      guard configuration.dict_size > 0, configuration.activation_dim > 0, configuration.k > 0,
        configuration.activations.nModels == 1
      else {
        throw .configurationInvalid(
          path: path, key: "dict_size, activation_dim, k, activations",
          expected: "positive, and base, chat or difference", found: "other values")
      }
      return configuration
    }
  }

  /// W b_dec, the difference between our bias and the bias in the file.
  private var shift: [Double] {
    let d = encoder.columns
    return encoder.values.withUnsafeBufferPointer { weights in
      decoderBias.withUnsafeBufferPointer { bias in
        guard let weights = weights.baseAddress, let bias = bias.baseAddress else { return [] }
        return (0..<encoder.rows).map { dotInDouble(weights + $0 * d, bias, count: d) }
      }
    }
  }

  /// Writes config.json, trainer_config.json and, last, model.safetensors. Each file appears complete or not at all.
  /// - Throws: `DiffingError.file`.
  public func save(folder: String) throws(DiffingError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw .file(.fileUnwritable(path: folder, reason: "the folder cannot be made"))
    }
    let (F, d) = (encoder.rows, encoder.columns)
    try write(json: TrainerFile(autoencoder: self), to: folder + "/trainer_config.json")
    try write(
      json: Configuration(activation_dim: d, dict_size: F, k: k, activations: target), to: folder + "/config.json")
    var writer = SafetensorsWriter(metadata: ["format": "pt"])
    writer.add("encoder.weight", shape: [F, d], floats: encoder.values)
    writer.add("encoder.bias", shape: [F], floats: zip(encoderBias, shift).map { Float(Double($0) + $1) })
    writer.add(
      "decoder.weight", shape: [d, F],
      floats: decoder.values.withUnsafeBufferPointer { transposed($0, rows: F, columns: d) })
    writer.add("b_dec", shape: [d], floats: decoderBias)
    writer.add("k", shape: [], int32s: [Int32(clamping: k)])
    writer.add("threshold", shape: [], floats: [threshold])
    let finished = writer
    try reading { () throws(InferenceError) in try finished.write(to: folder + "/model.safetensors") }
  }

  /// Reads a folder that `save` has written.
  /// - Throws: `DiffingError` naming the file, the tensor and what is wrong.
  public static func load(folder: String) throws(DiffingError) -> SparseAutoencoder {
    let configuration = try Configuration.read(folder: folder)
    let file = try reading { () throws(InferenceError) in
      try TensorFile(path: folder + "/model.safetensors")
    }
    return try load(folder: folder, configuration, CheckpointReader(file: file))
  }

  /// Makes an autoencoder of weights that are already mapped.
  static func load(
    folder: String, _ configuration: Configuration, _ reader: CheckpointReader
  ) throws(DiffingError) -> SparseAutoencoder {
    let (F, d) = (configuration.dict_size, configuration.activation_dim)
    let decoder = try reader.rearranged("decoder.weight", [d, F]) { transposed($0, rows: d, columns: F) }
    for latent in 0..<F {
      let square = decoder[latent * d..<(latent + 1) * d].reduce(0.0) { $0 + Double($1) * Double($1) }
      guard square == 0 || abs(square - 1) < 1e-3 else {
        throw .unsupported(
          path: reader.file.path, what: "decoder.weight with a direction of norm", found: "\(square.squareRoot())",
          supported: "directions of norm 1")
      }
    }
    let unshifted = SparseAutoencoder(
      target: configuration.activations,
      encoder: Matrix(rows: F, columns: d, values: try reader.floats("encoder.weight", [F, d])),
      encoderBias: try reader.floats("encoder.bias", [F]), decoder: Matrix(rows: F, columns: d, values: decoder),
      decoderBias: try reader.floats("b_dec", [d]), k: try reader.integer("k"),
      threshold: try reader.floats("threshold", [])[0],
      card: try TrainerFile.read(folder: folder)?.card ?? CrosscoderCard())
    return SparseAutoencoder(
      target: unshifted.target, encoder: unshifted.encoder,
      encoderBias: zip(unshifted.encoderBias, unshifted.shift).map { Float(Double($0) - $1) },
      decoder: unshifted.decoder, decoderBias: unshifted.decoderBias, k: unshifted.k, threshold: unshifted.threshold,
      card: unshifted.card)
  }
}
