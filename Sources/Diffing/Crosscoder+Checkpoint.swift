// The published folder of a crosscoder: config.json, model.safetensors and maybe trainer_config.json. `CrosscoderFile`
// reads the same tensors in other containers and other forms of dictionaries.
// Every check of a checkpoint happens here, by tensor name; after `load` a crosscoder is trusted. Tensors that later
// versions added (k and threshold, code_normalization_id, the normaliser) are read if they are there. Source: the
// authors' dictionary.py.

import Foundation
import Inference
import Kernels

extension Crosscoder {
  /// Reads a crosscoder from a folder in the published format; its weights may be fp32, bf16 or fp16.
  ///
  /// Cost: the weights in fp32, rearranged from the mapped file (F32) or from a copy of one tensor (F16, BF16).
  /// - Throws: `DiffingError.file`, `.configurationInvalid`, `.shapeMismatch`, `.unsupported`, `.notFinite`.
  public static func load(folder: String) throws(DiffingError) -> Crosscoder {
    let configuration = try HubConfiguration.read(folder: folder)
    let trainer = try TrainerFile.read(folder: folder)
    let path = folder + "/model.safetensors"
    let reader = CheckpointReader(file: try reading { () throws(InferenceError) in try TensorFile(path: path) })
    return try load(reader, configuration, trainer, folder: folder)
  }

  /// Makes a crosscoder of the authors' tensors and of what the JSON files in the folder say.
  static func load(
    _ reader: CheckpointReader, _ configuration: HubConfiguration, _ trainer: TrainerFile?, folder: String
  ) throws(DiffingError) -> Crosscoder {
    let path = reader.file.path
    let shape = try reader.shape("encoder.weight")
    guard shape.count == 3, shape[0] == 2, shape[1] > 0, shape[2] > 0 else {
      throw .shapeMismatch(
        path: path, tensor: "encoder.weight",
        expected: [2, configuration.activation_dim ?? 0, configuration.dict_size ?? 0], found: shape)
    }
    let (d, F) = (shape[1], shape[2])
    try configuration.agree(d: d, F: F, folder: folder)
    let decoder = try reader.rearranged("decoder.weight", [2, F, d]) { interleaved($0, F: F, d: d) }
    let encoder = try reader.rearranged("encoder.weight", [2, d, F]) { transposed($0, rows: 2 * d, columns: F) }
    let isBatchTopK = trainer?.trainer?.dict_class == "BatchTopKCrossCoder" || reader.has("threshold")
    let normalization = try codeNormalization(reader, configuration, folder)
    return Crosscoder(
      encoder: Matrix(rows: F, columns: 2 * d, values: encoder),
      encoderBias: try reader.floats("encoder.bias", [F]),
      decoder: Matrix(rows: F, columns: 2 * d, values: decoder),
      decoderBias: try reader.floats("decoder.bias", [2, d]),
      codeNormalization: normalization,
      k: try reader.has("k") ? reader.integer("k") : configuration.k,
      thresholds: isBatchTopK ? try reader.floats("threshold", normalization == .decoupled ? [2] : []) : [],
      normaliser: try normaliser(
        reader, targetRMS: configuration.target_rms, models: 2, d: d, isAppliedTwice: normalization == .decoupled),
      card: trainer?.card ?? CrosscoderCard())
  }

  /// Writes the published folder. The weights are fp32 or rounded to bf16, all else is fp32. Each file appears complete
  /// or not at all, and model.safetensors comes last.
  /// - Throws: `DiffingError.file`.
  public func save(folder: String, as type: SafetensorsWriter.FloatType = .f32) throws(DiffingError) {
    try requirePublishedForm(folder)
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw .file(.fileUnwritable(path: folder, reason: "the folder cannot be made"))
    }
    try write(json: TrainerFile(crosscoder: self), to: folder + "/trainer_config.json")
    try write(json: HubConfiguration(crosscoder: self), to: folder + "/config.json")
    let (F, d) = (nLatents, dModel)
    var writer = SafetensorsWriter(metadata: ["format": "pt"])
    writer.add("encoder.weight", shape: [2, d, F], as: type) { range, buffer in
      for (place, element) in range.enumerated() {
        buffer[place] = encoder.values[element % F * 2 * d + element / F]
      }
    }
    writer.add("decoder.weight", shape: [2, F, d], as: type) { range, buffer in
      for (place, element) in range.enumerated() {
        let (model, latent) = (element / (F * d), element / d % F)
        buffer[place] = decoder.values[(2 * latent + model) * d + element % d]
      }
    }
    writer.add("encoder.bias", shape: [F], floats: encoderBias)
    writer.add("decoder.bias", shape: [2, d], floats: decoderBias)
    writer.add("code_normalization_id", shape: [], int64s: [Int64(codeNormalization.id)])
    if let k { writer.add("k", shape: [], int32s: [Int32(clamping: k)]) }
    if !thresholds.isEmpty {
      writer.add("threshold", shape: thresholds.count == 1 ? [] : [thresholds.count], floats: thresholds)
    }
    let missing = [Float](repeating: .nan, count: 2 * d)
    let scales = normaliser?.scales ?? [1]
    writer.add("target_rms", shape: [], floats: [normaliser?.targetRMS ?? 1])
    writer.add("activation_mean", shape: [2, d], floats: normaliser?.mean ?? missing)
    writer.add("activation_std", shape: [2, d], floats: normaliser?.std ?? missing)
    writer.add("activation_global_scale", shape: scales.count == 1 ? [] : [2], floats: scales)
    let finished = writer
    try reading { () throws(InferenceError) in try finished.write(to: folder + "/model.safetensors") }
  }

  /// - Throws: `DiffingError.unsupported` for a dictionary that the published form has no place for.
  private func requirePublishedForm(_ folder: String) throws(DiffingError) {
    let twice = codeNormalization == .decoupled && normaliser?.isAppliedTwice == false
    let fault: String? =
      if target != .pair { "with one direction a latent" } else if jumpThresholds != nil {
        "with a threshold for each latent"
      } else if activation != .relu || selection != .thresholds {
        "with another rule than ReLU and thresholds"
      } else if tokenStep != nil {
        "with inputs that are scaled token by token"
      } else if skip != nil || readsElsewhere != nil {
        "of a transcoder"
      } else if card.inputScaling != nil, normaliser == nil {
        "whose inputs need a scale that its files do not hold"
      } else if twice { "with DECOUPLED codes and a normaliser, which the library would apply twice (fold it)" } else {
        nil
      }
    guard let fault else { return }
    throw .unsupported(
      path: folder, what: "writing in the form of the hub a dictionary", found: fault,
      supported: "a crosscoder of two models with ReLU and thresholds")
  }

  static func codeNormalization(
    _ reader: CheckpointReader, _ configuration: HubConfiguration, _ folder: String
  ) throws(DiffingError) -> CodeNormalization {
    let names = ["CROSSCODER", "SAE", "MIXED", "NONE", "DECOUPLED"]
    var name = configuration.code_normalization?.uppercased() ?? names[0]
    var path = folder + "/config.json"
    if reader.has("code_normalization_id") {
      let id = try reader.integer("code_normalization_id")
      path = reader.file.path
      name = names.indices.contains(id - 1) ? names[id - 1] : "id \(id)"
    }
    switch name {
    case "CROSSCODER": return .crosscoder
    case "SAE": return .sae
    case "MIXED":
      return .mixed(
        sae: configuration.code_normalization_alpha_sae ?? 1,
        crosscoder: configuration.code_normalization_alpha_cc ?? 0.1)
    case "NONE": return .none
    case "DECOUPLED": return .decoupled
    default:
      throw .unsupported(
        path: path, what: "code normalisation", found: name, supported: names.joined(separator: ", "))
    }
  }

  /// The input normaliser of one or two models; nil if its buffers hold NaN.
  /// - Parameter targetRMS: is used if there is no tensor target_rms.
  static func normaliser(
    _ reader: CheckpointReader, targetRMS: Double?, models: Int, d: Int, isAppliedTwice: Bool = false
  ) throws(DiffingError) -> InputNormaliser? {
    guard reader.has("activation_mean"), reader.has("activation_std") else { return nil }
    let shape = models == 1 ? [d] : [models, d]
    let mean = try reader.floats("activation_mean", shape, finite: false)
    let std = try reader.floats("activation_std", shape, finite: false)
    if (mean + std).allSatisfy(\.isNaN) { return nil }
    for (name, values) in [("activation_mean", mean), ("activation_std", std)] {
      try reader.requireFinite(name, values)
    }
    let target = try reader.has("target_rms") ? reader.floats("target_rms", [])[0] : Float(targetRMS ?? 1)
    var scales: [Float]?
    if reader.has("activation_global_scale") {
      let shape = try reader.shape("activation_global_scale")
      scales = try reader.floats("activation_global_scale", models == 2 && shape == [2] ? [2] : [])
      guard scales?.allSatisfy({ $0 > 0 }) ?? true else {
        throw .configurationInvalid(
          path: reader.file.path, key: "activation_global_scale", expected: "positive", found: "\(scales ?? [])")
      }
    }
    return InputNormaliser(
      mean: mean, std: std, targetRMS: target, scales: scales, isAppliedTwice: isAppliedTwice)
  }
}
