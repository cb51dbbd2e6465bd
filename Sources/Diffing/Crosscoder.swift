// The crosscoder: one dictionary of latents that reads and writes the residual streams of two models.
//   f(h) = ReLU(W_enc^base h^base + W_enc^chat h^chat + b_enc),  ĥ^m = Σ_j f_j d_j^m + b_dec^m
// `CodeRule` has what other dictionaries do in place of ReLU; `DictionaryForm` lists the files they come from.
// It holds the weights, one row for each latent, and what follows from them: norms, Δ, cosines, classes. The checkpoint
// reader checks what comes from outside. Shape letters: F latents, d width of one model.
// Source: arXiv 2504.02922 and its authors' code.

import Inference
import Kernels

/// A trained crosscoder of two models.
public struct Crosscoder: Sendable {
  /// The width d of one model's residual stream.
  public let dModel: Int
  /// The number of latents F.
  public let nLatents: Int
  /// W_enc `[F, 2·d]`: row j reads latent j from base's d values, then chat's (the file has `[2, d, F]`).
  public let encoder: Matrix
  /// b_enc `[F]`.
  public let encoderBias: [Float]
  /// `[F, 2·d]`: row j is d_j^base, then d_j^chat (the file has `[2, F, d]`).
  public let decoder: Matrix
  /// b_dec `[2·d]`, base first.
  public let decoderBias: [Float]
  /// How codes are scaled.
  public let codeNormalization: CodeNormalization
  /// The k of a BatchTopK crosscoder.
  public let k: Int?
  /// θ of a BatchTopK crosscoder: latent j is on where f_j·n_j > θ; −1 means not set. DECOUPLED codes have two: a
  /// latent is on in model m where f_j·‖d_j^m‖ > θ^m. An L1 crosscoder has none: a latent is on where f_j > 0.
  public let thresholds: [Float]
  /// θ `[F]` of a JumpReLU dictionary: latent j is on where p_j > θ_j; `[2·F]`, base first, if each model has its own
  /// (DECOUPLED); nil for other kinds.
  public let jumpThresholds: [Float]?
  /// How the value of a latent that is on follows from its pre-activation.
  public let activation: CodeActivation
  /// Which latents of a token are on.
  public let selection: CodeSelection
  /// What it reads and writes. `.pair` is a crosscoder. Other dictionaries have one direction a latent, in chat's place;
  /// base's decoder weights are then 0, and figures that compare two directions are missing. `.chat` reads chat's place
  /// alone, whichever model stands there; `.difference` reads and writes chat − base. `.base` does not occur.
  public let target: TrainingTarget
  /// What is done to activations before encoding by fixed numbers; nil if nothing is.
  public let normaliser: InputNormaliser?
  /// What is done to each token before that, by its own numbers; nil if nothing is.
  public let tokenStep: TokenStep?
  /// A map of the input that is added to the reconstruction, `[d, d]` with one row an output; nil if there is none.
  public let skip: Matrix?
  /// The place that a transcoder reads, as its files name it; nil if it reads what it writes.
  public let readsElsewhere: String?
  /// The mean of the activations on which it was trained `[2·d]`, base first, as its normaliser has it. It stays when
  /// the normaliser is folded into the weights. It is nil if the checkpoint does not say.
  private(set) var activationMean: [Float]?
  /// Where the crosscoder comes from.
  public var card: CrosscoderCard

  /// ‖d_j^base‖ `[F]`.
  public let baseNorms: [Double]
  /// ‖d_j^chat‖ `[F]`.
  public let chatNorms: [Double]
  /// n_j `[F]`: the scaled activation of latent j is f_j·n_j.
  public let codeNorms: [Double]

  /// A crosscoder of weights that fit together (precondition).
  public init(
    encoder: Matrix, encoderBias: [Float], decoder: Matrix, decoderBias: [Float],
    codeNormalization: CodeNormalization = .crosscoder, k: Int? = nil, threshold: Float? = nil,
    normaliser: InputNormaliser? = nil, card: CrosscoderCard = CrosscoderCard(), jumpThresholds: [Float]? = nil,
    target: TrainingTarget = .pair, activation: CodeActivation = .relu, selection: CodeSelection = .thresholds,
    tokenStep: TokenStep? = nil, skip: Matrix? = nil, readsElsewhere: String? = nil
  ) {
    self.init(
      encoder: encoder, encoderBias: encoderBias, decoder: decoder, decoderBias: decoderBias,
      codeNormalization: codeNormalization, k: k, thresholds: threshold.map { [$0] } ?? [], normaliser: normaliser,
      card: card, jumpThresholds: jumpThresholds, target: target, activation: activation, selection: selection,
      tokenStep: tokenStep, skip: skip, readsElsewhere: readsElsewhere)
  }

  /// The same with a list of thresholds: none, one, or for DECOUPLED codes one for each model.
  public init(
    encoder: Matrix, encoderBias: [Float], decoder: Matrix, decoderBias: [Float],
    codeNormalization: CodeNormalization, k: Int?, thresholds: [Float], normaliser: InputNormaliser?,
    card: CrosscoderCard, jumpThresholds: [Float]? = nil, target: TrainingTarget = .pair,
    activation: CodeActivation = .relu, selection: CodeSelection = .thresholds, tokenStep: TokenStep? = nil,
    skip: Matrix? = nil, readsElsewhere: String? = nil
  ) {
    precondition(
      thresholds.isEmpty || thresholds.count == (codeNormalization == .decoupled ? 2 : 1),
      "every selection needs one threshold")
    precondition(
      encoder.columns.isMultiple(of: 2) && encoder.columns == decoder.columns
        && (encoder.rows == decoder.rows || encoder.rows == 0 && !selection.isDefined),
      "only a dictionary without codes can lack an encoder")
    precondition(encoderBias.count == decoder.rows && decoderBias.count == encoder.columns)
    precondition(normaliser.map { $0.mean.count == encoder.columns } ?? true)
    precondition(
      jumpThresholds.map { $0.count == decoder.rows || codeNormalization == .decoupled && $0.count == 2 * decoder.rows }
        ?? true)
    precondition(target != .base, "a dictionary of base alone stands in chat's place")
    let (F, d) = (decoder.rows, decoder.columns / 2)
    var norms: [[Double]] = [[], []]
    decoder.values.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      for model in PairModel.allCases {
        norms[model.index] = (0..<F).map { squareSum(start + (2 * $0 + model.index) * d, count: d).squareRoot() }
      }
    }
    (nLatents, dModel) = (F, d)
    (self.encoder, self.encoderBias, self.decoder, self.decoderBias) = (encoder, encoderBias, decoder, decoderBias)
    (self.codeNormalization, self.k, self.thresholds) = (codeNormalization, k, thresholds)
    (self.normaliser, self.card) = (normaliser, card)
    (self.jumpThresholds, self.target) = (jumpThresholds, target)
    (self.activation, self.selection) = (activation, selection)
    (self.tokenStep, self.skip, self.readsElsewhere) = (tokenStep, skip, readsElsewhere)
    // If only scales were given, the normaliser's mean of 0 was not measured.
    activationMean = card.inputScaling == nil ? normaliser?.mean : nil
    (baseNorms, chatNorms) = (norms[0], norms[1])
    codeNorms = zip(norms[0], norms[1]).map { codeNormalization.norm(base: $0, chat: $1) }
  }

  /// A crosscoder without latents, which is all that directions and amplification need.
  /// - Parameter dModel: the width of one model.
  public init(withoutLatents dModel: Int) {
    let nothing = Matrix(rows: 0, columns: 2 * dModel)
    self.init(
      encoder: nothing, encoderBias: [], decoder: nothing, decoderBias: [Float](repeating: 0, count: 2 * dModel))
  }

  /// Whether a code depends on base's residual stream; if not, chat's is enough.
  public var readsBase: Bool { target == .pair || target == .difference }

  /// The single θ; nil for an L1 crosscoder and if each model has its own.
  public var threshold: Float? { thresholds.count == 1 ? thresholds[0] : nil }

  /// The scale that turns codes into scaled activations.
  var codeScale: CodeScale { CodeScale(norms: codeNorms, modelNorms: [baseNorms, chatNorms]) }

  /// The decoder direction d_j of one model, `[d]`, not normalised.
  public func decoderDirection(_ latent: Int, _ model: PairModel) -> ArraySlice<Float> {
    let start = (2 * latent + model.index) * dModel
    return decoder.values[start..<start + dModel]
  }

  /// The same crosscoder without an input normaliser: the normaliser's arithmetic is moved into the weights.
  ///
  /// The weights become W_enc·s, b_enc − W_enc·s·mean, d/(s + 1e-8), b_dec/(s + 1e-8) + mean and θ/(s + 1e-8), with the
  /// s of each model; a threshold on f·n with two scales becomes one on f for each latent. Codes f stay the same (up to rounding). Directions and scaled activations are then in the
  /// residual stream's own units, which steering and Latent Scaling need.
  public func foldingNormaliser() -> Crosscoder {
    guard let normaliser else { return self }
    precondition(skip == nil, "no form has a skip connection beside a normaliser")
    var (encoder, decoder, encoderBias, decoderBias) = (encoder, decoder, encoderBias, decoderBias)
    let inverses = normaliser.fold(
      encoder: &encoder, encoderBias: &encoderBias, decoder: &decoder, decoderBias: &decoderBias)
    // The scale is now in the weights, so nobody needs to be asked for it again.
    var card = card
    card.inputScaling = nil
    var (thresholds, jumps) = (thresholds, jumpThresholds)
    if Set(normaliser.scales).count == 1 {
      thresholds = thresholds.map { codeNormalization == .none || $0 < 0 ? $0 : Float(Double($0) * inverses[0]) }
    } else if !thresholds.isEmpty {
      // Norms of two scales have no common factor, so each latent gets its own bound on f, which folding does not change.
      jumps = thresholds.enumerated().flatMap { place, bound in
        let norms = codeNormalization == .decoupled ? [baseNorms, chatNorms][place] : codeNorms
        return norms.map { bound < 0 ? 0 : $0 > 0 ? Float(Double(bound) / $0) : .greatestFiniteMagnitude }
      }
      thresholds = []
    }
    var folded = Crosscoder(
      encoder: encoder, encoderBias: encoderBias, decoder: decoder, decoderBias: decoderBias,
      codeNormalization: codeNormalization, k: k, thresholds: thresholds, normaliser: nil, card: card,
      jumpThresholds: jumps, target: target, activation: activation, selection: selection, tokenStep: tokenStep,
      readsElsewhere: readsElsewhere)
    folded.activationMean = activationMean
    return folded
  }
}

/// Where a crosscoder comes from. The card is stored with it; the caller checks that it is used with the same model.
public struct CrosscoderCard: Sendable, Equatable, Codable {
  /// The version of the format in which it was written.
  public var formatVersion = 1
  /// The decoder block, counted from 0, whose output the crosscoder reads.
  public var layer: Int?
  /// "<chat>-<base>", as the authors write it.
  public var modelName: String?
  /// SHA-256, in hex, of the model that chat runs on, and of the adapter or the base that makes it a pair.
  public var modelHash: String?
  public var adapterHash: String?
  public var baseModelHash: String?
  /// The data from which the activations were harvested.
  public var data: String?
  public var seed: UInt64?
  /// The number of tokens seen in training.
  public var trainingTokens: Int?
  /// The sizes of the nested parts of a Matryoshka dictionary, ascending; nil for a flat one.
  public var levels: [Int]?
  /// The latents that training gave to one model alone; nil if there are none.
  public var dedicated: DedicatedLatents?
  /// How inputs must be scaled before encoding, if the checkpoint does not hold the numbers for it.
  public var inputScaling: InputScaling?
  /// Figures of the finished training by name, such as `fve_base`.
  public var metrics: [String: Double] = [:]
  /// The norm above which a token was left out of training; its codes mean nothing.
  var normLimit: Double { metrics["norm_limit"] ?? .infinity }

  /// An empty card.
  public init() {}
}
