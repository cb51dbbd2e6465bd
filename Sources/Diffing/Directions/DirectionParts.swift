// Which latents a direction is made of: its cosines with decoder directions, and a sparse sum of them that comes near it,
//   v ≈ Σ_j w_j d_j/‖d_j‖,  w ≥ 0,
// found greedily: the latent whose direction has the largest product with what is left joins, then all weights are fitted
// anew by least squares without negative ones. Random vectors of the same length give the share that says nothing.
// Shape letters: F latents, d width.

import Inference
import Kernels

/// A direction as a sum of latents' decoder directions.
public struct DirectionParts: Sendable, Equatable {
  /// A latent with the length of its part.
  public struct Part: Sendable, Equatable, Codable {
    public let latent: Int
    /// w_j as a share of ‖v‖.
    public let weight: Double
    /// The share of ‖v‖² that is explained by this latent and those before it.
    public let explained: Double
  }

  /// In the order in which they joined.
  public let parts: [Part]
  /// The share of ‖v‖² that the parts explain.
  public let explained: Double

  /// - Parameters:
  ///   - vector: `[d]`, not 0.
  ///   - latents: those that may take part; their directions are not 0.
  ///   - limit: the most parts.
  public init(_ vector: [Float], over latents: [Int], of crosscoder: Crosscoder, limit: Int) {
    let d = vector.count
    precondition(d == crosscoder.dModel, "a direction of the crosscoder's width")
    let whole = vector.reduce(0.0) { $0 + Double($1) * Double($1) }
    var left = vector.map(Double.init)
    var (chosen, units): ([Int], [[Double]]) = ([], [])
    var weights: [Double] = []
    var parts: [(latent: Int, explained: Double)] = []
    while chosen.count < limit {
      guard let next = Self.strongest(left, latents.filter { !chosen.contains($0) }, crosscoder),
        next.product > 1e-6 * whole.squareRoot()
      else { break }
      chosen.append(next.latent)
      let norm = crosscoder.chatNorms[next.latent]
      units.append(crosscoder.decoderDirection(next.latent, .chat).map { Double($0) / norm })
      weights = nonNegativeLeastSquares(units, vector.map(Double.init))
      left = vector.map(Double.init)
      for (weight, unit) in zip(weights, units) { for index in 0..<d { left[index] -= weight * unit[index] } }
      parts.append((next.latent, 1 - left.reduce(0) { $0 + $1 * $1 } / whole))
    }
    explained = parts.last?.explained ?? 0
    let length = whole.squareRoot()
    self.parts = zip(parts, weights).filter { $1 > 0 }.map {
      Part(latent: $0.latent, weight: $1 / length, explained: $0.explained)
    }
  }

  private static func strongest(
    _ left: [Double], _ latents: [Int], _ crosscoder: Crosscoder
  ) -> (latent: Int, product: Double)? {
    let rounded = left.map { Float($0) }
    return latents.lazy.map { latent -> (latent: Int, product: Double) in
      (latent, crosscoder.chatProduct(latent, rounded) / crosscoder.chatNorms[latent])
    }.max { ($0.product, $1.latent) < ($1.product, $0.latent) }
  }

  /// The mean share that as many parts explain of random vectors, whose elements are normally distributed.
  public static func explainedByChance(
    over latents: [Int], of crosscoder: Crosscoder, limit: Int, draws: Int = 4, seed: UInt64 = 0
  ) -> Double {
    var generator = SplitMix64(seed: seed)
    let shares = (0..<draws).map { _ in
      let vector = (0..<crosscoder.dModel).map { _ in Float(generator.normal()) }
      return DirectionParts(vector, over: latents, of: crosscoder, limit: limit).explained
    }
    return shares.reduce(0, +) / Double(max(1, draws))
  }
}

extension Crosscoder {
  /// The cosine of a vector `[d]` with d_j^chat of every latent; 0 where one of the two has length 0.
  public func chatCosines(with vector: [Float]) -> [Double] {
    precondition(vector.count == dModel, "a vector of the crosscoder's width")
    let own = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    return (0..<nLatents).map { latent in
      let length = own * chatNorms[latent]
      return length > 0 ? chatProduct(latent, vector) / length : 0
    }
  }

  /// ⟨d_j^chat, v⟩.
  fileprivate func chatProduct(_ latent: Int, _ vector: [Float]) -> Double {
    decoderDirection(latent, .chat).withUnsafeBufferPointer { row in
      vector.withUnsafeBufferPointer { vector in
        row.baseAddress.flatMap { row in vector.baseAddress.map { dotInDouble(row, $0, count: vector.count) } } ?? 0
      }
    }
  }
}

/// The weights w ≥ 0 that make Σ w_j u_j nearest to v, by coordinate descent on the Gram matrix.
/// - Parameter units: unit vectors.
func nonNegativeLeastSquares(_ units: [[Double]], _ v: [Double]) -> [Double] {
  func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
  let n = units.count
  let gram = units.map { row in units.map { product(row, $0) } }
  let target = units.map { product($0, v) }
  let scale = target.map(abs).max() ?? 0
  var weights = [Double](repeating: 0, count: n)
  for _ in 0..<100_000 {
    var largest = 0.0
    for j in 0..<n {
      var gradient = target[j]
      for k in 0..<n { gradient -= gram[j][k] * weights[k] }
      let next = max(0, weights[j] + gradient / gram[j][j])
      largest = max(largest, abs(next - weights[j]))
      weights[j] = next
    }
    if largest <= 1e-12 * scale { break }
  }
  return weights
}
