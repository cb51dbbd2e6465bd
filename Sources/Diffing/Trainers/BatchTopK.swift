// Training by BatchTopK: of a batch's B·F scaled activations f_j·n_j the k·B largest are kept.
//   loss = mean over tokens and models of ‖h − ĥ‖₂  +  α · Σ‖e − ê_dead‖² / Σ‖e − ē‖²     (e = h − ĥ, not
//   differentiated)
// ê_dead reconstructs the residual by the d/2 most active latents that have been silent for long. Gradients are written
// by hand in +Selection, +Gradients and +Auxiliary. The selection and the norms n_j take no gradient. DECOUPLED codes
// are selected separately for each model. With `levels`, nested parts of the dictionary reconstruct as well (+Levels);
// with `dedicated`, some latents belong to one model alone (+Dedicated).
// A run on one model or on chat − base makes a sparse autoencoder.
// Source: arXiv 2504.02922, section 2, and the authors' crosscoder.py.

import Kernels

/// Trains one BatchTopK dictionary, a batch at a time.
public final class BatchTopKTrainer: Trainer {
  /// The configuration of a run. Defaults are the paper's if they do not depend on the size.
  public struct Configuration: Codable, Sendable, Equatable {
    /// The settings that all methods share.
    public var settings: TrainingSettings
    /// The number of latents kept for a token, on average over the batch.
    public var k: Int
    /// k at the beginning; it falls linearly to `k` over `kAnnealingSteps`. With 0 steps it is `k` at once.
    public var kInitial: Int?
    public var kAnnealingSteps = 0
    /// α, the weight of the auxiliary loss.
    public var auxiliaryWeight = 1.0 / 32
    /// The number of dead latents that reconstruct the residual; nil for d/2.
    public var auxiliaryLatents: Int?
    /// The sizes of the nested parts of the dictionary that reconstruct (Matryoshka), ascending; the last is F. Nil for
    /// the whole dictionary alone.
    public var levels: [Int]?
    /// The latents that belong to one model from the first step on; nil if none do.
    public var dedicated: DedicatedLatents?
    /// The decay of the threshold's moving average, and the last step without one.
    public var thresholdDecay = 0.999
    public var thresholdStart = 1000

    /// BatchTopK with those settings.
    public init(settings: TrainingSettings, k: Int) { (self.settings, self.k) = (settings, k) }

    /// k at a step.
    public func k(at step: Int) -> Int {
      guard kAnnealingSteps > 0, step < kAnnealingSteps, let first = kInitial else { return k }
      let progress = Double(step) / Double(kAnnealingSteps)
      // Halves are rounded to the even number, as in the reference.
      return max(1, Int((Double(first) - Double(first - k) * progress).rounded(.toNearestOrEven)))
    }

    /// The number of thresholds θ: one, or for DECOUPLED codes one for each model.
    var nSelections: Int { settings.codeNormalization == .decoupled ? 2 : 1 }

    func check() throws(DiffingError) {
      let F = settings.nLatents
      try requireSetting(k > 0 && k <= F, "k", "1 to nLatents", k)
      try requireSetting(kInitial.map { $0 > 0 && $0 <= F } ?? true, "kInitial", "1 to nLatents", kInitial ?? 0)
      try requireSetting(kAnnealingSteps >= 0, "kAnnealingSteps", "at least 0", kAnnealingSteps)
      try requireSetting(
        auxiliaryWeight >= 0 && auxiliaryWeight.isFinite, "auxiliaryWeight", "at least 0", auxiliaryWeight)
      try requireSetting(
        auxiliaryLatents.map { $0 > 0 } ?? true, "auxiliaryLatents", "at least 1", auxiliaryLatents ?? 0)
      try checkLevels()
      try checkDedicated()
      try requireSetting((0..<1).contains(thresholdDecay), "thresholdDecay", "0 to below 1", thresholdDecay)
    }
  }

  public let configuration: Configuration
  public let run: TrainingRun
  /// θ, one for each selection; −1 while it is not set.
  public private(set) var thresholds: [Float]
  /// The smallest scaled activation that each selection kept in the last batch; the next search begins near it.
  var lastKept: [Float]
  /// The nested parts that reconstruct; one part, the whole dictionary, if no levels are set.
  let levels: LatentLevels
  /// The entries kept in this batch.
  var kept = KeptEntries()

  /// A trainer before its first step.
  /// - Parameter normaliser: if it is nil and the settings ask for one, it is made from the first batch.
  /// - Throws: `DiffingError.settingInvalid`.
  public convenience init(configuration: Configuration, normaliser: InputNormaliser? = nil) throws(DiffingError) {
    try configuration.check()
    self.init(
      configuration,
      run: try TrainingRun(
        settings: configuration.settings, normaliser: normaliser, nLevels: configuration.levelSizes.count))
    mask(\.values)
    run.updateNorms(0..<run.settings.nLatents)
  }

  /// A trainer that continues where the saved one stopped, bit for bit.
  /// - Throws: `DiffingError.file`, `.shapeMismatch`, `.stateMismatch` if the state belongs to another configuration.
  public convenience init(state path: String, configuration: Configuration) throws(DiffingError) {
    try configuration.check()
    let count = configuration.nSelections
    let (run, numbers) = try TrainingRun.resume(
      state: path, settings: configuration.settings, method: "batchtopk", configuration: configuration,
      nLevels: configuration.levelSizes.count,
      numbers: ["thresholds": count, "last_kept": count])
    self.init(configuration, run: run)
    thresholds = numbers["thresholds"] ?? thresholds
    lastKept = numbers["last_kept"] ?? lastKept
  }

  private init(_ configuration: Configuration, run: TrainingRun) {
    (self.configuration, self.run) = (configuration, run)
    levels = LatentLevels(sizes: configuration.levelSizes)
    thresholds = [Float](repeating: -1, count: configuration.nSelections)
    lastKept = [Float](repeating: 0, count: configuration.nSelections)
  }

  public func save(state path: String) throws(DiffingError) {
    try run.save(
      state: path, method: "batchtopk", configuration: configuration,
      numbers: ["thresholds": thresholds, "last_kept": lastKept])
  }

  public func step(_ batch: PairedActivations) throws(DiffingError) -> TrainingLosses {
    var losses = try computeGradients(batch)
    try run.update(&losses)
    return losses
  }

  /// Runs the batch forward and backward. The gradients are then in the parameter blocks, not yet clipped.
  func computeGradients(_ batch: PairedActivations) throws(DiffingError) -> TrainingLosses {
    try run.prepare(batch)
    var losses = TrainingLosses()
    losses.step = run.step
    try select(count: configuration.k(at: run.step) * run.tokens)
    run.countSilence(except: kept.latents.lazy.map { Int($0) })
    reconstruct(&losses)
    updateThresholds()
    backward()
    addAuxiliary(&losses)
    mask(\.gradient)
    losses.l0 = Double(kept.latents.count) / Double(run.tokens)
    losses.total += configuration.auxiliaryWeight * losses.auxiliary
    losses.thresholds = thresholds
    return losses
  }

  public func crosscoder(card: CrosscoderCard = CrosscoderCard()) -> Crosscoder {
    var card = card
    (card.levels, card.dedicated) = (configuration.levels, configuration.dedicated)
    return run.crosscoder(k: configuration.k, thresholds: thresholds, card: card)
  }

  /// The sparse autoencoder as trained so far, in the activations' own units. The run's target must not be the pair.
  public func autoencoder(card: CrosscoderCard = CrosscoderCard()) -> SparseAutoencoder {
    SparseAutoencoder(run: run, k: configuration.k, threshold: thresholds[0], card: card)
  }

  /// Moves θ towards the smallest kept scaled activation.
  private func updateThresholds() {
    guard run.step > configuration.thresholdStart else { return }
    let decay = Float(configuration.thresholdDecay)
    for place in thresholds.indices {
      thresholds[place] =
        thresholds[place] < 0 ? lastKept[place] : decay * thresholds[place] + (1 - decay) * lastKept[place]
    }
  }
}

extension TrainingRun {
  /// The parameters as a crosscoder with the normaliser; `foldingNormaliser()` moves that into the weights.
  func crosscoder(k: Int?, thresholds: [Float], card: CrosscoderCard) -> Crosscoder {
    precondition(settings.target == .pair, "a dictionary of one model has no two decoder directions")
    let (F, width) = (settings.nLatents, settings.width)
    return Crosscoder(
      encoder: Matrix(rows: F, columns: width, values: encoder.values.array),
      encoderBias: encoderBias.values.array,
      decoder: Matrix(rows: F, columns: width, values: decoder.values.array),
      decoderBias: decoderBias.values.array, codeNormalization: settings.codeNormalization, k: k,
      thresholds: thresholds, normaliser: normaliser, card: card)
  }
}
