// A unit vector with its place and its card: training and import produce it, steering consumes it. A latent whose
// decoder direction has length 0 has none.

import Inference
import Kernels

/// A unit direction in one model's residual stream.
public struct Direction: Sendable, Equatable, Codable {
  /// Where a direction comes from.
  public struct Provenance: Sendable, Equatable, Codable {
    /// The card of the crosscoder.
    public var crosscoder: CrosscoderCard
    /// The number of the latent.
    public var latent: Int
  }

  /// Unit vector, `[d]`.
  public let vector: [Float]
  /// ‖d_j‖ before normalisation, in the units of the residual stream.
  public let norm: Double
  /// The model from whose decoder it is taken.
  public let model: PairModel
  /// The decoder block, counted from 0, at which it applies; nil if the card does not say.
  public let layer: Int?
  /// The site in that block. Crosscoders read the block's output.
  public let site: Site
  public let provenance: Provenance
}

extension Crosscoder {
  /// The decoder direction of a latent as a unit vector, in the residual stream's own units.
  /// - Throws: `DiffingError.notFinite` for a direction of length 0, which has no unit vector.
  public func direction(_ latent: Int, _ model: PairModel) throws(DiffingError) -> Direction {
    precondition((0..<nLatents).contains(latent), "there is no latent \(latent) among \(nLatents)")
    let inverse = normaliser.map { 1 / ($0.scale(model) + 1e-8) } ?? 1
    let norm = model == .base ? baseNorms[latent] : chatNorms[latent]
    guard norm > 0 else {
      throw .notFinite(what: "the unit direction of latent \(latent)", place: "the \(model.rawValue) decoder")
    }
    return Direction(
      vector: decoderDirection(latent, model).map { Float(Double($0) / norm) }, norm: norm * inverse, model: model,
      layer: card.layer, site: .residPost, provenance: .init(crosscoder: card, latent: latent))
  }
}

// A site is stored by its name, as in cards.
extension Site: Codable {}
