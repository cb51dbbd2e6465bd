// The JSON file that `crosscope build` reads: which pair, which texts, which training, and where results go. Paths are relative
// to the file's own folder. Unknown keys, values out of range and missing files are errors.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports

/// A build, as its JSON file describes it.
package struct BuildConfiguration: Codable, Equatable {
  /// A file of texts with one JSON object a line: {"text"} or {"messages": [{"role", "content"}]}.
  package struct Source: Codable, Equatable {
    package var file: String
    /// The half of the corpus to which statistics assign the file.
    package var corpus: Corpus
    /// How many of the file's first lines are read; nil for all.
    package var texts: Int?
  }

  /// Checks that the trained dictionary reads both models, which scores and the store compare.
  package func requireBothModels(source: String) throws {
    guard [.pair, .difference].contains(training.chosenMethod.target) else {
      throw InputError.invalid(
        source: source,
        expected:
          "a method that reads both models for scores and a store (crosscope harvest and train stop before them)",
        found: "training.method \(training.chosenMethod.rawValue), which reads one")
    }
  }

  /// The chat model's GGUF file or Hugging Face folder: a path, or a name in the model cache.
  package var model: String
  /// A PEFT folder that turns `model`, which is then the base, into chat. Either this or `base_model` is given.
  package var adapter: String?
  /// The base model, if `model` is the chat model.
  package var base_model: String?
  package var base_name: String
  package var chat_name: String
  /// The block, counted from 0, after which the crosscoder reads the residual stream.
  package var layer: Int
  package var corpus: [Source]
  /// The caches of both models' activations, base's and chat's, which take the place of a harvest; `corpus` is then empty.
  package var activations: ActivationFolders?
  package var tokens_per_text: Int
  /// A file of texts or chats that are not in the corpus, on which loss recovered is measured; heldout-chats.jsonl in the
  /// store's folder if missing, or texts of the corpus if that is not there.
  package var heldout: String?
  /// The precision of the models: `exact` or `fast`, the default.
  package var precision: Precision?
  package var computedPrecision: Precision { precision ?? .fast }
  package var seed: UInt64
  package var training: Training
  /// How many contexts a latent keeps, over the five bands of its activation.
  package var contexts: Int
  /// The folder for activations and training state; it may be deleted when the store is finished.
  package var work: String
  /// The folder of the trained crosscoder.
  package var crosscoder: String
  /// The path of the store.
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
    switch activations {
    case nil: guard !corpus.isEmpty else { throw invalid("corpus files marked plain or chat", "none") }
    case .caches:
      guard corpus.isEmpty else { throw invalid("either activations or texts in corpus", "both") }
    case .pairs(let folder):
      throw invalid("activations as a list of base's cache and chat's (with a folder of pairs, name no model)", folder)
    }
    guard (adapter == nil) != (base_model == nil) else {
      throw invalid("either adapter or base_model", adapter == nil ? "neither" : "both")
    }
    let ranges: [(String, Int, ClosedRange<Int>)] = [
      ("layer", layer, 0...10_000), ("tokens_per_text", tokens_per_text, 2...1 << 20), ("contexts", contexts, 1...1000),
    ]
    for (key, value, range) in ranges where !range.contains(value) {
      throw invalid("\(key) in \(range.lowerBound)…\(range.upperBound)", "\(value)")
    }
    if let source = corpus.first(where: { ($0.texts ?? 1) < 1 }) {
      throw invalid("corpus.texts of at least 1", "\(source.texts ?? 0) for \(source.file)")
    }
    try training.check(invalid)
  }
}
