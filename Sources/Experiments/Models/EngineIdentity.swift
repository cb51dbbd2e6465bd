// Names the files that answer. Both sides of an exchange with a service must have the same files, since a latent's number has
// no meaning for another crosscoder.

import Storage

/// The files behind a service or a store.
package struct EngineIdentity: Codable, Equatable, Sendable {
  package var layer: Int
  package var n_latents: Int
  package var model_sha256: String?
  package var adapter_sha256: String?
  package var base_model_sha256: String?
  package var crosscoder_sha256: String?

  package init(_ pair: ModelPair) {
    (layer, n_latents, model_sha256) = (pair.layer, pair.nLatents, pair.model?.sha256)
    (adapter_sha256, base_model_sha256) = (pair.adapter?.sha256, pair.baseModel?.sha256)
    crosscoder_sha256 = pair.crosscoder?.sha256
  }

  /// A description of how it differs from another identity; nil if it does not.
  package func difference(from other: EngineIdentity) -> String? {
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
