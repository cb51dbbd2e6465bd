// The few texts on which a build measures what its dictionary's reconstruction costs both models: held-out ones if the
// configuration or the store's folder has them, else some of the corpus, which the figures then say. They are few and
// short, so that the measurement takes seconds.

import Diffing
import Experiments
import Foundation
import Inference

/// The texts of a build's measurement, as tokens.
package struct LossTexts {
  private static let count = 16
  private static let tokens = 128

  private let name: String
  private let isHeldOut: Bool
  /// What the texts are known by, see `ReconstructionLoss`.
  package let source: String
  private let ids: [[Int32]]
  private let engine: Engine
  private let layer: Int

  /// - Parameter shards: the finished harvest, whose texts are taken where there are no held-out ones.
  /// - Throws: `InputError.invalid` naming the line of a bad file, and for texts of which nothing can be predicted.
  package init(build: BuildConfiguration, paths: BuildPaths, shards: ActivationShards, engine: Engine) throws {
    let all: [[Int32]]
    if let path = paths.heldOut {
      let read = try CorpusReader.readAll(path)
      all = try engine.tokens(chats: read.chats, texts: read.texts, limit: Self.tokens)
      name = URL(filePath: path).lastPathComponent
      source = try MappedFile(path: path).sha256()
    } else {
      all = try shards.readTexts().map { Array($0.ids.prefix(Self.tokens)) }.filter { $0.count > 1 }
      (name, source) = ("corpus", shards.index.identity)
    }
    guard !all.isEmpty else {
      throw InputError.invalid(
        source: paths.heldOut ?? paths.activations, expected: "a text of at least two tokens", found: "none")
    }
    let vocabulary = engine.model.configuration.vocabSize
    if let bad = all.joined().first(where: { !(0..<vocabulary).contains(Int($0)) }) {
      throw InputError.invalid(
        source: paths.heldOut ?? paths.given?.text ?? paths.activations,
        expected: "tokens below \(vocabulary), as the model has",
        found: "\(bad)")
    }
    (isHeldOut, ids) = (paths.heldOut != nil, all.spread(Self.count))
    (self.engine, layer) = (engine, build.layer)
  }

  /// What the reconstruction of a dictionary costs on these texts.
  /// - Parameter crosscoder: must have no input normaliser.
  package func loss(of crosscoder: Crosscoder) throws -> ReconstructionLoss {
    let test = try LossRecovery(engine: engine, crosscoder: crosscoder, layer: layer)
    return ReconstructionLoss(
      try ids.map { try test.measure($0) }, texts: name, isHeldOut: isHeldOut, source: source,
      precision: engine.model.precision)
  }
}
