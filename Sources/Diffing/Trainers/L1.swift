// Training of a crosscoder by an L1 penalty on scaled activations.
//   loss = mean over tokens and models of ‖h − ĥ‖₂  +  μ · mean over tokens of Σ_j f_j n_j
// The penalty is differentiated through the norms too: ∂(f_j n_j)/∂d_j^m is f_j d_j^m/‖d_j^m‖ (CROSSCODER), f_j d_j^m /
// ‖[d_j^base; d_j^chat]‖ (SAE), their weighted sum (MIXED) or 0 (NONE). At the beginning half of all codes are
// positive, so products are dense: 10·B·F·M·d multiplications a step. DECOUPLED codes and single models are rejected.
// Shape letters: B tokens, F latents, d width of one model, M models. Source: the paper's section 2, the authors' code.

import Kernels

/// Trains one L1 crosscoder, a batch at a time.
public final class L1Trainer: Trainer {
  /// The configuration of a run.
  public struct Configuration: Codable, Sendable, Equatable {
    /// The settings that all methods share.
    public var settings: TrainingSettings
    /// μ, the weight of the penalty.
    public var mu = 4.1e-2
    /// The number of first steps over which μ rises linearly from 0.
    public var muWarmupSteps = 0

    /// L1 with those settings.
    public init(settings: TrainingSettings) { self.settings = settings }

    /// μ at a step.
    public func mu(at step: Int) -> Double {
      step < muWarmupSteps ? mu * Double(step) / Double(muWarmupSteps) : mu
    }

    func check() throws(DiffingError) {
      try requireSetting(settings.target == .pair, "target", "the pair", settings.target.rawValue)
      try requireSetting(
        settings.codeNormalization != .decoupled, "codeNormalization",
        "any but DECOUPLED, which equals CROSSCODER for a sum over models", "DECOUPLED")
      try requireSetting(mu >= 0 && mu.isFinite, "mu", "at least 0", mu)
      try requireSetting(muWarmupSteps >= 0, "muWarmupSteps", "at least 0", muWarmupSteps)
    }
  }

  public let configuration: Configuration
  public let run: TrainingRun

  /// A trainer before its first step.
  /// - Parameter normaliser: if it is nil and the settings ask for one, it is made from the first batch.
  /// - Throws: `DiffingError.settingInvalid`.
  public init(configuration: Configuration, normaliser: InputNormaliser? = nil) throws(DiffingError) {
    try configuration.check()
    self.configuration = configuration
    run = try TrainingRun(settings: configuration.settings, normaliser: normaliser)
  }

  /// A trainer that continues where the saved one stopped, bit for bit.
  /// - Throws: `DiffingError.file`, `.shapeMismatch`, `.stateMismatch` if the state belongs to another configuration.
  public init(state path: String, configuration: Configuration) throws(DiffingError) {
    try configuration.check()
    self.configuration = configuration
    run = try TrainingRun.resume(
      state: path, settings: configuration.settings, method: "l1", configuration: configuration
    ).run
  }

  public func save(state path: String) throws(DiffingError) {
    try run.save(state: path, method: "l1", configuration: configuration)
  }

  public func step(_ batch: PairedActivations) throws(DiffingError) -> TrainingLosses {
    var losses = try computeGradients(batch)
    try run.update(&losses)
    return losses
  }

  public func crosscoder(card: CrosscoderCard = CrosscoderCard()) -> Crosscoder {
    run.crosscoder(k: nil, thresholds: [], card: card)
  }

  /// Runs the batch forward and backward. The gradients are then in the parameter blocks, not yet clipped.
  func computeGradients(_ batch: PairedActivations) throws(DiffingError) -> TrainingLosses {
    try run.prepare(batch)
    var losses = TrainingLosses()
    losses.step = run.step
    run.multiplyEncoder()
    activate()
    let (B, F, width) = (run.tokens, run.settings.nLatents, run.settings.width)
    let codes = run.product.start
    inPieces(of: TrainingRun.tokenPiece, count: B) { tokens in
      for token in tokens { run.beginResidual(token: token) }
    }
    gemm(
      m: B, n: width, k: F, alpha: -1, codes, .asStored, run.decoder.values.start, .asStored, beta: 1,
      into: run.residual.start)
    run.measure(&losses) { _, _ in
    } then: { _ in
    }
    let codeGradient = FloatStorage(count: B * F)
    gemm(
      m: B, n: F, k: width, run.gradient.start, .asStored, run.decoder.values.start, .transposed,
      into: codeGradient.start)
    gemm(
      m: F, n: width, k: B, codes, .transposed, run.gradient.start, .asStored, into: run.decoder.gradient.start)
    penalise(codeGradient.start, &losses)
    gemm(
      m: F, n: width, k: B, codeGradient.start, .transposed, run.input.start, .asStored,
      into: run.encoder.gradient.start)
    run.sumDecoderBiasGradient()
    return losses
  }

  /// Computes f ← max(0, W_enc x + b_enc) in place of the product.
  private func activate() {
    let F = run.settings.nLatents
    inPieces(of: TrainingRun.tokenPiece, count: run.tokens) { tokens in
      for token in tokens {
        let row = run.product.start + token * F
        for latent in 0..<F { row[latent] = max(0, row[latent] + run.encoderBias.values.start[latent]) }
      }
    }
  }

  /// Turns the decoder's share `[B, F]` into ∂L/∂f, adds the penalty's gradient at f and at the decoder, sums b_enc's
  /// gradient, and counts silence.
  private func penalise(_ codeGradient: UnsafeMutablePointer<Float>, _ losses: inout TrainingLosses) {
    let (B, F) = (run.tokens, run.settings.nLatents)
    let weight = configuration.mu(at: run.step) / Double(B)
    var (active, sums) = ([Int](repeating: 0, count: F), [Double](repeating: 0, count: F))
    active.withUnsafeMutableBufferPointer { active in
      sums.withUnsafeMutableBufferPointer { sums in
        inPieces(of: TrainingRun.latentPiece, count: F) { latents in
          withUnsafeTemporaryAllocation(of: Double.self, capacity: latents.count) { bias in
            bias.initialize(repeating: 0)
            for token in 0..<B {
              let (codes, gradients) = (run.product.start + token * F, codeGradient + token * F)
              for latent in latents {
                guard codes[latent] > 0 else {
                  gradients[latent] = 0
                  continue
                }
                gradients[latent] += Float(weight * Double(run.codeNorms.start[latent]))
                bias[latent - latents.lowerBound] += Double(gradients[latent])
                sums[latent] += Double(codes[latent])
                active[latent] += 1
              }
            }
            for latent in latents {
              run.encoderBias.gradient.start[latent] = Float(bias[latent - latents.lowerBound])
              addNormGradient(latent, weight * sums[latent])
              run.hasGradient[latent] = true
            }
          }
        }
      }
    }
    run.countSilence(except: active.indices.lazy.filter { active[$0] > 0 })
    losses.l0 = Double(active.reduce(0, +)) / Double(B)
    losses.sparsity = sums.indices.reduce(0) { $0 + sums[$1] * Double(run.codeNorms.start[$1]) } / Double(B)
    losses.total += configuration.mu(at: run.step) * losses.sparsity
  }

  /// Adds `factor` · ∂n_j/∂d_j to a latent's decoder gradient.
  private func addNormGradient(_ latent: Int, _ factor: Double) {
    let (d, width) = (run.settings.dModel, run.settings.width)
    let (row, gradient) = (
      run.decoder.values.start + latent * width, run.decoder.gradient.start + latent * width
    )
    let squares = (0..<2).map { squareSum(row + $0 * d, count: d) }
    let whole = (squares[0] + squares[1]).squareRoot()
    for model in 0..<2 {
      let scale = run.settings.codeNormalization.normGradient(own: squares[model].squareRoot(), whole: whole)
      addScaled(Float(factor * scale), row + model * d, to: gradient + model * d, count: d)
    }
  }
}

extension CodeNormalization {
  /// ∂n_j/∂d_j^m = this · d_j^m. A direction of length 0 has the gradient 0, as in PyTorch.
  /// - Parameters:
  ///   - own: ‖d_j^m‖.
  ///   - whole: ‖[d_j^base; d_j^chat]‖.
  fileprivate func normGradient(own: Double, whole: Double) -> Double {
    let crosscoder = own > 0 ? 1 / own : 0
    let sae = whole > 0 ? 1 / whole : 0
    switch self {
    case .crosscoder, .decoupled: return crosscoder
    case .sae: return sae
    case .mixed(let alphaSAE, let alphaCrosscoder): return alphaSAE * sae + alphaCrosscoder * crosscoder
    case .none: return 0
    }
  }
}
