// Parents of a Matryoshka dictionary's latents: which latent of a lower level a later one belongs to, so that what a
// wide level splits can be shown under the coarse latent that holds it whole. A pair's score is
//   cos(d_j^chat, d_p^chat) · P(f_p > 0 | f_j > 0)
// for a latent p of a lower level than j; the parent is the p with the largest score. Both a direction and its firing
// must agree: a latent that merely fires at every token is nobody's parent. Cost: F·candidates counters.
// Shape letters: F latents.

import Inference

/// A latent of a lower level to which another latent belongs.
public struct ParentLatent: Sendable, Equatable {
  public let parent: Int
  /// cos(d_j^chat, d_p^chat).
  public let cosine: Double
  /// P(f_p > 0 | f_j > 0).
  public let coFiring: Double
}

/// Counts, over tokens, how often latents fire together with those of lower levels that resemble them.
public struct ParentSearch: Sendable {
  /// The least cosine and the least share of common firing that make a parent.
  static let bounds = (cosine: 0.2, coFiring: 0.2)
  private let candidates: [[SimilarLatent]]
  private var fired: [Int]
  private var together: [[Int]]
  /// The last token, counted over all codes, at which each latent was on; −1 before the first.
  private var lastToken: [Int]
  private var tokens = 0

  /// - Parameter most: how many latents of lower levels, those with the highest cosine, are looked at for each latent.
  public init(crosscoder: Crosscoder, levels: LatentLevels, most: Int = 8) {
    let F = crosscoder.nLatents
    let rows = crosscoder.decoderRows
    var candidates = [[SimilarLatent]](repeating: [], count: F)
    for level in levels.sizes.indices.dropFirst() {
      let (own, lower) = (Array(levels.latents(of: level)), Array(0..<levels.sizes[level - 1]))
      let cosines = rows.unitDirections(own, .chat).times(rows.unitDirections(lower, .chat), .asStored, .transposed)
      for (place, latent) in own.enumerated() {
        let similar = lower.map { SimilarLatent(latent: $0, cosine: cosines[place, $0]) }
          .filter { Double($0.cosine) >= Self.bounds.cosine }
        candidates[latent] = Array(similar.sorted { ($1.cosine, $0.latent) < ($0.cosine, $1.latent) }.prefix(most))
      }
    }
    self.candidates = candidates
    fired = [Int](repeating: 0, count: F)
    together = candidates.map { [Int](repeating: 0, count: $0.count) }
    lastToken = [Int](repeating: -1, count: F)
  }

  /// Adds the tokens of these codes.
  public mutating func add(codes: SparseCodes) {
    for token in 0..<codes.tokens {
      let now = tokens + token
      for entry in codes.entries(of: token) { lastToken[Int(codes.latents[entry])] = now }
      for entry in codes.entries(of: token) {
        let latent = Int(codes.latents[entry])
        fired[latent] += 1
        for (place, candidate) in candidates[latent].enumerated() where lastToken[candidate.latent] == now {
          together[latent][place] += 1
        }
      }
    }
    tokens += codes.tokens
  }

  /// The parent of each latent `[F]`; nil for latents of the first level and where none fits.
  public var parents: [ParentLatent?] {
    candidates.indices.map { latent in
      let found = zip(candidates[latent], together[latent]).map { candidate, count in
        ParentLatent(
          parent: candidate.latent, cosine: Double(candidate.cosine),
          coFiring: fired[latent] == 0 ? 0 : Double(count) / Double(fired[latent]))
      }
      return found.filter { $0.coFiring >= Self.bounds.coFiring }
        .max { ($0.cosine * $0.coFiring, $1.parent) < ($1.cosine * $1.coFiring, $0.parent) }
    }
  }
}
