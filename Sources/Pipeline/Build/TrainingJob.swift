// The input of a training run and the places of its files. The activations come from a build's harvest, which must have the
// identity of this configuration, or from a folder that others made, which is identified by its content.

import Diffing
import Experiments
import Foundation
import Inference
import Reports

/// The configuration of a training on activations that others made; it names no models and no texts.
package struct TrainingConfiguration: Codable, Equatable {
  package var activations: ActivationFolders
  package var base_name: String?
  package var chat_name: String?
  package var seed: UInt64
  package var training: BuildConfiguration.Training
  /// The folder for training state and log.
  package var work: String
  /// The folder of the trained dictionary.
  package var crosscoder: String

  /// - Throws: `InputError.invalid` naming the key that is missing, unknown or out of range.
  package init(path: String) throws {
    self = try readConfiguration(
      TrainingConfiguration.self, path: path,
      expected: "activations, seed, training, work and crosscoder (docs/activations.md)")
    try training.check { expected, found in .invalid(source: path, expected: expected, found: found) }
  }
}

/// A training run that can begin.
package struct TrainingJob {
  package let training: BuildConfiguration.Training
  package let seed: UInt64
  /// The path of the configuration.
  package let configuration: String
  /// Where the activations are.
  package let activations: String
  package let shards: ActivationShards
  /// The identity of the activations.
  package let identity: String
  package let work: String
  /// The folder of the result.
  package let crosscoder: String
  /// Reads the models and makes a card with what is known of them.
  package let models: () throws -> CrosscoderCard

  /// The training stage of a build.
  /// - Throws: `InputError.invalid` if the harvest is not finished or belongs to another configuration.
  package init(build: BuildConfiguration, paths: BuildPaths) throws {
    (training, seed, configuration) = (build.training, build.seed, paths.configuration)
    (activations, work, crosscoder) = (paths.given?.text ?? paths.activations, paths.work, paths.crosscoder)
    shards = try HarvestStage(build: build, paths: paths).finished()
    identity = shards.index.identity
    models = {
      var card = CrosscoderCard()
      card.modelName = "\(build.chat_name)-\(build.base_name)"
      card.modelHash = try RememberedHash.sha256(path: paths.model)
      card.adapterHash = try paths.adapter.map { try Adapter.sha256(folder: $0) }
      card.baseModelHash = try paths.baseModel.map { try RememberedHash.sha256(path: $0) }
      return card
    }
  }

  /// A training on activations that others made.
  package init(path: String) throws {
    let wanted = try TrainingConfiguration(path: path)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    func resolve(_ relative: String) -> String {
      URL(fileURLWithPath: relative, relativeTo: folder).standardizedFileURL.path
    }
    (training, seed, configuration) = (wanted.training, wanted.seed, path)
    let folders = wanted.activations.resolved(resolve)
    (activations, work, crosscoder) = (folders.text, resolve(wanted.work), resolve(wanted.crosscoder))
    shards = try folders.shards()
    identity = try shards.contentHash()
    models = {
      var card = CrosscoderCard()
      if let base = wanted.base_name, let chat = wanted.chat_name { card.modelName = "\(chat)-\(base)" }
      return card
    }
    try makeFolder(work)
  }

  package var log: String { work + "/training.jsonl" }
  package var stamp: String { work + "/train-stamp.json" }

  /// The file for the state of an interrupted run. It depends on the activations and on the size of the buffer.
  package func state(bufferTokens: Int?) -> String {
    work + "/trainer-state-\(identity.prefix(12))" + (bufferTokens.map { "-\($0)" } ?? "") + ".safetensors"
  }

  /// Removes the states of interrupted runs except `kept`.
  package func removeStates(but kept: String? = nil) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: work)) ?? []
    where name.hasPrefix("trainer-state") && work + "/" + name != kept {
      try? FileManager.default.removeItem(atPath: work + "/" + name)
    }
  }
}

/// Makes a folder and those above it.
/// - Throws: `InferenceError.fileUnwritable`.
package func makeFolder(_ path: String) throws {
  do {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  } catch {
    throw InferenceError.fileUnwritable(path: path, reason: error.localizedDescription)
  }
}

/// Whether a configuration names activations that others made instead of models and texts. A build may name some beside its models.
package func namesActivations(path: String) throws -> Bool {
  let data = try MappedFile(path: path).contents()
  let fields = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
  return fields?["activations"] != nil && fields?["model"] == nil
}
