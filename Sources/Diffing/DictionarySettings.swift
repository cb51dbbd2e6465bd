// cfg.json, which lies beside the earlier replication's crosscoders and beside SAEs with the names of SAELens or Gemma
// Scope. This file reads the few keys that matter here, and finds the block that the hook's place means. Sizes that the
// weights contradict, fields that `FormatTable.sae` refuses, places other than the residual stream between blocks and
// two places that disagree are errors.

import Foundation
import Inference

/// The keys of cfg.json that matter here.
struct DictionarySettings: Codable {
  /// The keys that SAELens 6 keeps in an object of their own.
  struct Metadata: Codable {
    var model_name: String?
    var hook_name: String?
    var hook_layer: Int?
  }

  var d_in: Int?
  var dict_size: Int?
  var d_sae: Int?
  var model_name: String?
  var hook_point: String?
  var hook_name: String?
  var hook_layer: Int?
  var hook_point_layer: Int?
  var architecture: String?
  var apply_b_dec_to_input: Bool?
  var metadata: Metadata?
  /// Where it was read; nil if there is no such file.
  var path: String?

  /// Reads cfg.json; no setting has a value if there is no such file.
  static func read(folder: String) throws(DiffingError) -> DictionarySettings {
    let path = folder + "/cfg.json"
    guard var settings = try readJSON(DictionarySettings.self, path) else { return DictionarySettings() }
    settings.path = path
    return settings
  }

  /// The name of the model on which it was trained.
  var modelName: String? { model_name ?? metadata?.model_name }

  /// Whether b_dec is subtracted from the input before it is encoded. For Gemma Scope, which has no such file, it is
  /// not.
  var subtractsDecoderBias: Bool { path != nil && apply_b_dec_to_input ?? true }

  /// The block whose output is read; nil if no key says it. `hook_resid_pre` of block N is the output of block N − 1.
  /// - Throws: `DiffingError.unsupported` for another place, `.configurationInvalid` where two keys disagree.
  func layer() throws(DiffingError) -> Int? {
    let named = [hook_name, hook_point, metadata?.hook_name].compactMap { $0 }
    guard let name = named.first else { return nil }
    func disagree(_ other: String) -> DiffingError {
      .configurationInvalid(path: path ?? "cfg.json", key: "hook_name", expected: other, found: name)
    }
    if let other = named.first(where: { $0 != name }) { throw disagree(other) }
    guard let (block, output) = Self.place(name) else {
      throw .unsupported(
        path: path ?? "cfg.json", what: "a dictionary of activations at", found: String(name.prefix(80)),
        supported: "the residual stream after a block: blocks.N.hook_resid_post")
    }
    for number in [hook_layer, hook_point_layer, metadata?.hook_layer] {
      if let number, number != block { throw disagree("block \(number), as hook_layer says") }
    }
    return output
  }

  /// The number of the block in a hook's name, and the block whose output the hook sees.
  private static func place(_ name: String) -> (block: Int, output: Int)? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if parts.count == 3, parts[0] == "blocks", let block = Int(parts[1]) {
      switch parts[2] {
      case "hook_resid_post": return (block, block)
      case "hook_resid_pre" where block > 0: return (block, block - 1)
      default: return nil
      }
    }
    // This is a module's name in Hugging Face's models; the module's output is read.
    let tail = parts.last == "output" ? parts.dropLast() : parts[...]
    guard tail.count > 1, tail.dropLast().last == "layers", let block = tail.last.flatMap({ Int($0) }) else {
      return nil
    }
    return (block, block)
  }

  func agree(d: Int, F: Int) throws(DiffingError) {
    for (key, value, expected) in [("d_in", d_in, d), ("dict_size", dict_size, F), ("d_sae", d_sae, F)]
    where value != nil && value != expected {
      throw .configurationInvalid(
        path: path ?? "cfg.json", key: key, expected: "\(expected), as in the weights", found: "\(value ?? 0)")
    }
  }

  /// Throws for an SAE whose codes would be other than ReLU or JumpReLU of W_enc (x − b_dec or x) + b_enc.
  func requirePlain(hasThresholds: Bool) throws(DiffingError) {
    guard let path else { return }
    let kind = architecture ?? "standard"
    guard kind == "jumprelu" || kind == "standard" else {
      throw .unsupported(
        path: path, what: "an SAE with architecture", found: String(kind.prefix(80)), supported: "standard or jumprelu")
    }
    try reading { () throws(InferenceError) in
      try FormatTable.sae.check(fileIfPresent: path)
      try FormatTable.saeMetadata.check(fileIfPresent: path, member: "metadata")
    }
    guard hasThresholds == (kind == "jumprelu") else {
      throw .configurationInvalid(
        path: path, key: "architecture", expected: hasThresholds ? "jumprelu, as there are thresholds" : "standard",
        found: kind)
    }
  }
}
