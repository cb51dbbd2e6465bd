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
  private let rule: CodeRule
  private let norms: [Double]  // scaled activation ÷ f of a latent that is on in no model, base, chat, both

  /// - Throws: `DiffingError.codesUndefined` for a dictionary whose latents cannot be read one by one.
  init(_ latent: Int, _ crosscoder: Crosscoder) throws(DiffingError) {
    try crosscoder.requireCodesOfLatents()
    self.latent = latent
    encoder = Array(crosscoder.encoder.row(latent))
    bias = Double(crosscoder.encoderBias[latent])
    rule = crosscoder.codeRule
    let (base, chat, both) = (
      crosscoder.baseNorms[latent], crosscoder.chatNorms[latent], crosscoder.codeNorms[latent]
    )
    norms = [0, base, chat, both]
  }

  /// The code, and the models in which the latent is on with it; the code is 0 if the latent is off.
  /// - Parameter base: nil for a dictionary that reads only chat.
  func code(base: UnsafePointer<Float>?, chat: UnsafePointer<Float>) -> (f: Double, models: PairModels) {
    let d = encoder.count / 2
    let dot = encoder.withUnsafeBufferPointer { row in
      row.baseAddress.map { row in
        (base.map { dotInDouble(row, $0, count: d) } ?? 0) + dotInDouble(row + d, chat, count: d)
      } ?? 0
    }
    return rule.code(dot: dot, bias: bias, latent: latent)
  }

  /// The scaled activation of a code, which thresholds, dashboards and conditions compare.
  func scaled(_ code: (f: Double, models: PairModels)) -> Double { code.f * norms[Int(code.models.rawValue)] }
}
