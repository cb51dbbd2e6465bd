// One run's parameters, and what every method does with a batch before and after its own part. A run holds encoder,
// decoder and biases with their Adam moments, the input normaliser, the counts of silence, and the batch's input,
// residual and gradient. +Batch prepares and measures, +Update clips and steps, +State is the file.
// Shape letters: B tokens of a batch, F latents, d width of one model, M models. Source: arXiv 2504.02922, section 2,
// and the authors' crosscoder.py.

import Inference
import Kernels

/// The state that all trainers share.
public final class TrainingRun {
  /// The number of tokens in a piece of token-wise work.
  static let tokenPiece = 64
  /// The number of tokens in a piece of the encoder product.
  static let encodePiece = 512
  /// The number of latents in a piece of latent-wise work.
  static let latentPiece = 64

  public let settings: TrainingSettings
  /// The number of steps done.
  public internal(set) var step = 0
  /// The input normaliser; nil before the first step, or if the run has none.
  public internal(set) var normaliser: InputNormaliser?
  /// For each latent, the number of tokens since it was last on.
  var tokensSinceFired: [Int]

  /// `[F, M·d]`: row j reads latent j from base's d values, then chat's.
  let encoder: ParameterBlock
  let encoderBias: ParameterBlock
  /// `[F, M·d]`: row j is d_j^base, then d_j^chat.
  let decoder: ParameterBlock
  let decoderBias: ParameterBlock
  /// n_j of the present decoder.
  let codeNorms: FloatStorage
  /// ‖d_j^m‖ of the present decoder, for each model.
  let modelNorms: [FloatStorage]
  /// Whether a latent's rows have a gradient in this step.
  var hasGradient: [Bool]
  /// How many nested parts of the dictionary reconstruct (`BatchTopK+Levels`); 1 if only the whole one does.
  let nLevels: Int

  /// The normalised input x, `[B, M·d]`.
  private(set) var input = FloatStorage(count: 0)
  /// e = x − x̂, `[B, M·d]`.
  private(set) var residual = FloatStorage(count: 0)
  /// g = ∂L/∂x̂, `[levels, B, M·d]`: at level l the sum over the reconstructions of which a latent of level l is part.
  private(set) var gradient = FloatStorage(count: 0)
  /// W_enc x, `[B, F]`, without bias.
  private(set) var product = FloatStorage(count: 0)
  /// B, the number of tokens of the present batch.
  private(set) var tokens = 0

  /// A run before its first step.
  /// - Throws: `DiffingError.settingInvalid`.
  init(settings: TrainingSettings, normaliser: InputNormaliser?, nLevels: Int = 1) throws(DiffingError) {
    try settings.check()
    precondition(normaliser.map { $0.mean.count == settings.width } ?? true, "the normaliser has another width")
    let F = settings.nLatents
    self.settings = settings
    self.normaliser = normaliser
    self.nLevels = nLevels
    var generator = SplitMix64(seed: settings.seed)
    let rows = Self.initialRows(settings, using: &generator)
    encoder = ParameterBlock(rows)
    decoder = ParameterBlock(rows)
    encoderBias = ParameterBlock([Float](repeating: 0, count: F))
    decoderBias = ParameterBlock([Float](repeating: 0, count: settings.width))
    codeNorms = FloatStorage(count: F)
    modelNorms = (0..<settings.nModels).map { _ in FloatStorage(count: F) }
    tokensSinceFired = [Int](repeating: 0, count: F)
    hasGradient = [Bool](repeating: false, count: F)
    updateNorms(0..<F)
  }

  /// Makes room for a batch of `tokens`; the memory is kept from step to step.
  func makeRoom(tokens: Int) {
    guard self.tokens != tokens else { return }
    self.tokens = tokens
    input = FloatStorage(count: tokens * settings.width)
    residual = FloatStorage(count: tokens * settings.width)
    gradient = FloatStorage(count: nLevels * tokens * settings.width)
    product = FloatStorage(count: tokens * settings.nLatents)
  }

  /// Updates ‖d_j^m‖ and n_j of some latents from the present decoder.
  func updateNorms(_ latents: Range<Int>) {
    let (d, M) = (settings.dModel, settings.nModels)
    for latent in latents {
      let row = decoder.values.start + latent * settings.width
      let base = squareSum(row, count: d).squareRoot()
      let chat = M == 2 ? squareSum(row + d, count: d).squareRoot() : 0
      codeNorms.start[latent] = Float(settings.codeNormalization.norm(base: base, chat: chat))
      modelNorms[0].start[latent] = Float(base)
      if M == 2 { modelNorms[1].start[latent] = Float(chat) }
    }
  }

  /// Random directions with one norm, the same for all models; the decoder begins as the encoder's transpose.
  private static func initialRows(_ settings: TrainingSettings, using generator: inout SplitMix64) -> [Float] {
    let (d, M) = (settings.dModel, settings.nModels)
    var rows: [Float] = []
    rows.reserveCapacity(settings.nLatents * M * d)
    for _ in 0..<settings.nLatents {
      var square = 0.0
      let row = (0..<d).map { _ in
        let value = 2 * generator.uniform() - 1
        square += value * value
        return value
      }
      let scale = settings.normInitScale / max(square.squareRoot(), .leastNormalMagnitude)
      for _ in 0..<M { rows += row.map { Float($0 * scale) } }
    }
    return rows
  }
}
