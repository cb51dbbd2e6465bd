// What a latent's two decoder directions say: relative norm difference, cosine, class.
// Δ_j = ½ ((‖d_j^chat‖ − ‖d_j^base‖) / max(‖d_j^chat‖, ‖d_j^base‖) + 1): 1 is chat only, 0 is base only.
// The authors' published column `dec_norm_diff` is 1 − Δ. A figure is nil if it needs a direction of length 0.

import Kernels

/// The class of a latent by its relative norm difference.
public enum LatentClass: String, CaseIterable, Codable, Sendable {
  /// Δ is in 0.9–1.
  case chatOnly = "chat-only"
  /// Δ is in 0–0.1.
  case baseOnly = "base-only"
  /// Δ is in 0.4–0.6.
  case shared
  /// Δ is between those ranges, or missing.
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

/// Δ of two norms, in 0...1; nil if both are 0.
func relativeNormDifference(base: Double, chat: Double) -> Double? {
  let larger = max(base, chat)
  return larger > 0 ? 0.5 * ((chat - base) / larger + 1) : nil
}

extension Crosscoder {
  /// Δ `[F]`, in 0...1; nil if both norms are 0, and for a dictionary with one direction a latent.
  public var deltaNorms: [Double?] {
    zip(baseNorms, chatNorms).map { target == .pair ? relativeNormDifference(base: $0, chat: $1) : nil }
  }

  /// The cosine of d_j^base and d_j^chat `[F]`; nil if one of them has length 0.
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
