// Training of a BatchTopK crosscoder: of a batch's B·F scaled activations f_j·n_j the k·B largest are kept.
//   loss = mean over tokens and models of ‖h − ĥ‖₂  +  α · Σ‖e − ê_dead‖² / Σ‖e − ē‖²     (e = h − ĥ, not
//   differentiated)
// where ê_dead reconstructs the residual by the d/2 most active latents that have been silent for long. Gradients by
// hand: BatchTopK+Forward, +Backward and +Auxiliary. Selection and norms n_j take no gradient. Refuses: settings out of
// range, values that are not finite.
// Shape letters: B tokens of a batch, F latents, d width of one model. Source: arXiv 2504.02922, section 2, and the
// authors' crosscoder.py.

import Inference
import Kernels

/// Trains one BatchTopK crosscoder, a batch at a time. Deterministic: the same seed and batches give the same bits on
/// one machine.
///
/// Not for sharing between threads; it uses all of them itself.
public final class BatchTopKTrainer {
  /// What a run is made of; defaults are the paper's where they do not depend on the size.
  public struct Configuration: Codable, Sendable, Equatable {
    /// Width d of one model's residual stream.
    public var dModel: Int
    /// Number of latents F.
    public var nLatents: Int
    /// Latents kept a token, on average over the batch.
    public var k: Int
    /// k at the beginning, going down linearly to `k` over `kAnnealingSteps`; with 0 steps it is `k` at once.
    public var kInitial: Int?
    public var kAnnealingSteps = 0
    /// Steps of the whole run.
    public var steps: Int
    public var learningRate = 1e-4
    /// The learning rate rises linearly over the first steps …
    public var warmupSteps = 1000
    /// … and falls linearly to 0 from this step to the last; nil for never.
    public var decayStart: Int?
    /// α, the weight of the auxiliary loss.
    public var auxiliaryWeight = 1.0 / 32
    /// How many dead latents reconstruct the residual; nil for d/2.
    public var auxiliaryLatents: Int?
    /// A latent is dead when it has been silent for so many tokens (10 M in the paper, for 100 M of training).
    public var deadAfterTokens = 10_000_000
    /// The threshold's moving average: its decay, and the last step without one.
    public var thresholdDecay = 0.999
    public var thresholdStart = 1000
    /// The mean of ‖h − ĥ‖² instead of ‖h − ĥ‖, as the paper writes it.
    public var squaredLoss = false
    /// Largest gradient norm.
    public var gradientClip = 1.0
    /// Norm of every encoder and decoder row of each model at the beginning.
    public var normInitScale = 1.0
    /// Whether activations are centred and scaled by one factor before training (`ActivationMoments.normaliser`).
    public var normalisesInput = true
    /// The root mean square of normalised input, both models together.
    public var targetRMS: Float = 1
    public var seed: UInt64 = 0

    /// A run over `steps` batches.
    public init(dModel: Int, nLatents: Int, k: Int, steps: Int) {
      (self.dModel, self.nLatents, self.k, self.steps) = (dModel, nLatents, k, steps)
    }
  }

  /// What one step says of itself. Reconstruction losses are in the space of the (normalised) input.
  public struct Losses: Sendable, Equatable {
    /// The step, counted from 0.
    public var step = 0
    /// reconstruction + α·auxiliary, what is minimised.
    public var total = 0.0
    /// Mean over tokens of ‖h − ĥ‖ (or its square), for each model; the loss takes the mean of both.
    public var reconstructionBase = 0.0
    public var reconstructionChat = 0.0
    /// The auxiliary loss before its weight; 0 without dead latents.
    public var auxiliary = 0.0
    /// Fraction of the variance explained: 1 − Σ‖h − ĥ‖² / Σ‖h − h̄‖² over the batch.
    public var fveBase = 0.0
    public var fveChat = 0.0
    /// Latents on, a token.
    public var l0 = 0.0
    /// Latents silent for longer than the bound.
    public var dead = 0
    /// The gradient's norm before clipping.
    public var gradientNorm = 0.0
    /// θ after this step; −1 while not set.
    public var threshold: Float = -1
    public var learningRate = 0.0
  }

  /// The run's settings.
  public let configuration: Configuration
  /// Steps done.
  public internal(set) var step = 0
  /// θ; −1 while not set.
  public internal(set) var threshold: Float = -1
  /// The input normaliser; nil before the first step or without one.
  public internal(set) var normaliser: InputNormaliser?

  let width: Int
  let encoder: ParameterBlock
  let encoderBias: ParameterBlock
  let decoder: ParameterBlock
  let decoderBias: ParameterBlock
  /// n_j of the present decoder.
  let codeNorms: FloatStorage
  /// Tokens since each latent was last on.
  var tokensSinceFired: [Int]
  /// Whether a latent's rows have a gradient in this step.
  var hasGradient: [Bool]
  /// The smallest scaled activation kept last time: where this batch's candidates are looked for first.
  var lastKept: Float = 0
  var scratch: BatchScratch

  /// A trainer before its first step.
  /// - Parameter normaliser: made from more data than the first batch; nil to take the first batch, if the
  ///   configuration asks for one.
  /// - Throws: `DiffingError.settingInvalid`.
  public init(configuration: Configuration, normaliser: InputNormaliser? = nil) throws(DiffingError) {
    try configuration.check()
    let (F, d) = (configuration.nLatents, configuration.dModel)
    self.configuration = configuration
    self.normaliser = normaliser
    width = 2 * d
    var generator = SplitMix64(seed: configuration.seed)
    let rows = Self.initialRows(F: F, d: d, norm: configuration.normInitScale, using: &generator)
    encoder = ParameterBlock(rows)
    decoder = ParameterBlock(rows)
    encoderBias = ParameterBlock([Float](repeating: 0, count: F))
    decoderBias = ParameterBlock([Float](repeating: 0, count: 2 * d))
    codeNorms = FloatStorage(count: F)
    tokensSinceFired = [Int](repeating: 0, count: F)
    hasGradient = [Bool](repeating: false, count: F)
    scratch = BatchScratch(tokens: 0, width: 2 * d, nLatents: F)
    updateCodeNorms(0..<F)
  }

  /// Trains on one batch of `[B, 2, d]` raw activations. The number of tokens may vary from batch to batch.
  /// - Throws: `DiffingError.shapeMismatch`, or `.trainingNotFinite` with the parameters as they were before.
  public func step(_ batch: PairedActivations) throws(DiffingError) -> Losses {
    var losses = try computeGradients(batch)
    try update(&losses)
    return losses
  }

  /// The crosscoder as trained so far, with its normaliser; `foldingNormaliser()` moves that into the weights.
  public func crosscoder(card: CrosscoderCard = CrosscoderCard()) -> Crosscoder {
    Crosscoder(
      encoder: Matrix(rows: configuration.nLatents, columns: width, values: encoder.values.array),
      encoderBias: encoderBias.values.array,
      decoder: Matrix(rows: configuration.nLatents, columns: width, values: decoder.values.array),
      decoderBias: decoderBias.values.array, codeNormalization: .crosscoder, k: configuration.k, threshold: threshold,
      normaliser: normaliser, card: card)
  }

  /// k at a step.
  func k(at step: Int) -> Int {
    let c = configuration
    guard c.kAnnealingSteps > 0, step < c.kAnnealingSteps, let first = c.kInitial else { return c.k }
    let progress = Double(step) / Double(c.kAnnealingSteps)
    return max(1, Int((Double(first) - Double(first - c.k) * progress).rounded()))
  }

  /// The learning rate at a step, counted from 0: linear warm-up, constant, linear decay.
  func learningRate(at step: Int) -> Double {
    let c = configuration
    if step < c.warmupSteps { return c.learningRate * Double(step) / Double(c.warmupSteps) }
    guard let start = c.decayStart, step >= start, c.steps > start else { return c.learningRate }
    return c.learningRate * max(0, Double(c.steps - step) / Double(c.steps - start))
  }

  /// Random directions of one norm, the same for both models.
  private static func initialRows(F: Int, d: Int, norm: Double, using generator: inout SplitMix64) -> [Float] {
    var rows = [Float](repeating: 0, count: F * 2 * d)
    for latent in 0..<F {
      var square = 0.0
      let row = (0..<d).map { _ in
        let value = 2 * generator.uniform() - 1
        square += value * value
        return value
      }
      let scale = norm / max(square.squareRoot(), .leastNormalMagnitude)
      for index in 0..<d {
        rows[latent * 2 * d + index] = Float(row[index] * scale)
        rows[(latent * 2 + 1) * d + index] = Float(row[index] * scale)
      }
    }
    return rows
  }
}

extension BatchTopKTrainer.Configuration {
  /// Throws `DiffingError.settingInvalid` for the first setting out of range.
  func check() throws(DiffingError) {
    func require(_ holds: Bool, _ name: String, _ expected: String, _ found: Any) throws(DiffingError) {
      guard holds else { throw .settingInvalid(name: name, expected: expected, found: "\(found)") }
    }
    try require(dModel > 0, "dModel", "at least 1", dModel)
    try require(nLatents > 0, "nLatents", "at least 1", nLatents)
    try require(k > 0 && k <= nLatents, "k", "1 to nLatents", k)
    try require(kInitial.map { $0 > 0 && $0 <= nLatents } ?? true, "kInitial", "1 to nLatents", kInitial ?? 0)
    try require(kAnnealingSteps >= 0, "kAnnealingSteps", "at least 0", kAnnealingSteps)
    try require(steps > 0, "steps", "at least 1", steps)
    try require(learningRate > 0 && learningRate.isFinite, "learningRate", "positive", learningRate)
    try require(warmupSteps >= 0, "warmupSteps", "at least 0", warmupSteps)
    try require(auxiliaryWeight >= 0 && auxiliaryWeight.isFinite, "auxiliaryWeight", "at least 0", auxiliaryWeight)
    try require(auxiliaryLatents.map { $0 > 0 } ?? true, "auxiliaryLatents", "at least 1", auxiliaryLatents ?? 0)
    try require(deadAfterTokens > 0, "deadAfterTokens", "at least 1", deadAfterTokens)
    try require((0..<1).contains(thresholdDecay), "thresholdDecay", "0 to below 1", thresholdDecay)
    try require(gradientClip > 0, "gradientClip", "positive", gradientClip)
    try require(normInitScale > 0 && normInitScale.isFinite, "normInitScale", "positive", normInitScale)
    try require(targetRMS > 0 && targetRMS.isFinite, "targetRMS", "positive", targetRMS)
  }
}
