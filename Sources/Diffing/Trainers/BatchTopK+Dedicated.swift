// Dedicated latents: a share of the dictionary belongs to one model from the first step on, and the other model's rows of
// these latents, in encoder and decoder, are 0 for good.
//   f_j = ReLU(⟨w_j^m, h^m⟩ + b_j),  d_j^m′ = 0 for the other model m′
// What only one model has then finds a place although it is rare: a latent of both models would have to lose its other
// direction first. The price is that a latent may be dedicated to what both models have; Latent Scaling tells
// (`LatentScaling`). The mask acts on the gradients: a row that begins as 0 and never gets a gradient stays 0, with Adam,
// too. Selection, levels and the auxiliary loss are as without it.
// Shape letters: F latents, d width of one model. Source: arXiv 2602.11729.

import Inference

/// How many latents belong to one model: base's come right before chat's, which are the dictionary's last.
public struct DedicatedLatents: Codable, Sendable, Equatable {
  public var base: Int
  public var chat: Int

  public init(base: Int, chat: Int) { (self.base, self.chat) = (base, chat) }

  /// The same share of the dictionary for each model, rounded to whole latents, at least one.
  public init(share: Double, of nLatents: Int) {
    let count = max(1, Int((share * Double(nLatents)).rounded()))
    self.init(base: count, chat: count)
  }

  /// The latents of one model in a dictionary of F.
  public func latents(of model: PairModel, nLatents F: Int) -> Range<Int> {
    model == .chat ? F - chat..<F : F - chat - base..<F - chat
  }

  /// Whether both parts fit into the dictionary.
  public func fit(into nLatents: Int) -> Bool { base >= 0 && chat >= 0 && base + chat <= nLatents }
}

extension BatchTopKTrainer.Configuration {
  /// Throws `DiffingError.settingInvalid` unless the dedicated latents fit and there are two models.
  func checkDedicated() throws(DiffingError) {
    guard let dedicated else { return }
    try requireSetting(settings.nModels == 2, "dedicated", "nothing in a dictionary of one model", dedicated)
    try requireSetting(
      dedicated.fit(into: settings.nLatents), "dedicated", "at most nLatents, \(settings.nLatents), together", dedicated
    )
  }
}

extension BatchTopKTrainer {
  /// Sets the rows of the other model to 0, in parameters before the first step and in the gradients of every step.
  func mask(_ part: (ParameterBlock) -> FloatStorage) {
    guard let dedicated = configuration.dedicated else { return }
    let (F, d, width) = (run.settings.nLatents, run.settings.dModel, run.settings.width)
    for model in PairModel.allCases {
      let other = (1 - model.index) * d
      for latent in dedicated.latents(of: model, nLatents: F) {
        for block in [run.encoder, run.decoder] {
          (part(block).start + latent * width + other).update(repeating: 0, count: d)
        }
      }
    }
  }
}
