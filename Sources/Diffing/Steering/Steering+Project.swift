// Mode project: h −= α · ⟨h − mean, u_j⟩ u_j with u_j = d_j/‖d_j‖. The direction is never taken out of raw h: the
// residual stream's large mean and few huge dimensions make that destroy any model, random directions included.
// If several directions are not orthogonal, h moves in their span so that each component shrinks by its own α, whatever
// the others do and in any order (`Projection`). Directions that are (nearly) one line are an error even if conditions
// never let both act.

import Inference
import Kernels

/// The mean of one model's residual stream at the crosscoder's layer, as far as the crosscoder knows it.
public struct ResidualMean: Sendable, Equatable {
  /// Where the mean comes from.
  public enum Source: String, Sendable, Codable {
    /// The mean of the activations on which it was trained, which its input normaliser subtracts.
    case activationMean = "activation_mean"
    /// b_dec, the reconstruction when no latent is on: the part of the mean that latents do not carry.
    case decoderBias = "decoder_bias"
  }
  public let source: Source
  /// `[d]`, in the residual stream's own units.
  public let values: [Float]
}

extension Crosscoder {
  /// The mean of a model's residual stream: the checkpoint's activation mean, else the decoder bias.
  /// - Precondition: there is no input normaliser (`foldingNormaliser`).
  /// - Throws: `DiffingError.settingInvalid` if both are 0, since the mean is then unknown, and for a dictionary of
  ///   chat − base, which knows the mean of the difference alone.
  public func residualMean(_ model: PairModel) throws(DiffingError) -> ResidualMean {
    precondition(normaliser == nil, "fold the normaliser first")
    guard target != .difference else {
      throw .settingInvalid(
        name: Setting("mode project", .interventions),
        expected: "with a dictionary that knows the residual stream's mean",
        found: "one of chat − base; use mode ablate")
    }
    let columns = model.set.columns(dModel: dModel)
    for (source, values) in [(ResidualMean.Source.activationMean, activationMean), (.decoderBias, decoderBias)] {
      guard let values = values?[columns], values.contains(where: { $0 != 0 }) else { continue }
      return ResidualMean(source: source, values: Array(values))
    }
    throw .settingInvalid(
      name: Setting("the residual stream's mean for mode project", .interventions),
      expected: "in the crosscoder (activation_mean, or a decoder bias other than 0)", found: "missing; use mode ablate"
    )
  }
}

/// The change that several latents in mode project make to h, as one map over the latents that act at a token:
///   c_j = ⟨h − mean, u_j⟩,  Δh = −Σ_k b_k u_k  with  G b = α∘c,  G_jk = ⟨u_j, u_k⟩.
/// So ⟨Δh, u_j⟩ = −α_j c_j for each latent that acts; one that does not act has no influence.
struct Projection {
  private let units: [[Float]]
  private let offsets: [Double]  // ⟨mean, u⟩
  private let strengths: [Double]
  private let gram: [Double]  // [n, n]
  /// The latents that acted last, and the factor of their Gram matrix. Conditions mostly stay the same for some tokens.
  private var last: (acting: [Int], factor: Cholesky)?

  /// - Returns: nil if a direction is (nearly) in the span of the others; `dependent` is then its number.
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

  /// Adds to a vector `[d]` the Δh of the latents that act, which are given by number.
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

  /// - Parameter singular: is set to the row at which the matrix is not positive definite.
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
  /// A plan's latents in mode project, then its directions; nil if none changes anything. Only those that change
  /// something are numbered.
  /// - Throws: `DiffingError.settingInvalid`, `.notFinite`.
  func projection(
    _ items: [Intervention], decoder: PairModel, beside directions: [SteeredDirection] = []
  ) throws(DiffingError) -> Projection? {
    guard !items.isEmpty || !directions.isEmpty else { return nil }
    // The stream is chat's, whichever decoder the directions come from.
    let mean = try residualMean(.chat).values
    var units: [[Float]] = []
    for item in items {
      let direction = try direction(item.latent, decoder)
      if !item.isIdle { units.append(direction.vector) }
    }
    units += directions.compactMap(\.known?.vector)
    let acting = items.filter { !$0.isIdle }
    guard !units.isEmpty else { return nil }
    var dependent = 0
    guard
      let projection = Projection(
        units: units, mean: mean, strengths: acting.map(\.strength) + directions.map(\.strength),
        dependent: &dependent)
    else {
      let name =
        dependent < acting.count
        ? "latent \(acting[dependent].latent)" : "direction \(directions[dependent - acting.count].name)"
      throw .settingInvalid(
        name: Setting("\(name) in mode project", dependent < acting.count ? .interventions : .directions),
        expected: "a direction that the others do not (nearly) span", found: "one that they span")
    }
    return projection
  }
}
