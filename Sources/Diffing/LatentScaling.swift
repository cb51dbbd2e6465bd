// Latent Scaling measures how strongly each latent is present in each model (arXiv 2504.02922, section 3).
//   β_j^m = Σ_i f_j(x_i) ⟨d_j^chat, y_i^m⟩ / (Σ_i f_j(x_i)² · ‖d_j^chat‖²), with the targets
//   error: y = h − (ĥ − f_j d_j^m);  reconstruction: y = ĥ;  activation: y = h.
//   ν^ε and ν^r are β^base / β^chat of the first two. A dictionary of chat − base has the third alone, with its d_j.
//   The base probe has d_j^base in place of d_j^chat and β^chat / β^base: it asks of a latent of base whether chat still
//   has it (the authors' diffing-toolkit, July 2026).
// The running sums are fp64 and added in the order of tokens, so that batches give the same bits as the whole; sums of
// several shards can be merged. Latents that never fired have nil, not 0.
// Shape letters: T tokens, F latents, d width.

import Inference
import Kernels

/// Running sums of Latent Scaling for every latent of one crosscoder.
///
/// With an input normaliser, h and ĥ are in the models' own units and d_j is as stored, as in the authors' library:
/// error betas then mix two units. Fold the normaliser first (`Crosscoder.foldingNormaliser`) for betas of one unit;
/// the crosscoders that this program trains are saved folded.
public struct LatentScaling: Sendable {
  /// The betas of one latent by target and model, and the ratios of error and reconstruction. All are nil if the latent
  /// never fired.
  public struct Betas: Sendable, Equatable {
    /// The model whose direction was looked for.
    public var probe = PairModel.chat
    /// The number of tokens at which the latent was on.
    public var activeTokens = 0
    public var errorBase: Double?
    public var errorChat: Double?
    public var reconstructionBase: Double?
    public var reconstructionChat: Double?
    public var activationBase: Double?
    public var activationChat: Double?
    /// β of h without the decoder bias (in the models' own units).
    public var activationNoBiasBase: Double?
    public var activationNoBiasChat: Double?

    /// The betas of a latent that never fired.
    public init() {}

    /// ν^ε = β^{ε,base} / β^{ε,chat}: near 0 if base lacks the concept, near 1 for a direction that L1 crushed. All
    /// ratios of the base probe are β^chat / β^base.
    public var nuError: Double? { ratio(errorBase, errorChat) }
    /// ν^r = β^{r,base} / β^{r,chat}: high for latent decoupling.
    public var nuReconstruction: Double? { ratio(reconstructionBase, reconstructionChat) }
    /// β^base / β^chat of the activations themselves: the ratio of a dictionary of chat − base, which reconstructs
    /// neither model.
    public var nuActivation: Double? { ratio(activationBase, activationChat) }

    private func ratio(_ base: Double?, _ chat: Double?) -> Double? {
      guard let base, let chat else { return nil }
      let (other, own) = probe == .chat ? (base, chat) : (chat, base)
      return own == 0 ? nil : other / own
    }
  }

  /// The crosscoder whose latents are scaled.
  public let crosscoder: Crosscoder
  /// The model whose directions are looked for in both models.
  public let probe: PairModel
  /// Whether a latent `[F]` is scaled; nil if all are. Those that are not have no betas.
  private let chosen: [Bool]?
  private var counts: [Int]
  /// Σ f.
  private var codeSums: [Double]
  /// Σ f².
  private var squares: [Double]
  /// Σ f² over the tokens at which the latent is on in each model, base then chat. DECOUPLED codes tell these apart;
  /// they say how much of the latent's own reconstruction is put back.
  private var ownSquares: [[Double]]
  /// For each latent: Σ f ⟨d, ĥ⟩ and Σ f ⟨d, h − ĥ⟩ with the probe's d, base then chat.
  private var sums: [Double]

  /// Begins with empty sums.
  /// - Parameters:
  ///   - probe: `.base` is the base probe.
  ///   - chosen: whether a latent `[F]` is scaled, which saves the time of the others; nil scales all.
  public init(crosscoder: Crosscoder, probe: PairModel = .chat, chosen: [Bool]? = nil) {
    precondition(chosen.map { $0.count == crosscoder.nLatents } ?? true, "every latent is chosen or not")
    (self.crosscoder, self.probe, self.chosen) = (crosscoder, probe, chosen)
    counts = [Int](repeating: 0, count: crosscoder.nLatents)
    codeSums = [Double](repeating: 0, count: crosscoder.nLatents)
    squares = codeSums
    ownSquares = [squares, squares]
    sums = [Double](repeating: 0, count: 4 * crosscoder.nLatents)
  }

  /// Adds one batch to the running sums. Cost: O(active latents · d) a token.
  /// - Parameters:
  ///   - codes: sparse activations of `[T]` tokens with raw f, as `Crosscoder.encode` gives them.
  ///   - activations: `[T, 2, d]` of the same tokens.
  /// - Throws: `DiffingError.shapeMismatch` if the two do not fit each other or the crosscoder.
  public mutating func add(codes: SparseCodes, activations: PairedActivations) throws(DiffingError) {
    guard activations.tokens == codes.tokens, activations.dModel == crosscoder.dModel else {
      throw .shapeMismatch(
        path: "Latent Scaling", tensor: "activations", expected: [codes.tokens, 2, crosscoder.dModel],
        found: [activations.tokens, 2, activations.dModel])
    }
    precondition(
      codes.nLatents == crosscoder.nLatents,
      "the codes have \(codes.nLatents) latents, the crosscoder has \(crosscoder.nLatents)")
    let products = products(codes, activations)
    for (entry, latent) in codes.latents.enumerated() where chosen?[Int(latent)] ?? true {
      let (latent, f) = (Int(latent), Double(codes.values[entry]))
      counts[latent] += 1
      codeSums[latent] += f
      squares[latent] += f * f
      for model in PairModel.allCases where codes.models(of: entry).contains(model.set) {
        ownSquares[model.index][latent] += f * f
      }
      for place in 0..<4 { sums[4 * latent + place] += f * products[4 * entry + place] }
    }
  }

  /// Adds the sums of other tokens, which must come from the same crosscoder.
  public mutating func merge(_ other: LatentScaling) {
    precondition(
      other.crosscoder.nLatents == crosscoder.nLatents && other.probe == probe && other.chosen == chosen,
      "the sums belong to another crosscoder or probe")
    for latent in 0..<crosscoder.nLatents {
      counts[latent] += other.counts[latent]
      codeSums[latent] += other.codeSums[latent]
      squares[latent] += other.squares[latent]
      for model in 0..<2 { ownSquares[model][latent] += other.ownSquares[model][latent] }
    }
    for place in sums.indices { sums[place] += other.sums[place] }
  }

  /// The betas of every latent `[F]` from the tokens added so far.
  public func betas() -> [Betas] {
    let d = crosscoder.dModel
    var bias = crosscoder.decoderBias.map(Double.init)
    bias.withUnsafeMutableBufferPointer { buffer in
      if let start = buffer.baseAddress { crosscoder.normaliser?.restore(start) }
    }
    return crosscoder.decoder.values.withUnsafeBufferPointer { decoder in
      (0..<crosscoder.nLatents).map { latent in
        var betas = Betas()
        (betas.probe, betas.activeTokens) = (probe, counts[latent])
        let norm = (probe == .chat ? crosscoder.chatNorms : crosscoder.baseNorms)[latent]
        let denominator = squares[latent] * norm * norm
        guard denominator > 0, let base = decoder.baseAddress.map({ $0 + 2 * latent * d }) else { return betas }
        let direction = base + probe.index * d
        func beta(_ model: PairModel, error: Bool, reconstruction: Bool) -> Double {
          let place = 4 * latent + model.index
          // f_j d_j^m is put back at the tokens where it is on: Σ f² ⟨d, d^m⟩ with the probe's d.
          let own =
            error && !reconstruction
            ? ownSquares[model.index][latent]
              * (model == probe ? norm * norm : dotInDouble(base, base + d, count: d))
            : 0
          return ((error ? sums[place + 2] : 0) + (reconstruction ? sums[place] : 0) + own) / denominator
        }
        betas.activationBase = beta(.base, error: true, reconstruction: true)
        betas.activationChat = beta(.chat, error: true, reconstruction: true)
        guard crosscoder.target != .difference else { return betas }
        betas.errorBase = beta(.base, error: true, reconstruction: false)
        betas.errorChat = beta(.chat, error: true, reconstruction: false)
        betas.reconstructionBase = beta(.base, error: false, reconstruction: true)
        betas.reconstructionChat = beta(.chat, error: false, reconstruction: true)
        func withoutBias(_ beta: Double?, _ model: PairModel) -> Double? {
          let share = bias[model.index * d..<(model.index + 1) * d].withUnsafeBufferPointer { bias in
            bias.baseAddress.map { dotInDouble(direction, $0, count: d) } ?? 0
          }
          return beta.map { $0 - codeSums[latent] * share / denominator }
        }
        betas.activationNoBiasBase = withoutBias(betas.activationBase, .base)
        betas.activationNoBiasChat = withoutBias(betas.activationChat, .chat)
        return betas
      }
    }
  }

  /// For each entry of `codes`: ⟨d, ĥ⟩ and ⟨d, h − ĥ⟩ with the probe's d, base then chat. Those of latents that are not
  /// chosen are 0.
  private func products(_ codes: SparseCodes, _ activations: PairedActivations) -> [Double] {
    let (d, width) = (crosscoder.dModel, 2 * crosscoder.dModel)
    return [Double](unsafeUninitializedCapacity: 4 * codes.latents.count) { products, count in
      count = 4 * codes.latents.count
      products.initialize(repeating: 0)
      activations.values.withUnsafeBufferPointer { x in
        crosscoder.decoder.values.withUnsafeBufferPointer { decoder in
          guard let x = x.baseAddress, let decoder = decoder.baseAddress, let out = products.baseAddress else { return }
          inPieces(of: 64, count: codes.tokens) { tokens in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * width) { rows in
              guard let xHat = rows.baseAddress else { return }
              let error = xHat + width
              for token in tokens {
                let entries = codes.entries(of: token).filter { chosen?[Int(codes.latents[$0])] ?? true }
                guard !entries.isEmpty else { continue }
                crosscoder.reconstruct(codes, token: token, of: x + token * width, into: xHat)
                for index in 0..<width { error[index] = Double(x[token * width + index]) - xHat[index] }
                for entry in entries {
                  let direction = decoder + (2 * Int(codes.latents[entry]) + probe.index) * d
                  fourDotsInDouble(direction, xHat, stride: d, count: d, into: out + 4 * entry)
                }
              }
            }
          }
        }
      }
    }
  }
}
