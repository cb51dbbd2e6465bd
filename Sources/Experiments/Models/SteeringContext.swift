// The models that belong to a store, loaded and checked against its record: width, vocabulary and SHA-256 of models and adapter
// must agree. The crosscoder is in StoreCrosscoder.

import Diffing
import Foundation
import Inference
import Kernels
import Storage

/// Everything that a steering run on a store needs.
package struct SteeringContext: Sendable {
  package let engine: Engine
  /// The store's crosscoder and the pair that the store records.
  package let stored: StoreCrosscoder
  /// The SHA-256 of the loaded files.
  private let modelHash: String
  private let baseHash: String?

  package var pair: ModelPair { stored.pair }
  package var crosscoder: Crosscoder { stored.crosscoder }

  /// See `StoreCrosscoder.activation(_:of:)`.
  package func activation(_ value: Double?, of latent: Int) -> Double? { stored.activation(value, of: latent) }

  /// See `StoreCrosscoder.maxActivations(of:in:)`.
  package func maxActivations(of latents: [Int], in store: Store) throws -> [Int: Double] {
    try stored.maxActivations(of: latents, in: store)
  }

  /// See `StoreCrosscoder.inStoreUnits(_:of:)`.
  package func inStoreUnits(_ activation: Float, of latent: Int) -> Float {
    stored.inStoreUnits(activation, of: latent)
  }

  /// Converts a plan's conditions from the store's units to the crosscoder's.
  package func inResidualUnits(_ plan: SteeringPlan) -> SteeringPlan {
    func converted(_ conditions: [SteeringCondition]) -> [SteeringCondition] {
      conditions.map {
        SteeringCondition(latent: $0.latent, side: $0.side, value: activation($0.value, of: $0.latent) ?? $0.value)
      }
    }
    var plan = plan
    plan.conditions = converted(plan.conditions)
    for index in plan.interventions.indices {
      plan.interventions[index].conditions = converted(plan.interventions[index].conditions)
    }
    return plan
  }

  /// Loads the models that the store names. `files` gives other paths to the same models, not other models.
  /// - Throws: the modules' own errors, or `InputError.mismatch` naming both sides and the remedy.
  package static func load(
    store: Store, files: ModelLocations = ModelLocations(), precision: Precision = .fast,
    progress: (String) -> Void = { _ in }
  ) throws -> SteeringContext {
    progress("loading the crosscoder")
    let stored = try StoreCrosscoder(store, mayBeMissing: true)
    let (pair, crosscoder) = (stored.pair, stored.crosscoder)
    if files.model == nil, pair.model == nil {
      throw InputError.notSaid(
        source: store.path, what: "which model to steer",
        remedy: """
          give --model with the chat model (\(pair.chat), width \(pair.dModel), at least \(pair.layer + 1) blocks) as a GGUF \
          file or a Hugging Face folder
          """)
    }
    progress("loading the models")
    let modelPath = try files.model ?? ModelFiles.locate(pair.model?.path ?? "", besides: stored.folder)
    let adapterPath = files.adapter ?? pair.adapter.map { stored.resolve($0.path) }
    let basePath = try files.baseModel ?? pair.baseModel.map { try ModelFiles.locate($0.path, besides: stored.folder) }
    let engine = try Engine(model: modelPath, adapter: adapterPath, base: basePath, precision: precision)
    let configuration = engine.model.configuration
    for (what, wanted, found) in [
      ("width of the model", pair.dModel, configuration.dModel),
      // If a store names no model, only the range of its token numbers can be checked.
      (
        "vocabulary", pair.model == nil ? max(pair.vocabSize, configuration.vocabSize) : pair.vocabSize,
        configuration.vocabSize
      ),
      ("width of the crosscoder", pair.dModel, crosscoder.dModel),
      ("number of latents", pair.nLatents, crosscoder.nLatents),
    ] where wanted != found {
      throw InputError.mismatch(store: store.path, what: what, expected: "\(wanted)", found: "\(found)")
    }
    let trained = crosscoder.card
    if let layer = trained.layer, layer != pair.layer {
      throw InputError.mismatch(
        store: store.path, what: "layer of the crosscoder", expected: "\(pair.layer)", found: "\(layer)")
    }
    for (what, wanted, found) in [
      ("model of the crosscoder", pair.model?.sha256, trained.modelHash),
      ("adapter of the crosscoder", pair.adapter?.sha256, trained.adapterHash),
      ("base model of the crosscoder", pair.baseModel?.sha256, trained.baseModelHash),
    ] {
      guard let wanted, let found, wanted != found else { continue }
      throw InputError.mismatch(
        store: store.path, what: what, expected: "SHA-256 \(wanted.prefix(12))…", found: "\(found.prefix(12))…")
    }
    progress("checking the models")
    let (modelHash, baseHash) = try store.check(engine)
    return SteeringContext(engine: engine, stored: stored, modelHash: modelHash, baseHash: baseHash)
  }

  /// Everything beside its parameters that decides the bits of a run; equal versions give equal tokens. Threads and
  /// OpenBLAS's core type only decide last bits, if products are in fp32.
  package var versions: [String: String] {
    var versions = [
      "program": "crosscope \(ProgramVersion.current)", "model": modelHash,
      "precision": engine.model.precision.rawValue,
      "kernels": Compute.kernelLevel, "openblas": Compute.openBLASCoreType, "threads": "\(Compute.threads)",
    ]
    if !stored.sha256.isEmpty { versions["crosscoder"] = stored.sha256 }
    if let adapter = engine.adapter { versions["adapter"] = adapter.sha256 }
    if let baseHash { versions["base_model"] = baseHash }
    return versions
  }

  /// The end of an error's line if base is missing.
  package static let withoutBase = "; or use the mode add or project, which need the chat model alone"

  /// Makes sure that base is there if a plan needs it.
  /// - Throws: `InputError.notSaid` if there is only one model.
  package func requireBase(for plan: SteeringPlan, store: Store) throws(InputError) {
    if plan.amplification.map({ !$0.isIdle }) ?? false {
      try requireBase(store: store)
    } else if plan.needsBase(crosscoder) {
      try requireBase(store: store, otherwise: Self.withoutBase)
    }
  }

  /// Makes sure that base is there if something needs its residual stream.
  /// - Parameter otherwise: what to do without base, which ends the error's line.
  /// - Throws: `InputError.notSaid` if there is only one model.
  package func requireBase(store: Store, otherwise: String = "") throws(InputError) {
    guard !engine.isPair else { return }
    throw .notSaid(
      source: store.path, what: "what base is (it names one model)",
      remedy: "give --base-model or --adapter" + otherwise)
  }
}
