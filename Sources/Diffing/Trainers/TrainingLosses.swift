// What a training step says of itself, and what a trainer is to whoever drives it.

/// Figures of one step, before its update. Reconstruction losses are in the space of the (normalised) input.
public struct TrainingLosses: Sendable, Equatable {
  /// The step, counted from 0.
  public var step = 0
  /// What is minimised: the mean of `reconstruction` and the method's other terms with their weights.
  public var total = 0.0
  /// Mean over tokens of ‖h − ĥ‖ (or its square), a number a model: base, chat; or the only one.
  public var reconstruction: [Double] = []
  /// BatchTopK: the auxiliary loss before its weight; 0 without dead latents.
  public var auxiliary = 0.0
  /// L1: Σ_j f_j n_j, averaged over tokens, before its weight.
  public var sparsity = 0.0
  /// Fraction of the variance explained, a number a model: 1 − Σ‖h − ĥ‖² / Σ‖h − h̄‖² over the batch.
  public var fve: [Double] = []
  /// Latents on, a token; of DECOUPLED codes in either model.
  public var l0 = 0.0
  /// Latents silent for longer than the bound.
  public var dead = 0
  /// The gradient's norm before clipping.
  public var gradientNorm = 0.0
  /// BatchTopK: θ after this step, one a selection; −1 while not set.
  public var thresholds: [Float] = []
  public var learningRate = 0.0
}

/// A training run of one method. Deterministic: the same seed and batches give the same bits on one machine.
///
/// Not for sharing between threads; it uses all of them itself.
public protocol Trainer: AnyObject {
  /// What all methods share: settings, parameters, how far the run is.
  var run: TrainingRun { get }

  /// Trains on one batch of `[B, 2, d]` raw activations. The number of tokens may vary from batch to batch.
  /// - Throws: `DiffingError.shapeMismatch`, or `.trainingNotFinite` with the parameters as they were before.
  func step(_ batch: PairedActivations) throws(DiffingError) -> TrainingLosses

  /// Writes all that the next step depends on, atomically: a run killed and resumed from it gives the same bits.
  /// - Throws: `DiffingError.file`; an older state is then untouched.
  func save(state path: String) throws(DiffingError)

  /// The crosscoder as trained so far, with its normaliser; only where the run's target is the pair.
  func crosscoder(card: CrosscoderCard) -> Crosscoder
}
