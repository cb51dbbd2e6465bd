// The models and the crosscoder that belong to a store, loaded and checked against what the store records.
// Refuses: a model, adapter or crosscoder other than the store's, by width, vocabulary and SHA-256.

import Diffing
import Foundation
import Inference
import Kernels
import Storage

/// Everything that a steering run on a store needs.
struct SteeringContext: Sendable {
  let pair: ModelPair
  let engine: Engine
  /// Without an input normaliser, its directions in the residual stream's own units.
  let crosscoder: Crosscoder
  /// Residual-stream units in one unit of the store's activations, by latent; nil where they are the same.
  private let unit: [Double]?
  /// SHA-256 of what was loaded.
  private let crosscoderHash: String
  private let modelHash: String
  private let baseHash: String?

  /// A latent's largest activation in the crosscoder's units, from that in the store.
  func activation(_ stored: Double?, of latent: Int) -> Double? {
    stored.map { $0 * (unit.flatMap { $0.indices.contains(latent) ? $0[latent] : nil } ?? 1) }
  }

  /// The largest activations of some latents in the crosscoder's units; those that never fired have none.
  func maxActivations(of latents: [Int], in store: Store) throws -> [Int: Double] {
    let known = try store.latents(ids: latents.map { Int32(clamping: $0) })
    let pairs = known.compactMap { latent in
      activation(latent.maxActivation, of: Int(latent.id)).map { (Int(latent.id), $0) }
    }
    return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
  }

  /// Conditions on the store's activations as conditions on the crosscoder's.
  func conditions(_ stored: [SteeringCondition]) -> [SteeringCondition] {
    stored.map {
      SteeringCondition(
        latent: $0.latent, side: $0.side, value: activation($0.value, of: $0.latent) ?? $0.value)
    }
  }

  /// Loads what the store names; `files` say where to look instead, not what to use instead.
  /// - Throws: the modules' own errors, or `CommandError.mismatch` naming both sides and the remedy.
  static func load(
    store: Store, files: ModelLocations = ModelLocations(), precision: Precision = .fast,
    progress: (String) -> Void = { _ in }
  ) throws -> SteeringContext {
    let pair = try store.modelPair()
    let folder = URL(fileURLWithPath: store.path).deletingLastPathComponent().path
    func resolve(_ path: String) -> String {
      URL(fileURLWithPath: path, relativeTo: URL(fileURLWithPath: folder)).standardizedFileURL.path
    }
    guard let crosscoderFile = pair.crosscoder else {
      throw CommandError.inputInvalid(source: store.path, expected: "a store that names its crosscoder", found: "none")
    }
    progress("loading the crosscoder")
    let crosscoderPath = resolve(crosscoderFile.path)
    let crosscoderHash = try check(crosscoderPath, is: crosscoderFile.sha256, store: store, what: "crosscoder")
    if files.model == nil, pair.model == nil {
      throw CommandError.notSaid(
        source: store.path, what: "which model to steer",
        remedy: """
          give --model with the chat model (\(pair.chat), width \(pair.dModel), at least \(pair.layer + 1) blocks) as a GGUF \
          file or a Hugging Face folder
          """)
    }
    let card = ImportCard(pair)
    var stored = try Crosscoder.load(path: crosscoderPath)
    if let norms = card?.mean_norms { stored = try stored.scalingInputs(meanNorms: norms) }
    guard stored.card.inputScaling == nil || stored.normaliser != nil else { throw DiffingError.inputScaleUnknown }
    let crosscoder = try stored.foldingNormaliser()
    let unit =
      card?.activation_units == "checkpoint" && stored.normaliser != nil
      ? zip(crosscoder.codeNorms, stored.codeNorms).map { $1 > 0 ? $0 / $1 : 1 } : nil
    progress("loading the models")
    let modelPath = try files.model ?? ModelFiles.locate(pair.model?.path ?? "", besides: folder)
    let adapterPath = files.adapter ?? pair.adapter.map { resolve($0.path) }
    let basePath = try files.baseModel ?? pair.baseModel.map { try ModelFiles.locate($0.path, besides: folder) }
    let engine = try Engine(model: modelPath, adapter: adapterPath, base: basePath, precision: precision)
    let configuration = engine.model.configuration
    for (what, wanted, found) in [
      ("width of the model", pair.dModel, configuration.dModel),
      // A store that names no model knows only how large its tokens' numbers are.
      (
        "vocabulary", pair.model == nil ? max(pair.vocabSize, configuration.vocabSize) : pair.vocabSize,
        configuration.vocabSize
      ),
      ("width of the crosscoder", pair.dModel, crosscoder.dModel),
      ("number of latents", pair.nLatents, crosscoder.nLatents),
    ] where wanted != found {
      throw CommandError.mismatch(store: store.path, what: what, expected: "\(wanted)", found: "\(found)")
    }
    let trained = crosscoder.card
    if let layer = trained.layer, layer != pair.layer {
      throw CommandError.mismatch(
        store: store.path, what: "layer of the crosscoder", expected: "\(pair.layer)", found: "\(layer)")
    }
    for (what, wanted, found) in [
      ("model of the crosscoder", pair.model?.sha256, trained.modelHash),
      ("adapter of the crosscoder", pair.adapter?.sha256, trained.adapterHash),
      ("base model of the crosscoder", pair.baseModel?.sha256, trained.baseModelHash),
    ] {
      guard let wanted, let found, wanted != found else { continue }
      throw CommandError.mismatch(
        store: store.path, what: what, expected: "SHA-256 \(wanted.prefix(12))…", found: "\(found.prefix(12))…")
    }
    progress("checking the models")
    let modelHash = try check(modelPath, is: pair.model?.sha256, store: store, what: "model")
    let baseHash = try basePath.map { try check($0, is: pair.baseModel?.sha256, store: store, what: "base model") }
    if let recorded = pair.adapter?.sha256, recorded != engine.adapter?.sha256 {
      throw CommandError.mismatch(
        store: store.path, what: "adapter", expected: "SHA-256 \(recorded.prefix(12))…",
        found: engine.adapter.map { "\($0.sha256.prefix(12))…" } ?? "none")
    }
    return SteeringContext(
      pair: pair, engine: engine, crosscoder: crosscoder, unit: unit, crosscoderHash: crosscoderHash,
      modelHash: modelHash, baseHash: baseHash)
  }

  /// What decides the bits of a run beside its parameters: a run with the same has the same tokens. The number of
  /// threads decides nothing; it is recorded with the rest.
  var versions: [String: String] {
    var versions = [
      "program": "crosscope \(Crosscope.configuration.version)", "model": modelHash,
      "crosscoder": crosscoderHash, "precision": engine.model.precision.rawValue,
      "kernels": Compute.kernelLevel, "threads": "\(Compute.threads)",
    ]
    if let adapter = engine.adapter { versions["adapter"] = adapter.sha256 }
    if let baseHash { versions["base_model"] = baseHash }
    return versions
  }

  /// What can be done where base is missing.
  static let withoutBase = "; or use the mode add or project, which need the chat model alone"

  /// Makes sure that base is there for what needs its residual stream.
  /// - Parameter otherwise: what to do without base, ending the error's line.
  /// - Throws: `CommandError.notSaid` where one model is all there is.
  func requireBase(store: Store, otherwise: String = "") throws(CommandError) {
    guard engine.adapter == nil, engine.baseModel === engine.model else { return }
    throw .notSaid(
      source: store.path, what: "what base is (it names one model)",
      remedy: "give --base-model or --adapter" + otherwise)
  }

  /// The file's SHA-256, which is the recorded one where there is one.
  @discardableResult
  private static func check(_ path: String, is recorded: String?, store: Store, what: String) throws -> String {
    let found = try RememberedHash.sha256(path: path)
    guard let recorded, found != recorded else { return found }
    throw CommandError.mismatch(
      store: store.path, what: "\(what) \(path)", expected: "SHA-256 \(recorded.prefix(12))…",
      found: "\(found.prefix(12))…")
  }
}
