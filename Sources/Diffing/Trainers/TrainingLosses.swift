// The figures that a training step reports, and the interface of a trainer.

/// The figures of one step before its update. Reconstruction losses are in the space of the (normalised) input.
public struct TrainingLosses: Sendable, Equatable {
  /// The step, counted from 0.
  public var step = 0
  /// The loss that is minimised: `reconstruction`, averaged over models and levels, and the method's other terms with
  /// their weights.
  public var total = 0.0
  /// The mean over tokens of ‖h − ĥ‖ (or its square), for base and chat, or for the only model.
  public var reconstruction: [Double] = []
  /// The same for each nested part of the dictionary, the smallest first; empty if only the whole one reconstructs.
  /// `reconstruction` and `fve` are then the last level's, the whole dictionary's.
  public var levels: [Level] = []
  /// BatchTopK's auxiliary loss before its weight; 0 without dead latents.
  public var auxiliary = 0.0
  /// L1's Σ_j f_j n_j, averaged over tokens, before its weight.
  public var sparsity = 0.0
  /// The fraction of the variance explained, 1 − Σ‖h − ĥ‖² / Σ‖h − h̄‖² over the batch, for each model.
  public var fve: [Double] = []
  /// The mean number of latents that are on at a token; DECOUPLED codes count if they are on in either model.
  public var l0 = 0.0
  /// The number of latents that have been silent for longer than the bound.
  public var dead = 0
  /// The gradient's norm before clipping.
  public var gradientNorm = 0.0
  /// BatchTopK's θ after this step, one for each selection; −1 while it is not set.
  public var thresholds: [Float] = []
  public var learningRate = 0.0

  /// How well one nested part of a dictionary reconstructs, for base and chat, or for the only model.
  public struct Level: Sendable, Equatable {
    public var reconstruction: [Double]
    public var fve: [Double]
  }
}

/// A training run of one method. It is deterministic: the same seed and batches give the same bits on one machine.
///
/// It must not be shared between threads; it uses all of them itself.
public protocol Trainer: AnyObject {
  /// The part that all methods share: settings, parameters, how far the run is.
  var run: TrainingRun { get }

  /// Trains on one batch of `[B, 2, d]` raw activations. The number of tokens may vary from batch to batch.
  /// - Throws: `DiffingError.shapeMismatch`; `.trainingNotFinite`, after which the parameters are as they were before.
  func step(_ batch: PairedActivations) throws(DiffingError) -> TrainingLosses

  /// Writes all on which the next step depends, atomically: a run that is killed and resumed gives the same bits.
  /// - Throws: `DiffingError.file`; an older state is then unchanged.
  func save(state path: String) throws(DiffingError)

  /// The crosscoder as trained so far, with its normaliser. The run's target must be the pair.
  func crosscoder(card: CrosscoderCard) -> Crosscoder
}
