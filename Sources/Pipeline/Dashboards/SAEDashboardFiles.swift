// SAEDashboard's batch-N.json: {model_id, layer, sae_set, sae_id_suffix, features: [{feature_index, …, activations: [{tokens,
// values, bin_min, …}]}]}, all batches of a folder or one file. A batch is decoded a feature at a time. The lines are not
// kept: numbers are rounded in these files already, and the store has all but histograms and correlated units.
// Source: SAEDashboard db4839a (neuronpedia_runner).

import Diffing
import Experiments
import Foundation
import Inference

/// The batches of one dictionary.
package struct SAEDashboardFiles: DashboardSource {
  package static let form = "SAEDashboard (batch-N.json)"

  package let path: String
  package let names: DashboardNames
  package let files: [DashboardFile]

  package static let format = FormatTable(
    "SAEDashboard's batch-N.json", reference: "SAEDashboard db4839a", unknown: .ignored,
    [
      .honoured("model_id, layer, sae_set, sae_id_suffix", "The names of model and dictionary, and the block."),
      .honoured("features[].feature_index", "The latent."),
      .honoured("features[].frac_nonzero", "frequency."),
      .honoured("features[].pos_str, pos_values, neg_str, neg_values", "The logit lens."),
      .honoured("features[].vector", "The latent's direction and its norm; it may be empty."),
      .honoured("features[].dataset", "The corpus."),
      .honoured("activations[].tokens, values", "A context; the largest value of all is max_activation."),
      .withoutEffect(
        "activations[].bin_min, bin_max, bin_contains, qualifying_token_index", "Bands are by the share of the maximum."
      ),
      .withoutEffect("features[].*hist_data*, correlated_*, neuron_alignment_*", "A store has no place for them."),
    ])

  package static func opened(_ path: String) throws -> (any DashboardSource)? {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
    guard isFolder.boolValue else {
      return path.hasSuffix(".json") && JSONElements.hasList("features", path: path)
        ? try SAEDashboardFiles(path: path, paths: [path]) : nil
    }
    let found = try numberedFiles(in: path, prefix: "batch-", endings: [".json"]).map { path + "/" + $0.name }
    guard let first = found.first, JSONElements.hasList("features", path: first) else { return nil }
    return try SAEDashboardFiles(path: path, paths: found)
  }

  private init(path: String, paths: [String]) throws {
    self.path = path
    files = paths.map { path in
      DashboardFile(path: path, kind: "features", name: URL(filePath: path).lastPathComponent, unit: "feature")
    }
    var names: DashboardNames?
    for path in paths {
      let own = Self.names(try JSONElements(path: path, list: "features"))
      guard names == nil || names == own else {
        throw InputError.invalid(
          source: path, expected: "the model_id, layer and sae_set of the first batch", found: "others")
      }
      names = own
    }
    self.names = names ?? DashboardNames()
  }

  private static func names(_ file: JSONElements) -> DashboardNames {
    var names = DashboardNames()
    names.model = file.members["model_id"]?.asText
    names.namedLayer = file.members["layer"]?.asInteger
    let set = file.members["sae_set"]?.asText ?? ""
    let suffix = file.members["sae_id_suffix"]?.asText.map { "__" + $0 } ?? ""
    names.dictionary = (names.namedLayer.map { "\($0)-" } ?? "") + set + suffix
    return names
  }

  package func read(_ file: DashboardFile, after done: Int, _ take: (DashboardUnit) throws -> Void) throws {
    let list = try JSONElements(path: file.path, list: "features")
    for index in 0..<list.count where index >= done {
      let (text, end) = list.element(index)
      func invalid(_ expected: String, _ found: String) -> InputError {
        .invalid(source: "\(file.path) feature \(index + 1)", expected: expected, found: String(found.prefix(120)))
      }
      let feature: Feature
      do { feature = try JSONDecoder().decode(Feature.self, from: text) } catch let error as DecodingError {
        throw invalid("a feature of SAEDashboard", error.clause)
      }
      try take(
        DashboardUnit(
          number: index + 1, records: try feature.records(invalid), name: "\(feature.feature_index.value)", line: nil,
          consumed: end))
    }
    try list.check()
  }
}

extension SAEDashboardFiles {
  struct Activation: Decodable {
    let tokens: [String]
    let values: [Double]
  }

  struct Feature: Decodable {
    let feature_index: DashboardIndex
    let frac_nonzero: Double?
    let pos_str, neg_str: [String]?
    let pos_values, neg_values: [Double]?
    let vector: [Double]?
    let dataset: String?
    let activations: [Activation]

    func records(_ invalid: (String, String) -> InputError) throws -> [DashboardRecord] {
      guard frac_nonzero.map({ (0...1).contains($0) }) ?? true else {
        throw invalid("frac_nonzero from 0 to 1", "\(frac_nonzero ?? 0)")
      }
      let largest = activations.lazy.compactMap { $0.values.max() }.max()
      let latent = DashboardLatent(
        index: feature_index.value, maxActivation: largest.map { max($0, 0) }, frequency: frac_nonzero,
        promoted: try DashboardLatent.scores("pos", pos_str, pos_values, invalid),
        suppressed: try DashboardLatent.scores("neg", neg_str, neg_values, invalid),
        vector: (vector ?? []).map { Float($0) })
      let contexts = try activations.enumerated().map { number, activation in
        guard activation.tokens.count == activation.values.count else {
          throw invalid(
            "as many values as tokens in activation \(number + 1)",
            "\(activation.values.count) and \(activation.tokens.count)")
        }
        return DashboardContext(
          index: feature_index.value, tokens: activation.tokens.map { .text($0) },
          values: activation.values.map { Float($0) },
          corpus: dataset)
      }
      return [.latent(latent)] + contexts.map { .context($0) }
    }
  }
}

extension DashboardLatent {
  /// Tokens with their changes of logits, as dashboards name them: two lists of equal length.
  static func scores(
    _ name: String, _ texts: [String]?, _ values: [Double]?, _ invalid: (String, String) -> InputError
  ) throws -> [(token: DashboardToken, change: Float)] {
    let (texts, values) = (texts ?? [], values ?? [])
    guard texts.count == values.count else {
      throw invalid("as many \(name)_values as \(name)_str", "\(values.count) and \(texts.count)")
    }
    return zip(texts, values).map { (.text($0), Float($1)) }
  }
}
