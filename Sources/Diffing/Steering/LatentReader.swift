// One latent's code at one token, as steering reads it: f = ReLU(⟨w^base, h^base⟩ + ⟨w^chat, h^chat⟩ + b). The
// crosscoder's rule decides in which models the latent is on (DECOUPLED codes have one threshold for each model). The
// latent must exist and the normaliser must be folded.

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

  /// The code, and the models in which the latent is on with it; the code is 0 if the latent is off.
  /// - Parameter base: nil for a dictionary that reads only chat.
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

  /// The scaled activation of a code, which thresholds, dashboards and conditions compare.
  func scaled(_ code: (f: Double, models: PairModels)) -> Double { code.f * norms[Int(code.models.rawValue)] }
}
