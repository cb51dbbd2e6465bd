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
    let norms = (0..<crosscoder.nLatents).map { norm(crosscoder.decoderDirection($0, .chat)) }
    for index in lenses.indices where lenses[index].layer == layer {
      guard let delta = vector(lenses[index].name), delta.count == crosscoder.dModel else { continue }
      let own = norm(delta[...])
      let cosines = (0..<crosscoder.nLatents).map { latent -> LatentCosine in
        let product = zip(delta, crosscoder.decoderDirection(latent, .chat)).reduce(0.0) {
          $0 + Double($1.0) * Double($1.1)
        }
        let length = own * norms[latent]
        return LatentCosine(latent: latent, cosine: length > 0 ? product / length : 0)
      }
      lenses[index].latents = Array(
        cosines.sorted { $0.cosine == $1.cosine ? $0.latent < $1.latent : $0.cosine > $1.cosine }.prefix(count))
    }
  }
}

private func norm(_ vector: ArraySlice<Float>) -> Double {
  vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
}
