// The modes that read a latent's code f_j, as terms h += (constant + slope · f) · vector:
//   difference  + α f_j (d_j^chat − d_j^base)
//   ablate      − α f_j d_j
//   clamp       (v − f_j) d_j,  v = α · a_max,j / n_j: a_max is scaled, f and v are not
// For DECOUPLED codes, each model's direction goes with that model's selection: f counts as 0 in a model in which the
// latent is off; n_j is the scale of a latent that is on in both. Mode difference uses both decoders, so no decoder can
// be chosen for it.

import Inference
import Kernels

/// A change of the residual stream that depends on one latent's code.
struct CodeTerm {
  let reader: LatentReader
  /// f counts where the latent is on in at least one of these models.
  let models: PairModels
  var constant = 0.0
  let slope: Double
  /// `[d]`.
  let vector: [Float]

  /// The factor by which the vector is multiplied at a token.
  func coefficient(base: UnsafePointer<Float>?, chat: UnsafePointer<Float>) -> Float {
    let code = reader.code(base: base, chat: chat)
    return Float(constant + slope * (code.models.isDisjoint(with: models) ? 0 : code.f))
  }
}

extension Crosscoder {
  /// The terms of one intervention in a mode that reads codes.
  /// - Parameter maxActivations: a_max of a latent, in scaled units.
  /// - Throws: `DiffingError.settingInvalid`, `.notFinite`.
  func codeTerms(
    _ item: Intervention, decoder: PairModel, maxActivations: (Int) -> Double?
  ) throws(DiffingError) -> [CodeTerm] {
    if item.mode == .difference {
      guard decoder == .chat else {
        throw .settingInvalid(
          name: Setting("decoder of latent \(item.latent) in mode difference", .interventions),
          expected: "chat (the mode uses both decoders)",
          found: decoder.rawValue)
      }
      return try differenceTerms(item)
    }
    _ = try direction(item.latent, decoder)
    let vector = Array(decoderDirection(item.latent, decoder))
    let reader = try LatentReader(item.latent, self)
    guard item.mode == .clamp else {
      return [CodeTerm(reader: reader, models: decoder.set, slope: -item.strength, vector: vector)]
    }
    // A latent that is held at 0 needs no unit.
    let value =
      item.strength == 0
      ? 0 : item.strength * (try largestActivation(item, maxActivations)) / codeNorms[item.latent]
    return [CodeTerm(reader: reader, models: decoder.set, constant: value, slope: -1, vector: vector)]
  }

  private func differenceTerms(_ item: Intervention) throws(DiffingError) -> [CodeTerm] {
    let reader = try LatentReader(item.latent, self)
    let (chat, base) = (decoderDirection(item.latent, .chat), decoderDirection(item.latent, .base))
    guard codeNormalization == .decoupled else {
      let difference = zip(chat, base).map { $0 - $1 }
      return [CodeTerm(reader: reader, models: .both, slope: item.strength, vector: difference)]
    }
    return [
      CodeTerm(reader: reader, models: .chat, slope: item.strength, vector: Array(chat)),
      CodeTerm(reader: reader, models: .base, slope: -item.strength, vector: Array(base)),
    ]
  }
}
