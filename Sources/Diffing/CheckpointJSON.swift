// The two JSON files beside a crosscoder's weights, with the key names of the reference: config.json holds shapes and
// code normalisation; trainer_config.json holds class, layer, models and our card. Files beyond 1 MB and numbers that
// the weights contradict are rejected. Unknown keys are ignored.

import Foundation
import Inference

/// The content of config.json of a published crosscoder.
struct HubConfiguration: Codable {
  var activation_dim: Int?
  var dict_size: Int?
  var num_layers: Int?
  var k: Int?
  var code_normalization: String?
  var code_normalization_alpha_sae: Double?
  var code_normalization_alpha_cc: Double?
  var norm_init_scale: Double?
  var target_rms: Double?

  /// Stands for the configuration of a checkpoint that has none; the weights say everything.
  init() {}

  init(crosscoder: Crosscoder) {
    activation_dim = crosscoder.dModel
    dict_size = crosscoder.nLatents
    num_layers = 2
    k = crosscoder.k
    code_normalization = crosscoder.codeNormalization.name
    if case .mixed(let alphaSAE, let alphaCrosscoder) = crosscoder.codeNormalization {
      (code_normalization_alpha_sae, code_normalization_alpha_cc) = (alphaSAE, alphaCrosscoder)
    }
    target_rms = Double(crosscoder.normaliser?.targetRMS ?? 1)
  }

  static func read(folder: String) throws(DiffingError) -> HubConfiguration {
    let path = folder + "/config.json"
    guard let configuration = try readJSON(HubConfiguration.self, path) else {
      throw .file(.fileUnreadable(path: path, reason: "there is no such file"))
    }
    return configuration
  }

  /// Reads config.json. If the file is missing, the configuration is empty, since the weights say everything.
  static func readIfPresent(folder: String) throws(DiffingError) -> HubConfiguration {
    try readJSON(HubConfiguration.self, folder + "/config.json") ?? HubConfiguration()
  }

  /// Checks this file against the shapes of the weights.
  func agree(d: Int, F: Int, folder: String) throws(DiffingError) {
    for (key, value, expected) in [
      ("activation_dim", activation_dim, d), ("dict_size", dict_size, F), ("num_layers", num_layers, 2),
    ] where value != nil && value != expected {
      throw .configurationInvalid(
        path: folder + "/config.json", key: key, expected: "\(expected), as in model.safetensors",
        found: "\(value ?? 0)")
    }
    if let k, k < 1 {
      throw .configurationInvalid(path: folder + "/config.json", key: "k", expected: "at least 1", found: "\(k)")
    }
  }
}

/// trainer_config.json of a published crosscoder. Its key `crosscope` holds our card.
struct TrainerFile: Codable {
  struct Trainer: Codable {
    var trainer_class: String?
    var dict_class: String?
    var k: Int?
    var layer: Int?
    var lm_name: String?
    var code_normalization: String?
  }

  var trainer: Trainer?
  var crosscope: CrosscoderCard?

  init(crosscoder: Crosscoder) {
    let kind = crosscoder.thresholds.isEmpty ? "CrossCoder" : "BatchTopKCrossCoder"
    trainer = Trainer(
      trainer_class: kind + "Trainer", dict_class: kind, k: crosscoder.k, layer: crosscoder.card.layer,
      lm_name: crosscoder.card.modelName, code_normalization: crosscoder.codeNormalization.name)
    crosscope = crosscoder.card
  }

  init(autoencoder: SparseAutoencoder) {
    trainer = Trainer(
      trainer_class: "BatchTopKTrainer", dict_class: "BatchTopKSAE", k: autoencoder.k, layer: autoencoder.card.layer,
      lm_name: autoencoder.card.modelName)
    crosscope = autoencoder.card
  }

  /// Reads trainer_config.json; nil if the folder has no such file.
  static func read(folder: String) throws(DiffingError) -> TrainerFile? {
    let path = folder + "/trainer_config.json"
    let file = try readJSON(TrainerFile.self, path)
    if let version = file?.crosscope?.formatVersion, version > CrosscoderCard().formatVersion {
      throw .unsupported(
        path: path, what: "format version", found: "\(version)", supported: "version \(CrosscoderCard().formatVersion)")
    }
    return file
  }

  /// Reads the trainer from config.json in the folder of a training run; nil if it is not there.
  static func readTraining(folder: String) throws(DiffingError) -> TrainerFile? {
    let file = try readJSON(TrainerFile.self, folder + "/config.json")
    return file?.trainer == nil ? nil : file
  }

  /// Our card if the file has one, else a card of what the authors' file says.
  var card: CrosscoderCard {
    if let crosscope { return crosscope }
    var card = CrosscoderCard()
    card.layer = trainer?.layer
    card.modelName = trainer?.lm_name
    return card
  }
}

/// Decodes a JSON file; nil if the file does not exist.
func readJSON<Value: Decodable>(_ type: Value.Type, _ path: String) throws(DiffingError) -> Value? {
  guard FileManager.default.fileExists(atPath: path) else { return nil }
  let file = try reading { () throws(InferenceError) in try MappedFile(path: path) }
  guard file.count <= 1 << 20 else {
    throw .configurationInvalid(path: path, key: "the file", expected: "at most 1 MB", found: "\(file.count) bytes")
  }
  do {
    return try JSONDecoder().decode(type, from: file.contents())
  } catch DecodingError.typeMismatch(let type, let context) {
    let key = context.codingPath.map(\.stringValue).joined(separator: ".")
    throw .configurationInvalid(
      path: path, key: key.isEmpty ? "the file" : key, expected: "\(type)", found: "another type")
  } catch {
    throw .configurationInvalid(path: path, key: "the file", expected: "JSON of a crosscoder", found: "something else")
  }
}

/// Writes a value as JSON with sorted keys. The file appears complete or not at all.
/// - Throws: `DiffingError.file` with the path and the reason.
public func write(json value: some Encodable, to path: String) throws(DiffingError) {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  guard let data = try? encoder.encode(value) else {
    throw .file(.fileUnwritable(path: path, reason: "a number is not finite"))
  }
  try reading { () throws(InferenceError) in
    let file = try AtomicFile(path: path)
    try file.write([UInt8](data) + [0x0A])
    try file.commit()
  }
}
