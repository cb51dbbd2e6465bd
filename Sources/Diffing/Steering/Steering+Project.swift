// Mode project: h −= α · ⟨h − mean, u_j⟩ u_j with u_j = d_j/‖d_j‖, never out of raw h: the residual stream's large mean
// and few huge dimensions make that destroy any model, random directions included.
// Several directions that are not orthogonal: w_j, the dual of u_j (⟨u_k, w_j⟩ = 1 if k = j, else 0), is moved along
// instead of u_j, so that each component shrinks by its own α whatever the others do, in any order.
// Owns: where the mean comes from, the duals. Refuses: a mean of 0, directions that are (nearly) one line.

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
      name: "the mean that mode project leaves in place",
      expected: "in the crosscoder (activation_mean, or a decoder bias other than 0)", found: "there; use mode ablate")
  }
}

/// A component of h − mean, and what is added for each unit of it.
struct ProjectionTerm {
  private let unit: [Float]
  private let offset: Double  // ⟨mean, u⟩
  /// −α w.
  let vector: [Float]

  init(unit: [Float], mean: [Float], vector: [Float]) {
    (self.unit, self.vector) = (unit, vector)
    offset = zip(unit, mean).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  /// ⟨h − mean, u⟩.
  func coefficient(_ h: UnsafePointer<Float>) -> Float { Float(dotInDouble(unit, h, count: unit.count) - offset) }
}

extension Crosscoder {
  /// The terms of a plan's latents in mode project.
  /// - Throws: `DiffingError.settingInvalid`, `.notFinite`.
  func projectionTerms(_ items: [Intervention], decoder: PairModel) throws(DiffingError) -> [ProjectionTerm] {
    guard !items.isEmpty else { return [] }
    // The stream is chat's whichever decoder the directions are from.
    let mean = try residualMean(.chat).values
    var units: [[Double]] = []
    for item in items { units.append(try direction(item.latent, decoder).vector.map(Double.init)) }
    let present = items.indices.filter { !items[$0].isIdle }
    var terms: [ProjectionTerm] = []
    for index in present {
      let others = present.filter { $0 != index }.map { units[$0] }
      guard let dual = Self.dual(of: units[index], to: others) else {
        throw .settingInvalid(
          name: "latent \(items[index].latent) in mode project",
          expected: "a direction of its own, not (nearly) the line of the others", found: "one that they take out")
      }
      let strength = items[index].strength
      terms.append(
        ProjectionTerm(
          unit: units[index].map(Float.init), mean: mean, vector: dual.map { Float(-strength * $0) }))
    }
    return terms
  }

  /// The vector w of the span of all with ⟨u, w⟩ = 1 and ⟨v, w⟩ = 0 for the others; nil if u is (nearly) in their span.
  private static func dual(of u: [Double], to others: [[Double]]) -> [Double]? {
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    var basis: [[Double]] = []
    func remainder(_ vector: [Double]) -> [Double] {
      var rest = vector
      // Twice is enough (Kahan, Parlett).
      for _ in 0..<2 {
        for axis in basis {
          let part = dot(rest, axis)
          for i in rest.indices { rest[i] -= part * axis[i] }
        }
      }
      return rest
    }
    for other in others {
      let rest = remainder(other)
      let norm = dot(rest, rest).squareRoot()
      if norm > 1e-6 { basis.append(rest.map { $0 / norm }) }
    }
    let rest = remainder(u)
    let overlap = dot(rest, u)
    return overlap > 1e-4 ? rest.map { $0 / overlap } : nil
  }
}
