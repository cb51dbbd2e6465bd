// What `crosscope build` reads: a JSON file that says which pair, which texts, which training, and where results go.
// Paths are relative to the configuration's own folder. Refuses: unknown keys, values out of range, missing files.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports

/// A build, as its JSON file describes it.
package struct BuildConfiguration: Codable, Equatable {
  /// A file of texts, one JSON object a line: {"text"} or {"messages": [{"role", "content"}]}.
  package struct Source: Codable, Equatable {
    package var file: String
    /// The half of the corpus to which statistics count the file.
    package var corpus: Corpus
  }

  /// Throws unless the trained dictionary has the two decoder directions that scores and the store are made of.
  package func requireCrosscoder(source: String) throws {
    guard training.chosenMethod.target == .pair else {
      throw InputError.invalid(
        source: source,
        expected: "the method batchtopk or l1 for scores and a store (crosscope harvest and train stop before them)",
        found: "training.method \(training.chosenMethod.rawValue), which has one decoder direction a latent")
    }
  }

  /// GGUF file or Hugging Face folder that chat runs on: a path, or a name that is looked for in the model cache.
  package var model: String
  /// A PEFT folder that makes `model`, then the base, into chat. Either this or `base_model`.
  package var adapter: String?
  /// The base model, where `model` is all of chat.
  package var base_model: String?
  package var base_name: String
  package var chat_name: String
  /// The block, counted from 0, after which the crosscoder reads the residual stream.
  package var layer: Int
  package var corpus: [Source]
  package var tokens_per_text: Int
  /// How the models compute: `exact` or `fast`, the default.
  package var precision: Precision?
  package var computedPrecision: Precision { precision ?? .fast }
  package var seed: UInt64
  package var training: Training
  /// Contexts kept a latent, over the five bands of its activation.
  package var contexts: Int
  /// Folder for activations and training state; may be deleted when the store is finished.
  package var work: String
  /// Folder that the trained crosscoder is written to.
  package var crosscoder: String
  /// The store to make.
  package var store: String

  /// Reads and checks a configuration.
  /// - Throws: `InputError.invalid` naming the key that is missing, unknown or out of range.
  package init(path: String) throws {
    if try namesActivations(path: path) {
      throw InputError.invalid(
        source: path, expected: "models and a corpus (activations without texts are for crosscope train alone)",
        found: "the key activations")
    }
    self = try readConfiguration(BuildConfiguration.self, path: path, expected: "a build configuration")
    func invalid(_ expected: String, _ found: String) -> InputError {
      .invalid(source: path, expected: expected, found: found)
    }
    guard !corpus.isEmpty else { throw invalid("corpus files marked plain or chat", "none") }
    guard (adapter == nil) != (base_model == nil) else {
      throw invalid("either adapter or base_model", adapter == nil ? "neither" : "both")
    }
    let ranges: [(String, Int, ClosedRange<Int>)] = [
      ("layer", layer, 0...10_000), ("tokens_per_text", tokens_per_text, 2...1 << 20), ("contexts", contexts, 1...1000),
    ]
    for (key, value, range) in ranges where !range.contains(value) {
      throw invalid("\(key) in \(range.lowerBound)…\(range.upperBound)", "\(value)")
    }
    try training.check(invalid)
  }
}
