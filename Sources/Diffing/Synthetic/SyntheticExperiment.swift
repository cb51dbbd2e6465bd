// Trains L1 and BatchTopK on the same tokens of one synthetic world, with the same sizes, seeds and schedule.
// BatchTopK's k is the number of concepts that are on at a token; of L1's runs with several weights μ, the one whose L0
// is nearest to k is compared. Both are scored on tokens that neither has seen.

import Inference

/// Compares both methods on worlds of one recipe.
public struct SyntheticExperiment: Sendable {
  public var recipe = SyntheticWorld.Recipe()
  /// The number of latents F.
  public var latents = 160
  public var steps = 3000
  public var batch = 512
  public var learningRate = 2e-3
  /// The number of tokens to train on, which are used again and again; fewer in a run that would not see them all.
  public var trainingTokens = 200_000
  /// The number of tokens on which latents are scored, at most as many as a run sees.
  public var scoringTokens = 30_000
  /// The weights μ of L1's penalty to try. Each is reached over the first half of the steps.
  public var mus = [0.041, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28]

  /// The experiment of docs/synthetic-world.md.
  public init() {}

  /// One trained crosscoder and what it found in its world.
  public struct Run: Sendable {
    /// The μ of an L1 run; nil for BatchTopK.
    public let mu: Double?
    /// The crosscoder without input normaliser, in the activations' own units.
    public let crosscoder: Crosscoder
    public let findings: WorldFindings
  }

  /// The result for one world.
  public struct Outcome: Sendable {
    public let world: SyntheticWorld
    /// The tokens on which all runs were scored.
    public let scored: PairedActivations
    public let batchTopK: Run
    /// The L1 runs, one for each μ.
    public let l1Runs: [Run]
    /// The L1 run whose L0 is nearest to BatchTopK's.
    public let l1: Run
  }

  /// Trains both methods on the world of a seed.
  /// - Parameter report: is called after each crosscoder with its name.
  /// - Throws: `DiffingError.settingInvalid`, `.trainingNotFinite`.
  public func run(seed: UInt64, report: (String) -> Void = { _ in }) throws(DiffingError) -> Outcome {
    let world = try SyntheticWorld(recipe: recipe, seed: seed)
    try requireSetting((1...1 << 30).contains(steps), "steps", "1 to 2^30", steps)
    try requireSetting((1...1 << 20).contains(latents), "latents", "1 to 2^20", latents)
    try requireSetting(batch > 0 && batch <= trainingTokens, "batch", "1 to trainingTokens", batch)
    let tokens = world.activations(tokens: min(trainingTokens, steps * batch), seed: seed ^ 1 << 32)
    let scored = world.activations(tokens: min(scoringTokens, steps * batch), seed: seed ^ 2 << 32)
    let settings = settings(seed: seed)
    var moments = ActivationMoments(width: settings.width)
    moments.add(tokens.values)
    let normaliser = moments.normaliser(targetRMS: settings.targetRMS)
    // All weights μ are checked before anything is trained.
    var l1Trainers: [L1Trainer] = []
    for mu in mus {
      var configuration = L1Trainer.Configuration(settings: settings)
      configuration.mu = mu
      configuration.muWarmupSteps = steps / 2
      l1Trainers.append(try L1Trainer(configuration: configuration, normaliser: normaliser))
    }
    func train(_ trainer: any Trainer, mu: Double? = nil) throws(DiffingError) -> Run {
      let perEpoch = tokens.tokens / batch
      for step in 0..<steps {
        let start = step % perEpoch * batch
        _ = try trainer.step(tokens.tokens(start..<start + batch))
      }
      let crosscoder = try trainer.crosscoder(card: CrosscoderCard()).foldingNormaliser()
      let findings = try WorldFindings(crosscoder: crosscoder, world: world, activations: scored)
      report(mu.map { "L1 of μ = \($0)" } ?? "BatchTopK of k = \(k(world))")
      return Run(mu: mu, crosscoder: crosscoder, findings: findings)
    }
    var configuration = BatchTopKTrainer.Configuration(settings: settings, k: k(world))
    configuration.thresholdStart = steps / 2
    configuration.thresholdDecay = 0.99
    let batchTopK = try train(BatchTopKTrainer(configuration: configuration, normaliser: normaliser))
    var l1Runs: [Run] = []
    for (mu, trainer) in zip(mus, l1Trainers) { l1Runs.append(try train(trainer, mu: mu)) }
    func distance(_ run: Run) -> Double { abs(run.findings.l0 - batchTopK.findings.l0) }
    guard let l1 = l1Runs.min(by: { distance($0) < distance($1) }) else {
      throw .settingInvalid(name: "mus", expected: "at least one", found: "none")
    }
    return Outcome(world: world, scored: scored, batchTopK: batchTopK, l1Runs: l1Runs, l1: l1)
  }

  /// k: the average number of concepts that are on at a token.
  private func k(_ world: SyntheticWorld) -> Int { min(latents, max(1, Int(world.l0.rounded()))) }

  private func settings(seed: UInt64) -> TrainingSettings {
    var settings = TrainingSettings(dModel: recipe.dModel, nLatents: latents, steps: steps, batch: batch)
    settings.learningRate = learningRate
    settings.warmupSteps = steps / 20
    settings.decayStart = steps * 4 / 5
    settings.normInitScale = 0.3
    settings.seed = seed
    return settings
  }
}
