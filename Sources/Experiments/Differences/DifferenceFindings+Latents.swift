// Which latents of a crosscoder point the way of a direction.

import Diffing
import Foundation

extension DifferenceDocument {
  /// Names, at every δ of the crosscoder's layer, the latents whose d_chat has the largest cosine with it.
  /// - Parameters:
  ///   - layer: the block after which the crosscoder reads.
  ///   - vector: a direction by its name.
  package mutating func nameLatents(
    of crosscoder: Crosscoder, layer: Int, count: Int = 10, vector: (String) -> [Float]?
  ) {
    for index in lenses.indices where lenses[index].layer == layer {
      guard let delta = vector(lenses[index].name), delta.count == crosscoder.dModel else { continue }
      let cosines = crosscoder.chatCosines(with: delta).enumerated().map { LatentCosine(latent: $0, cosine: $1) }
      lenses[index].latents = Array(
        cosines.sorted { $0.cosine == $1.cosine ? $0.latent < $1.latent : $0.cosine > $1.cosine }.prefix(count))
    }
  }
}
