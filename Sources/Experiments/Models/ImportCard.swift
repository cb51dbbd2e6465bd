// The record of where a store was imported from. Activations and norms of an imported store are in the checkpoint's units, as
// in the published files: if there is an input normaliser, these are not the residual stream's units, and steering converts
// them.

import Diffing
import Foundation
import Storage

/// The JSON object in `ModelPair.card` of an imported store.
package struct ImportCard: Codable, Equatable {
  /// The name of the form of the dictionary.
  package var form: String
  /// What the user said about the dictionary, because its files do not.
  package var reads: String?
  package var layer: Int?
  package var base_head: String?
  /// "checkpoint" if an input normaliser is not folded in. A store that `build` made has no value here, and is folded.
  package var activation_units: String?
  /// Mean norms of base's and chat's residual streams, if the inputs are scaled by them.
  package var mean_norms: [Double]?
  package var input_scaling: InputScaling?
  package var metrics: [String: Double] = [:]
  package var training_tokens: Int?

  /// The card of a store; nil for one that was not imported.
  package init?(_ pair: ModelPair) {
    guard let card = try? JSONDecoder().decode(ImportCard.self, from: Data(pair.card.utf8)) else { return nil }
    self = card
  }

  package init(
    form: String, choice: DictionaryChoice, activation_units: String?, mean_norms: [Double]?,
    input_scaling: InputScaling?,
    metrics: [String: Double], training_tokens: Int?
  ) {
    (reads, layer, base_head) = (choice.reads?.rawValue, choice.layer, choice.baseHead)
    (self.form, self.activation_units, self.mean_norms) = (form, activation_units, mean_norms)
    (self.input_scaling, self.metrics, self.training_tokens) = (input_scaling, metrics, training_tokens)
  }

  /// What the user said about the dictionary at import.
  package var choice: DictionaryChoice {
    DictionaryChoice(reads: reads.flatMap { .init(rawValue: $0) }, layer: layer, baseHead: base_head)
  }

  package func text() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
