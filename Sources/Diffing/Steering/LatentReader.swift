// One latent's code at one token, as steering reads it: f = ReLU(⟨w^base, h^base⟩ + ⟨w^chat, h^chat⟩ + b), on in the
// models that the crosscoder's rule says (DECOUPLED codes have a threshold a model).
// Owns: a copy of one encoder row. Refuses: nothing; the latent is known to exist and the normaliser to be folded.

import Inference
import Kernels

/// Reads one latent's code from both models' residual streams.
struct LatentReader {
  let latent: Int
  private let encoder: [Float]  // [2·d], base first
  private let bias: Double
  private let rule: ActivationRule
  private let norms: [Double]  // scaled activation ÷ f of a latent that is on in no model, base, chat, both

  init(_ latent: Int, _ crosscoder: Crosscoder) {
    self.latent = latent
    encoder = Array(crosscoder.encoder.row(latent))
    bias = Double(crosscoder.encoderBias[latent])
    rule = crosscoder.activationRule
    let (base, chat, both) = (
      crosscoder.baseNorms[latent], crosscoder.chatNorms[latent], crosscoder.codeNorms[latent]
    )
    norms = [0, base, chat, both]
  }

  /// The code, and the models where the latent is on with it; 0 where it is off.
  /// - Parameter base: nil for a dictionary that reads chat alone.
  func code(base: UnsafePointer<Float>?, chat: UnsafePointer<Float>) -> (f: Double, models: PairModels) {
    let d = encoder.count / 2
    let f = encoder.withUnsafeBufferPointer { row in
      row.baseAddress.map { row in
        (base.map { dotInDouble(row, $0, count: d) } ?? 0) + dotInDouble(row + d, chat, count: d)
      } ?? 0
    }
    let models = rule.models(f + bias, latent: latent)
    return models.isEmpty ? (0, models) : (f + bias, models)
  }

  /// The scaled activation of a code: what thresholds, dashboards and conditions compare.
  func scaled(_ code: (f: Double, models: PairModels)) -> Double { code.f * norms[Int(code.models.rawValue)] }
}
