// The settings of every training run, whatever the method: sizes, schedule, clipping, normaliser, seed. `check` names
// the first setting that is out of range. Shape letters: B tokens of a batch, F latents, d width of one model, M
// models.

import Inference

/// What a dictionary reads from each token of a pair.
public enum TrainingTarget: String, Codable, Sendable, CaseIterable {
  /// Both models' residual streams, for a crosscoder.
  case pair
  /// One model's residual stream, for a sparse autoencoder.
  case base, chat
  /// chat − base, for a sparse autoencoder of the difference.
  case difference

  /// M, the number of vectors of width d that are read from a token.
  public var nModels: Int { self == .pair ? 2 : 1 }

  /// The rows on which a run is trained, `[T, M·d]`.
  public func rows(of batch: PairedActivations) -> [Float] {
    let (d, T) = (batch.dModel, batch.tokens)
    if self == .pair { return batch.values }
    return [Float](unsafeUninitializedCapacity: T * d) { rows, count in
      count = T * d
      batch.values.withUnsafeBufferPointer { pairs in
        for token in 0..<T {
          for index in 0..<d {
            let (base, chat) = (pairs[2 * token * d + index], pairs[(2 * token + 1) * d + index])
            rows[token * d + index] = self == .base ? base : self == .chat ? chat : chat - base
          }
        }
      }
    }
  }
}

/// The settings that all methods share. Defaults are the paper's if they do not depend on the size.
public struct TrainingSettings: Codable, Sendable, Equatable {
  /// The width d of one model's residual stream.
  public var dModel: Int
  /// The number of latents F.
  public var nLatents: Int
  /// The number of steps of the whole run.
  public var steps: Int
  /// The number of tokens of a batch, which sets the bound for dead latents. A step may be given another number.
  public var batch: Int
  /// What is read from each token.
  public var target = TrainingTarget.pair
  /// How codes are scaled before they are selected or penalised.
  public var codeNormalization = CodeNormalization.crosscoder
  public var learningRate = 1e-4
  /// The number of first steps over which the learning rate rises linearly.
  public var warmupSteps = 1000
  /// The step from which the learning rate falls linearly to 0 at the last step; nil if it never falls.
  public var decayStart: Int?
  /// Whether the loss is the mean of ‖h − ĥ‖², as the paper writes it, instead of ‖h − ĥ‖.
  public var squaredLoss = false
  /// The largest gradient norm; nil if there is no bound.
  public var gradientClip: Double? = 1
  /// The number of silent tokens after which a latent is dead; nil for a tenth of the run, the paper's 10 M of 100 M.
  public var deadAfterTokens: Int?
  /// The norm of every encoder and decoder row of each model at the beginning.
  public var normInitScale = 1.0
  /// Whether activations are centred and scaled by one factor before training (`ActivationMoments.normaliser`).
  public var normalisesInput = true
  /// The root mean square of normalised input, over all models together.
  public var targetRMS: Float = 1
  public var seed: UInt64 = 0

  /// A run over `steps` batches.
  public init(dModel: Int, nLatents: Int, steps: Int, batch: Int = 2048) {
    (self.dModel, self.nLatents, self.steps, self.batch) = (dModel, nLatents, steps, batch)
  }

  /// M.
  public var nModels: Int { target.nModels }
  /// M·d, the width of a row.
  public var width: Int { nModels * dModel }
  /// The number of tokens of silence after which a latent is dead.
  public var deadBound: Int { deadAfterTokens ?? max(1, steps * batch / 10) }

  /// The learning rate at a step, counted from 0: linear warm-up, constant, linear decay.
  public func learningRate(at step: Int) -> Double {
    if step < warmupSteps { return learningRate * Double(step) / Double(warmupSteps) }
    guard let start = decayStart, step >= start, steps > start else { return learningRate }
    return learningRate * max(0, Double(steps - step) / Double(steps - start))
  }

  /// Throws `DiffingError.settingInvalid` for the first setting out of range.
  func check() throws(DiffingError) {
    try requireSetting(dModel > 0, "dModel", "at least 1", dModel)
    try requireSetting(nLatents > 0, "nLatents", "at least 1", nLatents)
    try requireSetting(steps > 0, "steps", "at least 1", steps)
    try requireSetting(batch > 0, "batch", "at least 1", batch)
    try requireSetting(
      nModels == 2 || codeNormalization == .crosscoder, "codeNormalization", "CROSSCODER for one model",
      codeNormalization.name)
    try requireSetting(learningRate > 0 && learningRate.isFinite, "learningRate", "positive", learningRate)
    try requireSetting(warmupSteps >= 0, "warmupSteps", "at least 0", warmupSteps)
    try requireSetting(deadBound > 0, "deadAfterTokens", "at least 1", deadBound)
    try requireSetting(gradientClip.map { $0 > 0 } ?? true, "gradientClip", "positive", gradientClip ?? 0)
    try requireSetting(normInitScale > 0 && normInitScale.isFinite, "normInitScale", "positive", normInitScale)
    try requireSetting(targetRMS > 0 && targetRMS.isFinite, "targetRMS", "positive", targetRMS)
  }
}

/// Throws `DiffingError.settingInvalid` unless the setting holds.
func requireSetting(_ holds: Bool, _ name: Setting, _ expected: String, _ found: Any) throws(DiffingError) {
  guard holds else { throw .settingInvalid(name: name, expected: expected, found: "\(found)") }
}
