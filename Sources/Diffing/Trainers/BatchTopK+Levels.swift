// Matryoshka BatchTopK: nested parts of the dictionary, the first F_1 < F_2 < … < F_S = F latents, each reconstruct from
// the entries that they share, and the loss is the mean over the parts.
//   x̂_s = b_dec + Σ_{j < F_s} f_j d_j,   L_rec = (1/S) Σ_s L(x̂_s)
//   ∂L/∂f_j = ⟨Σ_{s ≥ level(j)} g_s, d_j⟩,   ∂L/∂d_j = Σ_i f_ij Σ_{s ≥ level(j)} g_s,i
// The first latents must explain a token alone, so they become concepts that are whole, and do not split into
// narrow ones as the dictionary gets wider; the later ones add detail. The selection of the k·B largest and the
// auxiliary loss are those of the whole dictionary. Shape letters: F latents, S levels.
// Source: arXiv 2503.17547 (Bussmann et al.) and dictionary_learning's MatryoshkaBatchTopKTrainer, with equal weights.

import Kernels

extension BatchTopKTrainer.Configuration {
  /// F_1 … F_S; only F if no levels are set.
  var levelSizes: [Int] { levels ?? [settings.nLatents] }

  /// Throws `DiffingError.settingInvalid` unless the sizes ascend to the number of latents.
  func checkLevels() throws(DiffingError) {
    guard let levels else { return }
    try requireSetting(
      LatentLevels(sizes: levels).ascend(to: settings.nLatents), "levels",
      "sizes from 1 up that ascend to nLatents, \(settings.nLatents)", levels)
  }
}

extension BatchTopKTrainer {
  /// Where the gradient that reaches a latent begins, `[B, M·d]`.
  func gradient(of latent: Int) -> UnsafeMutablePointer<Float> {
    run.gradient.start + levels.level(of: latent) * run.tokens * run.settings.width
  }
}

/// The nested parts of a Matryoshka dictionary.
public struct LatentLevels: Sendable, Equatable {
  /// The number of latents of each part, ascending; the last is that of the whole dictionary.
  public let sizes: [Int]

  public init(sizes: [Int]) { self.sizes = sizes }

  /// Whether the sizes ascend from 1 or more to the number of latents of the whole dictionary.
  public func ascend(to latents: Int) -> Bool {
    (sizes.first ?? 0) > 0 && zip(sizes, sizes.dropFirst()).allSatisfy { $0 < $1 } && sizes.last == latents
  }

  /// The latents that a level adds to those before it.
  public func latents(of level: Int) -> Range<Int> { (level == 0 ? 0 : sizes[level - 1])..<sizes[level] }

  /// The level that adds a latent, from 0.
  public func level(of latent: Int) -> Int { sizes.firstIndex { latent < $0 } ?? max(0, sizes.count - 1) }
}
