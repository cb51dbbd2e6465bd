// cfg.json, which lies beside the earlier replication's crosscoders and beside SAEs with Gemma Scope's names.
// Owns: the few keys that matter here, and what the place of the hook means. Refuses: sizes that the weights contradict,
// settings under which an SAE's codes would be others.

import Foundation
import Inference

/// cfg.json of the earlier replication and of SAEs: what of it matters here.
struct DictionarySettings: Codable {
  var d_in: Int?
  var dict_size: Int?
  var d_sae: Int?
  var model_name: String?
  var hook_point: String?
  var hook_name: String?
  var apply_b_dec_to_input: Bool?
  var normalize_activations: String?
  /// Where it was read.
  var path: String?

  /// Settings without values if there is no such file.
  static func read(folder: String) throws(DiffingError) -> DictionarySettings {
    let path = folder + "/cfg.json"
    var settings = try readJSON(DictionarySettings.self, path) ?? DictionarySettings()
    settings.path = path
    return settings
  }

  /// The block whose output is read. `hook_resid_pre` of block N is the output of block N − 1.
  var layer: Int? {
    let parts = (hook_point ?? hook_name ?? "").split(separator: ".")
    guard parts.count == 3, parts[0] == "blocks", let block = Int(parts[1]) else { return nil }
    switch parts[2] {
    case "hook_resid_post": return block
    case "hook_resid_pre" where block > 0: return block - 1
    default: return nil
    }
  }

  func agree(d: Int, F: Int) throws(DiffingError) {
    for (key, value, expected) in [("d_in", d_in, d), ("dict_size", dict_size, F), ("d_sae", d_sae, F)]
    where value != nil && value != expected {
      throw .configurationInvalid(
        path: path ?? "cfg.json", key: key, expected: "\(expected), as in the weights", found: "\(value ?? 0)")
    }
  }

  /// Throws for an SAE whose codes would be other than ReLU or JumpReLU of W_enc x + b_enc.
  func requirePlain() throws(DiffingError) {
    if apply_b_dec_to_input == true {
      throw .unsupported(
        path: path ?? "cfg.json", what: "an SAE with", found: "apply_b_dec_to_input",
        supported: "inputs as they are, as Gemma Scope's")
    }
    if let normalize_activations, normalize_activations != "none" {
      throw .unsupported(
        path: path ?? "cfg.json", what: "an SAE with normalize_activations", found: normalize_activations,
        supported: "none")
    }
  }
}
