// What the streams of all paths that the explorer uses have in common: the first event names the files that answer.

import Storage

/// An event of a streamed answer; of its fields one is there.
protocol ExchangeEvent: Codable, Sendable {
  /// The first event: what answers.
  var began: EngineIdentity? { get }
  init(began: EngineIdentity)
}

/// The files behind a service or a store, which must be the same on both sides of the wire.
struct EngineIdentity: Codable, Equatable {
  var layer: Int
  var n_latents: Int
  var model_sha256: String?
  var adapter_sha256: String?
  var base_model_sha256: String?
  var crosscoder_sha256: String?
}

extension EngineIdentity {
  init(_ pair: ModelPair) {
    self.init(
      layer: pair.layer, n_latents: pair.nLatents, model_sha256: pair.model?.sha256,
      adapter_sha256: pair.adapter?.sha256, base_model_sha256: pair.baseModel?.sha256,
      crosscoder_sha256: pair.crosscoder?.sha256)
  }

  /// What differs from another one, in words; nil where nothing does.
  func difference(from other: EngineIdentity) -> String? {
    let parts: [(String, Bool)] = [
      ("layer", layer == other.layer), ("number of latents", n_latents == other.n_latents),
      ("model", model_sha256 == other.model_sha256), ("adapter", adapter_sha256 == other.adapter_sha256),
      ("base model", base_model_sha256 == other.base_model_sha256),
      ("crosscoder", crosscoder_sha256 == other.crosscoder_sha256),
    ]
    let names = parts.filter { !$0.1 }.map(\.0)
    return names.isEmpty ? nil : names.joined(separator: ", ")
  }
}

/// How far something is.
struct ExchangeProgress: Codable, Sendable {
  var done: Int
  var of: Int
}
