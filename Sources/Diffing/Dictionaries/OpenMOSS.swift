// Dictionaries of OpenMOSS's Language-Model-SAEs (llamascopium): config.json + sae_weights.safetensors {W_E [d, F], b_E [F],
// W_D [F, d], b_D [d]; crosscoders have an axis of heads first; activation_function.log_jumprelu_threshold [F];
// dataset_average_activation_norm.HOOK}.
//   p = Σ_h (s_h x_h W_E,h + b_E,h); z = p‖W_D,h row‖ if sparsity_include_decoder_norm, else p
//   f_h = g(z)/norm: relu, z > e^log_threshold, the k largest of a token and head, batchtopk over a batch
//   x̂_h = (f_h W_D,h + b_D,h)/s_h, b_D is never subtracted; s = √d/norm of the data set, √d/‖x‖, or 1 (folded)
// Heads of two models at one block are a pair, of which the user says which is base; heads of several blocks are browsed
// at one. Cross-layer transcoders, mixtures, attention dictionaries and GLU encoders are refused. Source: 95281ac.

import Foundation
import Inference
import Kernels

/// What config.json says.
struct OpenMOSSSettings {
  var d = 0
  var F = 0
  var heads: [String] = []
  /// The place that a transcoder writes.
  var output: String?
  var isCrosscoder = false
  var hasDecoderBias = true
  var activation = ""
  var k = 0
  var norm = ""
  var comparesScaled = true

  static let threshold = "activation_function.log_jumprelu_threshold"
  static func average(_ hook: String) -> String { "dataset_average_activation_norm." + hook }
}

extension DictionaryForm {
  static let openMOSS = DictionaryForm(
    name: "openmoss",
    reads:
      "SAEs, transcoders of an MLP and crosscoders of OpenMOSS: relu, jumprelu, topk and batchtopk, all norms; crosscoders "
      + "of two models (the option says which is base) or of several blocks (encoded whole, browsed at one).",
    refuses:
      "Other kinds (clt, molt, lorsa) and GLU encoders. batchtopk is encoded with the file of activations as the batch, as "
      + "the library does, and has no codes of texts.",
    files: ["sae_weights.safetensors"], tables: [.openMOSS],
    recognises: { (folder) throws(DiffingError) in folder.reader.has("W_E") },
    open: { (folder) throws(DiffingError) in try openOpenMOSS(folder) })

  private static func openOpenMOSS(_ folder: DictionaryFolder) throws(DiffingError) -> OpenedDictionary {
    guard let fields = try folder.fields("config.json", .openMOSS) else {
      throw .file(.fileUnreadable(path: folder.folder + "/config.json", reason: "there is no such file"))
    }
    let settings = try settings(folder, fields)
    let (d, F, H) = (settings.d, settings.F, settings.heads.count)
    func shape(_ rest: [Int]) -> [Int] { settings.isCrosscoder ? [H] + rest : rest }
    var tensors = ["W_E": shape([d, F]), "b_E": shape([F]), "W_D": shape([F, d])]
    if settings.hasDecoderBias { tensors["b_D"] = shape([d]) }
    if settings.activation == "jumprelu" { tensors[OpenMOSSSettings.threshold] = [F] }
    var optional: Set<String> = []
    for hook in settings.heads + [settings.output].compactMap({ $0 })
    where folder.reader.has(OpenMOSSSettings.average(hook)) {
      tensors[OpenMOSSSettings.average(hook)] = []
      // With other norms the numbers are what happened to be in memory.
      if settings.norm != "dataset-wise" { optional.insert(OpenMOSSSettings.average(hook)) }
    }
    let load = { @Sendable () throws(DiffingError) -> HeadedDictionary in try dictionary(folder, settings) }
    let view = try openMOSSView(folder, fields, settings)
    let make = { @Sendable () throws(DiffingError) -> Crosscoder in try view.make(load()) }
    var opened = OpenedDictionary(
      dModel: d, nLatents: F, tensors: tensors,
      decoderRows: { () throws(DiffingError) in try view.rows() }, crosscoder: make)
    opened.optional = optional
    (opened.target, opened.fault) = (view.target, view.fault)
    opened.card = view.card
    if settings.isCrosscoder || settings.activation == "batchtopk" { opened.headed = load }
    if settings.norm == "token-wise" {
      opened.notes.append(TokenStep.rootNorm.unitsNote)
    }
    return opened
  }

  private static func settings(
    _ folder: DictionaryFolder, _ fields: FieldReader
  ) throws(DiffingError) -> OpenMOSSSettings {
    var settings = OpenMOSSSettings()
    var (kind, given, factor): (String, Int?, Double?) = ("", nil, nil)
    try reading { () throws(InferenceError) in
      kind = try fields.text("sae_type") ?? "sae"
      (given, factor) = (try fields.integer("d_model", in: 1...Int.max), try fields.number("expansion_factor"))
      settings.hasDecoderBias = try fields.flag("use_decoder_bias") ?? true
      settings.activation = try fields.text("act_fn") ?? "relu"
      settings.norm = try fields.text("norm_activation") ?? "dataset-wise"
      settings.comparesScaled = try fields.flag("sparsity_include_decoder_norm") ?? true
      settings.k = try fields.integer("top_k", in: 1...Int.max) ?? 0
      if let hooks = try fields.list("hook_points") {
        for hook in hooks {
          guard let name = hook.string else { throw fields.wrong("hook_points", "a list of names") }
          settings.heads.append(name)
        }
      } else if let hook = try fields.text("hook_point_in") {
        settings.heads = [hook]
        let output = try fields.text("hook_point_out")
        settings.output = output == hook ? nil : output
      }
    }
    settings.isCrosscoder = kind == "crosscoder"
    guard kind == "sae" || settings.isCrosscoder else {
      throw folder.unsupported("sae_type", kind, "sae or crosscoder", file: "config.json")
    }
    guard !settings.heads.isEmpty, settings.isCrosscoder || settings.heads.count == 1,
      Set(settings.heads).count == settings.heads.count
    else {
      throw .configurationInvalid(
        path: fields.path, key: settings.isCrosscoder ? "hook_points" : "hook_point_in",
        expected: "the places that it reads, each once", found: "\(settings.heads.count) of them")
    }
    for (key, value, known) in [
      ("act_fn", settings.activation, ["relu", "jumprelu", "topk", "batchtopk"]),
      ("norm_activation", settings.norm, ["dataset-wise", "token-wise", "inference"]),
    ] where !known.contains(value) {
      throw folder.unsupported(key, value, known.joined(separator: ", "), file: "config.json")
    }
    guard settings.output == nil || settings.activation != "batchtopk" else {
      throw folder.unsupported("act_fn", "batchtopk of a transcoder", "relu, jumprelu or topk", file: "config.json")
    }
    guard settings.k > 0 || !settings.activation.hasSuffix("topk") else {
      throw .configurationInvalid(path: fields.path, key: "top_k", expected: "at least 1", found: "absent")
    }
    let shape = try folder.reader.shape("W_E")
    let heads = settings.isCrosscoder ? [settings.heads.count] : []
    guard shape.count == heads.count + 2, Array(shape.dropLast(2)) == heads, shape.allSatisfy({ $0 > 0 }) else {
      throw .shapeMismatch(path: folder.path, tensor: "W_E", expected: heads + [given ?? 0, 0], found: shape)
    }
    (settings.d, settings.F) = (shape[shape.count - 2], shape[shape.count - 1])
    try folder.agree("d_model", "config.json", given, settings.d)
    if let factor {
      let size = (Double(settings.d) * factor).rounded(.towardZero)
      try folder.agree("d_model · expansion_factor", "config.json", size < 1e15 ? Int(size) : .max, settings.F)
    }
    return settings
  }

  private static func dictionary(
    _ folder: DictionaryFolder, _ settings: OpenMOSSSettings
  ) throws(DiffingError) -> HeadedDictionary {
    let reader = folder.reader
    let (d, F, H) = (settings.d, settings.F, settings.heads.count)
    func shape(_ rest: [Int]) -> [Int] { settings.isCrosscoder ? [H] + rest : rest }
    let encoder = try reader.rearranged("W_E", shape([d, F])) { transposed($0, rows: H * d, columns: F) }
    let decoder = try reader.rearranged("W_D", shape([F, d])) { values in
      var rows = [Float](repeating: 0, count: values.count)
      for head in 0..<H {
        for latent in 0..<F {
          let (from, to) = ((head * F + latent) * d, (latent * H + head) * d)
          for index in 0..<d { rows[to + index] = values[from + index] }
        }
      }
      return rows
    }
    let biases = try reader.floats("b_E", shape([F]))
    let bias = (0..<F).map { latent in Float((0..<H).reduce(0.0) { $0 + Double(biases[$1 * F + latent]) }) }
    let selection: HeadedDictionary.Selection
    switch settings.activation {
    case "jumprelu":
      let logs = try reader.floats(OpenMOSSSettings.threshold, [F])
      selection = .thresholds(logs.map { Float(min(exp(Double($0)), Double(Float.greatestFiniteMagnitude))) })
    case "topk": selection = .largest(settings.k)
    case "batchtopk": selection = .largestOfBatch(settings.k)
    default: selection = .positive
    }
    var normaliser: InputNormaliser?
    if settings.norm == "dataset-wise" {
      var scales: [Float] = []
      for hook in settings.heads { scales.append(Float(try openMOSSScale(of: hook, folder, settings))) }
      let zeros = [Float](repeating: 0, count: H * d)
      normaliser = InputNormaliser(mean: zeros, std: zeros, targetRMS: 1, scales: scales, epsilon: 0)
    }
    return HeadedDictionary(
      heads: settings.heads, dModel: d, encoder: Matrix(rows: F, columns: H * d, values: encoder), bias: bias,
      decoder: Matrix(rows: F, columns: H * d, values: decoder),
      decoderBias: settings.hasDecoderBias
        ? try reader.floats("b_D", shape([d])) : [Float](repeating: 0, count: H * d),
      selection: selection, comparesScaled: settings.comparesScaled,
      tokenStep: settings.norm == "token-wise" ? .rootNorm : nil, normaliser: normaliser)
  }
}

extension FormatTable {
  /// The fields of config.json of OpenMOSS.
  static let openMOSS = FormatTable(
    "config.json of OpenMOSS", reference: "llamascopium 2.0.0b34 (Language-Model-SAEs 95281ac)", unknown: .refused,
    [
      .honoured("sae_type", "sae or crosscoder; every other kind is refused."),
      .honoured("d_model", "It must agree with the weights."),
      .honoured("expansion_factor", "d_model · expansion_factor, cut to a whole number, must agree with the weights."),
      .honoured("use_decoder_bias", "False means that there is no b_D."),
      .honoured("act_fn", "relu, jumprelu, topk or batchtopk."),
      .honoured("norm_activation", "dataset-wise, token-wise or inference."),
      .honoured("sparsity_include_decoder_norm", "True compares codes times decoder norms."),
      .honoured("top_k", "k of topk and batchtopk."), .honoured("hook_points", "The heads of a crosscoder."),
      .honoured("hook_point_in", "The place that an SAE reads."),
      .honoured("hook_point_out", "The place that a transcoder writes."),
      .refused("use_glu_encoder", "an encoder of one map"),
      .withoutEffect("use_triton_kernel", "It says how products are computed."),
      .withoutEffect("sparsity_threshold_for_triton_spmm_kernel", "It says how products are computed."),
      .withoutEffect("jumprelu_threshold_window", "It acts in training alone."),
      .withoutEffect("device", "It says where training ran."),
      .withoutEffect("dtype", "The weights' own type is read."),
    ])
}
