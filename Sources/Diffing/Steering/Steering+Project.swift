// Mode project: h −= α · ⟨h − mean, u_j⟩ u_j with u_j = d_j/‖d_j‖, never out of raw h: the residual stream's large mean
// and few huge dimensions make that destroy any model, random directions included.
// Several directions that are not orthogonal: h moves in their span so that each component shrinks by its own α whatever
// the others do, in any order (`Projection`).
// Owns: where the mean comes from, that map. Refuses: a mean of 0, directions that are (nearly) one line, also where
// conditions never let both act.

import Inference
import Kernels

/// The mean of one model's residual stream at the crosscoder's layer, as far as a crosscoder knows it.
public struct ResidualMean: Sendable, Equatable {
  /// Where it comes from.
  public enum Source: String, Sendable, Codable {
    /// The mean of the activations that it was trained on, which its input normaliser subtracts.
    case activationMean = "activation_mean"
    /// b_dec, the reconstruction when no latent is on: what is left of the mean when latents carry the rest.
    case decoderBias = "decoder_bias"
  }
  public let source: Source
  /// `[d]`, in the residual stream's own units.
  public let values: [Float]
}

extension Crosscoder {
  /// The mean of a model's residual stream: the checkpoint's activation mean, else the decoder bias.
  /// - Precondition: no input normaliser (`foldingNormaliser`).
  /// - Throws: `DiffingError.settingInvalid` where both are 0: nothing is known of it.
  public func residualMean(_ model: PairModel) throws(DiffingError) -> ResidualMean {
    precondition(normaliser == nil, "fold the normaliser first")
    let columns = model.set.columns(dModel: dModel)
    for (source, values) in [(ResidualMean.Source.activationMean, activationMean), (.decoderBias, decoderBias)] {
      guard let values = values?[columns], values.contains(where: { $0 != 0 }) else { continue }
      return ResidualMean(source: source, values: Array(values))
    }
    throw .settingInvalid(
      name: Setting("the mean that mode project leaves in place", .interventions),
      expected: "in the crosscoder (activation_mean, or a decoder bias other than 0)", found: "there; use mode ablate")
  }
}

/// What several latents in mode project take out of h, as one map over those that act at a token:
///   c_j = ⟨h − mean, u_j⟩,  Δh = −Σ_k b_k u_k  with  G b = α∘c,  G_jk = ⟨u_j, u_k⟩.
/// So ⟨Δh, u_j⟩ = −α_j c_j for each that acts; one that does not act is as if it were not there.
struct Projection {
  private let units: [[Float]]
  private let offsets: [Double]  // ⟨mean, u⟩
  private let strengths: [Double]
  private let gram: [Double]  // [n, n]
  /// The last set that acted, and the factor of its Gram matrix: conditions mostly stay as they are for some tokens.
  private var last: (acting: [Int], factor: Cholesky)?

  /// - Returns: nil where a direction is (nearly) in the span of the others, with its number in `dependent`.
  fileprivate init?(units: [[Float]], mean: [Float], strengths: [Double], dependent: inout Int) {
    let n = units.count
    var gram = [Double](repeating: 0, count: n * n)
    for row in 0..<n {
      for column in 0...row {
        let value = dotInDouble(units[row], units[column], count: units[row].count)
        (gram[row * n + column], gram[column * n + row]) = (value, value)
      }
    }
    // 1/(G⁻¹)_jj is the squared part of u_j that the others do not span.
    guard let factor = Cholesky(gram, n: n, singular: &dependent) else { return nil }
    let inverse = factor.inverseDiagonal
    if let found = inverse.indices.first(where: { 1 / inverse[$0] <= 1e-4 }) {
      dependent = found
      return nil
    }
    (self.units, self.gram, self.strengths) = (units, gram, strengths)
    offsets = units.map { dotInDouble($0, mean, count: mean.count) }
  }

  /// Adds Δh of those that act, by their numbers, to a vector `[d]`.
  mutating func add(_ acting: [Int], of h: UnsafePointer<Float>, to delta: UnsafeMutablePointer<Float>) {
    guard !acting.isEmpty else { return }
    let n = units.count
    if last?.acting != acting {
      var unused = 0
      let part = acting.flatMap { row in acting.map { gram[row * n + $0] } }
      last = Cholesky(part, n: acting.count, singular: &unused).map { (acting, $0) }
    }
    var moved = acting.map { strengths[$0] * (dotInDouble(units[$0], h, count: units[$0].count) - offsets[$0]) }
    last?.factor.solve(&moved)
    for (index, b) in zip(acting, moved) {
      addScaled(Float(-b), units[index], to: delta, count: units[index].count)
    }
  }
}

/// The factor L of a symmetric positive definite matrix G = L Lᵀ.
private struct Cholesky {
  private let n: Int
  private var lower: [Double]  // [n, n]

  /// - Parameter singular: the row at which a matrix is not positive definite.
  init?(_ matrix: [Double], n: Int, singular: inout Int) {
    (self.n, lower) = (n, matrix)
    for row in 0..<n {
      for column in 0...row {
        var value = lower[row * n + column]
        for k in 0..<column { value -= lower[row * n + k] * lower[column * n + k] }
        guard row == column else {
          lower[row * n + column] = value / lower[column * n + column]
          continue
        }
        guard value > 1e-12 else {
          singular = row
          return nil
        }
        lower[row * n + row] = value.squareRoot()
      }
    }
  }

  /// Solves G x = b in place.
  func solve(_ b: inout [Double]) {
    for row in 0..<n {
      for k in 0..<row { b[row] -= lower[row * n + k] * b[k] }
      b[row] /= lower[row * n + row]
    }
    for row in (0..<n).reversed() {
      for k in row + 1..<n { b[row] -= lower[k * n + row] * b[k] }
      b[row] /= lower[row * n + row]
    }
  }

  /// (G⁻¹)_jj: the squared length of column j of L⁻¹.
  var inverseDiagonal: [Double] {
    (0..<n).map { j in
      var column = [Double](repeating: 0, count: n)
      for row in j..<n {
        var value = row == j ? 1.0 : 0
        for k in j..<row { value -= lower[row * n + k] * column[k] }
        column[row] = value / lower[row * n + row]
      }
      return column.reduce(0) { $0 + $1 * $1 }
    }
  }
}

extension Crosscoder {
  /// A plan's latents in mode project; nil where none changes anything. Numbers are those of the ones that do, in order.
  /// - Throws: `DiffingError.settingInvalid`, `.notFinite`.
  func projection(_ items: [Intervention], decoder: PairModel) throws(DiffingError) -> Projection? {
    guard !items.isEmpty else { return nil }
    // The stream is chat's whichever decoder the directions are from.
    let mean = try residualMean(.chat).values
    var units: [[Float]] = []
    for item in items {
      let direction = try direction(item.latent, decoder)
      if !item.isIdle { units.append(direction.vector) }
    }
    let acting = items.filter { !$0.isIdle }
    guard !acting.isEmpty else { return nil }
    var dependent = 0
    guard
      let projection = Projection(
        units: units, mean: mean, strengths: acting.map(\.strength), dependent: &dependent)
    else {
      throw .settingInvalid(
        name: Setting("latent \(acting[dependent].latent) in mode project", .interventions),
        expected: "a direction of its own, not (nearly) the line of the others", found: "one that they take out")
    }
    return projection
  }
}
