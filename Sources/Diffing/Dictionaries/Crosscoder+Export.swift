// Writes a dictionary of one vector in the forms of others, so that it encodes there as it does here:
//   SAELens              cfg.json and sae_weights.safetensors, as version 6 writes them
//   dictionary_learning  config.json and ae.pt: JumpReluAutoEncoder (θ = 0 is ReLU), AutoEncoderTopK, GatedAutoEncoder
// A form that cannot express a rule, an input step or a difference is refused by name. Where the form takes b_dec from the
// input, the bias becomes b + W b_dec, which rounds; all else has the same bits when it is read again. The file of
// tensors comes last. Shape letters: F latents, d width. `Crosscoder.save` writes crosscoders in the hub's form.

import Foundation
import Inference
import Kernels

extension Crosscoder {
  /// Writes the folder of an SAE or a transcoder of SAELens.
  /// - Parameter modelName: the model that it reads.
  /// - Throws: `DiffingError.unsupported` for what SAELens 6 cannot express, `.file`.
  public func saveSAELens(folder: String, modelName: String) throws(DiffingError) {
    let form = "SAELens"
    try requireOneVector(form, folder)
    guard target == .chat else { throw cannot(form, folder, "of chat − base", "a dictionary of one model") }
    let parts = OneVector(self)
    var cfg: [String: JSONValue] = [
      "d_in": .number(Double(dModel)), "d_sae": .number(Double(nLatents)), "dtype": .string("float32"),
      "device": .string("cpu"), "apply_b_dec_to_input": .bool(false), "reshape_activations": .string("none"),
    ]
    switch tokenStep {
    case nil: cfg["normalize_activations"] = .string("none")
    case .standardised: cfg["normalize_activations"] = .string("layer_norm")
    case .rootNorm: cfg["normalize_activations"] = .string("constant_norm_rescale")
    }
    var architecture = parts.bounds == nil ? "standard" : "jumprelu"
    switch (activation, selection) {
    case (.relu, .thresholds): break
    case (.gated, .thresholds) where parts.bounds == nil: architecture = "gated"
    case (.relu, .largest(let k, scaled: false)):
      architecture = "topk"
      cfg["k"] = .number(Double(k))
      cfg["rescale_acts_by_decoder_norm"] = .bool(false)
    default: throw cannot(form, folder, "with \(ruleName)", "ReLU, thresholds, gates or the k largest codes of a token")
    }
    var metadata: [String: JSONValue] = [
      "sae_lens_version": .string("6.54.12"), "sae_lens_training_version": .null, "model_name": .string(modelName),
      "prepend_bos": .bool(true),
    ]
    let place = card.layer.map { "blocks.\($0).hook_resid_post" }
    if let readsElsewhere {
      guard ["standard", "jumprelu"].contains(architecture) else {
        throw cannot(form, folder, "of a transcoder with \(ruleName)", "a transcoder with ReLU or thresholds")
      }
      architecture = (architecture == "jumprelu" ? "jumprelu_" : "") + (skip == nil ? "" : "skip_") + "transcoder"
      cfg["d_out"] = .number(Double(dModel))
      metadata["hook_name"] = .string(readsElsewhere)
      metadata["hook_name_out"] = card.layer.map { .string("blocks.\($0).hook_mlp_out") } ?? .null
    } else {
      guard skip == nil else { throw cannot(form, folder, "of an SAE with a skip connection", "SAEs without one") }
      metadata["hook_name"] = place.map { .string($0) } ?? .null
    }
    (cfg["architecture"], cfg["metadata"]) = (.string(architecture), .object(metadata))
    try makeFolder(folder)
    try write(json: JSONValue.object(cfg), to: folder + "/cfg.json")
    let (F, d) = (nLatents, dModel)
    var writer = SafetensorsWriter(metadata: ["format": "pt"])
    writer.add(
      "W_enc", shape: [d, F], floats: parts.encoder.withUnsafeBufferPointer { transposed($0, rows: F, columns: d) })
    writer.add("W_dec", shape: [F, d], floats: parts.decoder)
    writer.add("b_dec", shape: [d], floats: parts.decoderBias)
    if case .gated(let logScales, let biases) = activation {
      writer.add("b_gate", shape: [F], floats: encoderBias)
      writer.add("b_mag", shape: [F], floats: biases)
      writer.add("r_mag", shape: [F], floats: logScales)
    } else {
      writer.add("b_enc", shape: [F], floats: encoderBias)
    }
    if let bounds = parts.bounds { writer.add("threshold", shape: [F], floats: bounds) }
    if let skip { writer.add("W_skip", shape: [d, d], floats: skip.values) }
    let finished = writer
    try reading { () throws(InferenceError) in try finished.write(to: folder + "/sae_weights.safetensors") }
  }

  /// Writes the folder of a dictionary of dictionary_learning. A dictionary of a difference gets training_metrics.json,
  /// which says so.
  /// - Parameters:
  ///   - modelName: the model that it reads, or the pair's.
  ///   - isOfBase: whether what stands in chat's place is base's.
  /// - Throws: `DiffingError.unsupported` for what the library cannot express, `.file`.
  public func saveDictionaryLearning(
    folder: String, modelName: String, isOfBase: Bool = false
  ) throws(DiffingError) {
    let form = "dictionary_learning"
    try requireOneVector(form, folder)
    guard tokenStep == nil else { throw cannot(form, folder, "of inputs scaled token by token", "inputs as they are") }
    guard skip == nil, readsElsewhere == nil else { throw cannot(form, folder, "of a transcoder", "SAEs") }
    let parts = OneVector(self)
    let (F, d) = (nLatents, dModel)
    let kind: String
    var writer = PyTorchWriter()
    func columns(_ rows: [Float]) -> [Float] {
      rows.withUnsafeBufferPointer { transposed($0, rows: F, columns: d) }
    }
    switch (activation, selection) {
    case (.relu, .thresholds):
      kind = "JumpReluAutoEncoder"
      writer.add("W_enc", shape: [d, F], floats: columns(parts.encoder))
      writer.add("b_enc", shape: [F], floats: encoderBias)
      writer.add("W_dec", shape: [F, d], floats: parts.decoder)
      writer.add("b_dec", shape: [d], floats: parts.decoderBias)
      writer.add("threshold", shape: [F], floats: parts.bounds ?? [Float](repeating: 0, count: F))
    case (.relu, .largest(let k, scaled: false)):
      kind = "AutoEncoderTopK"
      let bias = zip(encoderBias, parts.shift).map { Float(Double($0) + $1) }
      writer.add("b_dec", shape: [d], floats: parts.decoderBias)
      writer.add("k", shape: [], int64s: [Int64(k)])
      writer.add("threshold", shape: [], floats: [-1])
      writer.add("decoder.weight", shape: [d, F], floats: columns(parts.decoder))
      writer.add("encoder.weight", shape: [F, d], floats: parts.encoder)
      writer.add("encoder.bias", shape: [F], floats: bias)
    case (.gated(let logScales, let biases), .thresholds) where parts.bounds == nil:
      kind = "GatedAutoEncoder"
      let shift = parts.shift
      writer.add("decoder_bias", shape: [d], floats: parts.decoderBias)
      writer.add("r_mag", shape: [F], floats: logScales)
      writer.add("gate_bias", shape: [F], floats: zip(encoderBias, shift).map { Float(Double($0) + $1) })
      writer.add(
        "mag_bias", shape: [F],
        floats: biases.indices.map { Float(Double(biases[$0]) + exp(Double(logScales[$0])) * shift[$0]) })
      writer.add("encoder.weight", shape: [F, d], floats: parts.encoder)
      writer.add("decoder.weight", shape: [d, F], floats: columns(parts.decoder))
    default: throw cannot(form, folder, "with \(ruleName)", "ReLU, thresholds, gates or the k largest codes of a token")
    }
    let trainer: [String: JSONValue] = [
      "dict_class": .string(kind), "activation_dim": .number(Double(d)), "dict_size": .number(Double(F)),
      "layer": card.layer.map { .number(Double($0)) } ?? .null, "lm_name": .string(modelName),
      "submodule_name": card.layer.map { .string("resid_post_layer_\($0)") } ?? .null,
    ]
    try makeFolder(folder)
    try write(json: JSONValue.object(["trainer": .object(trainer)]), to: folder + "/config.json")
    if target == .difference || isOfBase {
      let metrics: [String: JSONValue] = ["target": .string(isOfBase ? "base" : "difference_ftb")]
      try write(json: JSONValue.object(metrics), to: folder + "/training_metrics.json")
    }
    let finished = writer
    try reading { () throws(InferenceError) in try finished.write(to: folder + "/ae.pt") }
  }

  // MARK: what a form cannot express

  private var ruleName: String {
    switch (activation, selection) {
    case (.tanhRelu, _): "tanh"
    case (_, .largestOfGroups): "the largest codes of groups"
    case (_, .largest(_, scaled: true)): "the largest codes by decoder norms"
    case (.gated, _): "gates and thresholds together"
    case (.relu, _): "another rule"
    }
  }

  private func cannot(_ form: String, _ path: String, _ found: String, _ supported: String) -> DiffingError {
    .unsupported(path: path, what: "writing in the form of \(form) a dictionary", found: found, supported: supported)
  }

  private func requireOneVector(_ form: String, _ folder: String) throws(DiffingError) {
    guard target != .pair else {
      throw cannot(form, folder, "of two models", "one of one model; the form crosscoder takes two")
    }
    guard selection.isDefined else {
      throw cannot(form, folder, "whose codes are not computed here", "codes of a token")
    }
    precondition(normaliser == nil, "fold the normaliser first")
  }

  private func makeFolder(_ folder: String) throws(DiffingError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw .file(.fileUnwritable(path: folder, reason: "the folder cannot be made"))
    }
  }
}

/// The half of a dictionary that reads and writes one vector.
private struct OneVector {
  /// `[F, d]`.
  let encoder: [Float]
  /// `[F, d]`.
  let decoder: [Float]
  /// `[d]`.
  let decoderBias: [Float]
  /// θ_j `[F]` on p; nil if a latent is on where p > 0.
  let bounds: [Float]?
  private let d: Int

  init(_ crosscoder: Crosscoder) {
    let (F, d) = (crosscoder.nLatents, crosscoder.dModel)
    func chats(_ matrix: Matrix) -> [Float] {
      var rows: [Float] = []
      rows.reserveCapacity(F * d)
      for latent in 0..<F { rows += matrix.values[(2 * latent + 1) * d..<(2 * latent + 2) * d] }
      return rows
    }
    (encoder, decoder, self.d) = (chats(crosscoder.encoder), chats(crosscoder.decoder), d)
    decoderBias = Array(crosscoder.decoderBias[d...])
    var bounds = crosscoder.jumpThresholds
    if let threshold = crosscoder.threshold, threshold > 0 {
      bounds = crosscoder.codeNorms.map { $0 > 0 ? Float(Double(threshold) / $0) : .greatestFiniteMagnitude }
    }
    self.bounds = bounds?.allSatisfy { $0 <= 0 } == true ? nil : bounds
  }

  /// W b_dec `[F]`.
  var shift: [Double] {
    encoder.withUnsafeBufferPointer { rows in
      decoderBias.withUnsafeBufferPointer { bias in
        guard let rows = rows.baseAddress, let bias = bias.baseAddress else { return [] }
        return (0..<encoder.count / d).map { dotInDouble(rows + $0 * d, bias, count: d) }
      }
    }
  }
}
