// The crosscoder that belongs to a store, checked by its SHA-256. It needs no model. It also finds the store's other files and
// converts activations between the store's units and the crosscoder's.

import Diffing
import Foundation
import Inference
import Storage

/// A store's crosscoder with directions in the residual stream's own units.
package struct StoreCrosscoder: Sendable {
  package let pair: ModelPair
  /// The crosscoder after its input normaliser was folded in.
  package let crosscoder: Crosscoder
  /// The SHA-256 of the crosscoder's file; empty if the store has no crosscoder.
  package let sha256: String
  /// The store's folder.
  package let folder: String
  /// For each latent, how many residual-stream units one unit of the store's activations is; nil if the units are the
  /// same.
  private let unit: [Double]?

  /// - Parameter mayBeMissing: whether a store without a dictionary is given a crosscoder without latents, which is all
  ///   that directions and amplification need.
  /// - Throws: the modules' own errors, or `InputError.mismatch` naming both sides and the remedy.
  package init(_ store: Store, mayBeMissing: Bool = false) throws {
    var found = try store.modelPair()
    folder = URL(fileURLWithPath: store.path).deletingLastPathComponent().path
    if mayBeMissing, found.crosscoder == nil, found.nLatents == 0 || found.dModel > 0 {
      // Latents that came with dashboards have no encoder; those with a vector are directions.
      found.nLatents = 0
      (pair, crosscoder) = (found, Crosscoder(withoutLatents: found.dModel))
      (sha256, unit) = ("", nil)
      return
    }
    let stored: Crosscoder
    (pair, stored, sha256) = try Self.stored(in: store)
    let card = ImportCard(pair)
    let crosscoder = stored.foldingNormaliser()
    self.crosscoder = crosscoder
    unit =
      card?.activation_units == "checkpoint" && stored.normaliser != nil
      ? zip(crosscoder.codeNorms, stored.codeNorms).map { $1 > 0 ? $0 / $1 : 1 } : nil
  }

  /// The store's dictionary as its files have it, with the input normaliser if it has one.
  /// - Throws: as `init`.
  package static func stored(in store: Store) throws -> (pair: ModelPair, crosscoder: Crosscoder, sha256: String) {
    let pair = try store.modelPair()
    let folder = URL(fileURLWithPath: store.path).deletingLastPathComponent().path
    guard let file = pair.crosscoder else {
      throw InputError.invalid(source: store.path, expected: "a store that names its crosscoder", found: "none")
    }
    let path = Self.resolve(file.path, folder)
    let card = ImportCard(pair)
    let opened = try CrosscoderFile(path: path, choice: card?.choice ?? DictionaryChoice())
    try opened.requirePlace()
    let sha256 = try store.check(path, is: file.sha256, what: "crosscoder")
    var stored = try opened.crosscoder()
    try opened.checkName()
    if let norms = card?.mean_norms { stored = try stored.scalingInputs(meanNorms: norms) }
    guard stored.card.inputScaling == nil || stored.normaliser != nil else { throw DiffingError.inputScaleUnknown }
    return (pair, stored, sha256)
  }

  /// The full path of a path that the store records.
  package func resolve(_ path: String) -> String { Self.resolve(path, folder) }

  private static func resolve(_ path: String, _ folder: String) -> String {
    URL(fileURLWithPath: path, relativeTo: URL(fileURLWithPath: folder)).standardizedFileURL.path
  }

  /// Converts a latent's activation from the store's units to the crosscoder's.
  package func activation(_ stored: Double?, of latent: Int) -> Double? {
    stored.map { $0 * (unit.flatMap { $0.indices.contains(latent) ? $0[latent] : nil } ?? 1) }
  }

  /// Converts a latent's activation from the crosscoder's units to the store's.
  package func inStoreUnits(_ activation: Float, of latent: Int) -> Float {
    guard let unit = unit?[latent], unit > 0 else { return activation }
    return Float(Double(activation) / unit)
  }

  /// The largest activations of some latents in the crosscoder's units; latents that never fired are left out.
  package func maxActivations(of latents: [Int], in store: Store) throws -> [Int: Double] {
    let known = try store.latents(ids: latents)
    let pairs = known.compactMap { latent in
      activation(latent.maxActivation, of: latent.id).map { (latent.id, $0) }
    }
    return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
  }
}

extension Store {
  /// The file's SHA-256, which must equal the recorded one if there is one.
  /// - Throws: `InputError.mismatch` for another file.
  package func check(_ path: String, is recorded: String?, what: String) throws -> String {
    let found = try RememberedHash.sha256(path: path)
    guard let recorded, found != recorded else { return found }
    throw InputError.mismatch(
      store: self.path, what: "\(what) \(path)", expected: "SHA-256 \(recorded.prefix(12))…",
      found: "\(found.prefix(12))…")
  }

  /// Checks that an engine runs the files that the store names.
  /// - Returns: the SHA-256 of its model, and of base if that has a file of its own.
  /// - Throws: `InputError.mismatch` for another file.
  package func check(_ engine: Engine) throws -> (model: String, base: String?) {
    let pair = try modelPair()
    let model = try check(engine.modelPath, is: pair.model?.sha256, what: "model")
    let base = try engine.basePath.map { try check($0, is: pair.baseModel?.sha256, what: "base model") }
    try engine.checkNames()
    if let recorded = pair.adapter?.sha256, recorded != engine.adapter?.sha256 {
      throw InputError.mismatch(
        store: path, what: "adapter", expected: "SHA-256 \(recorded.prefix(12))…",
        found: engine.adapter.map { "\($0.sha256.prefix(12))…" } ?? "none")
    }
    return (model, base)
  }
}
