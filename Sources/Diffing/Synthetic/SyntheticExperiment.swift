// Trains every method on the same tokens of one synthetic world, with the same sizes, seeds and schedule.
// BatchTopK's k is the number of concepts that are on at a token; of L1's runs with several weights μ, the one whose L0
// is nearest to k is compared. The dictionary of chat − base keeps as many as differ. All are scored on tokens that none
// has seen.

import Inference

/// Compares the methods on worlds of one recipe.
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
  /// The share of the latents that each model gets for itself, where latents are dedicated.
  public var dedicatedShare = 0.1

  /// The experiment of docs/synthetic-world.md.
  public init() {}

  /// The methods that are compared.
  public enum Method: String, CaseIterable, Codable, Sendable {
    case l1
    case batchTopK = "batchtopk"
    case matryoshka
    case dedicated
    case difference = "sae-difference"
  }

  /// One trained dictionary and what it found in its world.
  public struct Run: Sendable {
    public let method: Method
    /// The μ of an L1 run; nil for other methods.
    public let mu: Double?
    /// The dictionary without input normaliser, in the activations' own units.
    public let crosscoder: Crosscoder
    /// The same as it is saved, if it is one of chat − base.
    public let autoencoder: SparseAutoencoder?
    public let findings: WorldFindings
  }

  /// The result for one world.
  public struct Outcome: Sendable {
    public let world: SyntheticWorld
    /// The tokens on which all runs were scored.
    public let scored: SyntheticWorld.Sample
    /// All runs: L1 by μ, then the other methods.
    public let runs: [Run]
    /// The run of a method; of L1's the one whose L0 is nearest to BatchTopK's.
    public let chosen: [Method: Run]
  }

  /// Trains all methods on the world of a seed.
  /// - Parameter report: is called after each dictionary with its name.
  /// - Throws: `DiffingError.settingInvalid`, `.trainingNotFinite`.
  public func run(seed: UInt64, report: (String) -> Void = { _ in }) throws(DiffingError) -> Outcome {
    let world = try SyntheticWorld(recipe: recipe, seed: seed)
    try requireSetting((1...1 << 30).contains(steps), "steps", "1 to 2^30", steps)
    try requireSetting((1...1 << 20).contains(latents), "latents", "1 to 2^20", latents)
    try requireSetting(batch > 0 && batch <= trainingTokens, "batch", "1 to trainingTokens", batch)
    let tokens = world.activations(tokens: min(trainingTokens, steps * batch), seed: seed ^ 1 << 32)
    let scored = world.sample(tokens: min(scoringTokens, steps * batch), seed: seed ^ 2 << 32)
    // All settings are checked before anything is trained.
    var trainers: [(method: Method, mu: Double?, trainer: any Trainer)] = []
    for mu in mus { trainers.append((.l1, mu, try l1(mu, tokens, seed))) }
    for method in Method.allCases where method != .l1 {
      trainers.append((method, nil, try batchTopK(method, world, tokens, seed)))
    }
    var runs: [Run] = []
    for (method, mu, trainer) in trainers {
      let perEpoch = tokens.tokens / batch
      for step in 0..<steps {
        let start = step % perEpoch * batch
        _ = try trainer.step(tokens.tokens(start..<start + batch))
      }
      let autoencoder = method == .difference ? (trainer as? BatchTopKTrainer)?.autoencoder() : nil
      let crosscoder: Crosscoder
      if let autoencoder {
        crosscoder = autoencoder.crosscoder()
      } else {
        crosscoder = trainer.crosscoder(card: CrosscoderCard()).foldingNormaliser()
      }
      let findings = try WorldFindings(crosscoder: crosscoder, world: world, sample: scored)
      report(method.rawValue + (mu.map { " of μ = \($0)" } ?? ""))
      runs.append(
        Run(method: method, mu: mu, crosscoder: crosscoder, autoencoder: autoencoder, findings: findings))
    }
    var chosen: [Method: Run] = [:]
    for run in runs where run.method != .l1 { chosen[run.method] = run }
    let l0 = chosen[.batchTopK]?.findings.l0 ?? 0
    chosen[.l1] = runs.filter { $0.method == .l1 }.min { abs($0.findings.l0 - l0) < abs($1.findings.l0 - l0) }
    return Outcome(world: world, scored: scored, runs: runs, chosen: chosen)
  }

  private func l1(
    _ mu: Double, _ tokens: PairedActivations, _ seed: UInt64
  ) throws(DiffingError) -> L1Trainer {
    let settings = settings(seed: seed)
    var configuration = L1Trainer.Configuration(settings: settings)
    configuration.mu = mu
    configuration.muWarmupSteps = steps / 2
    return try L1Trainer(configuration: configuration, normaliser: normaliser(of: tokens, settings))
  }

  private func batchTopK(
    _ method: Method, _ world: SyntheticWorld, _ tokens: PairedActivations, _ seed: UInt64
  ) throws(DiffingError) -> BatchTopKTrainer {
    var settings = settings(seed: seed)
    if method == .difference { settings.target = .difference }
    // k: the average number of concepts that are on at a token, or that differ there.
    let l0 = method == .difference ? world.l0(of: { $0 != .shared }) : world.l0
    var configuration = BatchTopKTrainer.Configuration(
      settings: settings, k: min(latents, max(1, Int(l0.rounded()))))
    configuration.thresholdStart = steps / 2
    configuration.thresholdDecay = 0.99
    if method == .matryoshka { configuration.levels = Set([8, 4, 2, 1].map { max(1, latents / $0) }).sorted() }
    if method == .dedicated { configuration.dedicated = DedicatedLatents(share: dedicatedShare, of: latents) }
    return try BatchTopKTrainer(configuration: configuration, normaliser: normaliser(of: tokens, settings))
  }

  private func normaliser(of tokens: PairedActivations, _ settings: TrainingSettings) -> InputNormaliser {
    var moments = ActivationMoments(width: settings.width)
    moments.add(settings.target.rows(of: tokens))
    return moments.normaliser(targetRMS: settings.targetRMS)
  }

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
