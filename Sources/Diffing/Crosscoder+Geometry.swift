// What a latent's two decoder directions say: relative norm difference, cosine, class.
// Δ_j = ½ ((‖d_j^chat‖ − ‖d_j^base‖) / max(‖d_j^chat‖, ‖d_j^base‖) + 1): 1 chat only, 0 base only.
// The authors' published column `dec_norm_diff` is 1 − Δ. Missing (nil) where a direction has no length.

import Kernels

/// What the relative norm difference makes of a latent.
public enum LatentClass: String, CaseIterable, Codable, Sendable {
  /// Δ in 0.9–1.
  case chatOnly = "chat-only"
  /// Δ in 0–0.1.
  case baseOnly = "base-only"
  /// Δ in 0.4–0.6.
  case shared
  /// Δ between those, or missing.
  case other

  /// The class of a relative norm difference.
  public init(deltaNorm: Double?) {
    switch deltaNorm {
    case .some(0.9...1): self = .chatOnly
    case .some(0...0.1): self = .baseOnly
    case .some(0.4...0.6): self = .shared
    default: self = .other
    }
  }
}

/// Δ of two norms, in 0...1; nil where both are 0.
func relativeNormDifference(base: Double, chat: Double) -> Double? {
  let larger = max(base, chat)
  return larger > 0 ? 0.5 * ((chat - base) / larger + 1) : nil
}

extension Crosscoder {
  /// Δ `[F]`, in 0...1; nil where both norms are 0, and for a one-model dictionary.
  public var deltaNorms: [Double?] {
    zip(baseNorms, chatNorms).map { soleModel == nil ? relativeNormDifference(base: $0, chat: $1) : nil }
  }

  /// Cosine of d_j^base and d_j^chat `[F]`; nil where one has no length.
  public var cosines: [Double?] {
    let d = dModel
    return decoder.values.withUnsafeBufferPointer { buffer in
      (0..<nLatents).map { latent in
        let norms = baseNorms[latent] * chatNorms[latent]
        guard norms > 0, let start = buffer.baseAddress.map({ $0 + 2 * latent * d }) else { return nil }
        return min(1, max(-1, dotInDouble(start, start + d, count: d) / norms))
      }
    }
  }

  /// The class of each latent `[F]` by its Δ.
  public var classes: [LatentClass] { deltaNorms.map { LatentClass(deltaNorm: $0) } }
}
