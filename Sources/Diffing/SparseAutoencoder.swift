// A dictionary that reads one vector for each token: base's residual stream, chat's, or chat − base.
//   f = ReLU(W x + b),  on where f_j > θ,  x̂ = Σ_j f_j d_j + b_dec,  every ‖d_j‖ = 1
// The weights are in the activations' own units. Shape letters: T tokens, F latents, d width.
// Source: dictionary_learning, trainers/batch_top_k.py.

import Kernels

/// A sparse autoencoder with BatchTopK's threshold.
public struct SparseAutoencoder: Sendable {
  /// What it reads: `.base`, `.chat` or `.difference`.
  public let target: TrainingTarget
  /// W `[F, d]`.
  public let encoder: Matrix
  /// b `[F]`, for the unchanged x.
  public let encoderBias: [Float]
  /// d_j `[F, d]`, with norm 1.
  public let decoder: Matrix
  /// b_dec `[d]`.
  public let decoderBias: [Float]
  /// The number of latents that training kept for a token, on average.
  public let k: Int
  /// θ; −1 means not set.
  public let threshold: Float
  /// Where the dictionary comes from.
  public var card: CrosscoderCard

  /// The result of a run so far: the normaliser is moved into the weights, the decoder's norms into the encoder.
  init(run: TrainingRun, k: Int, threshold: Float, card: CrosscoderCard) {
    precondition(run.settings.nModels == 1, "a crosscoder has two decoder directions")
    let (F, d) = (run.settings.nLatents, run.settings.dModel)
    var encoder = Matrix(rows: F, columns: d, values: run.encoder.values.array)
    var decoder = Matrix(rows: F, columns: d, values: run.decoder.values.array)
    var (bias, decoderBias, threshold) = (run.encoderBias.values.array, run.decoderBias.values.array, threshold)
    if let normaliser = run.normaliser {
      let inverses = normaliser.fold(
        encoder: &encoder, encoderBias: &bias, decoder: &decoder, decoderBias: &decoderBias)
      if threshold >= 0 { threshold = Float(Double(threshold) * inverses[0]) }
    }
    for latent in 0..<F {
      let range = latent * d..<(latent + 1) * d
      let norm = decoder.values[range].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      guard norm > 0 else { continue }
      for index in range {
        decoder.values[index] = Float(Double(decoder.values[index]) / norm)
        encoder.values[index] = Float(Double(encoder.values[index]) * norm)
      }
      bias[latent] = Float(Double(bias[latent]) * norm)
    }
    self.init(
      target: run.settings.target, encoder: encoder, encoderBias: bias, decoder: decoder, decoderBias: decoderBias,
      k: k, threshold: threshold, card: card)
  }

  init(
    target: TrainingTarget, encoder: Matrix, encoderBias: [Float], decoder: Matrix, decoderBias: [Float], k: Int,
    threshold: Float, card: CrosscoderCard
  ) {
    (self.target, self.encoder, self.encoderBias) = (target, encoder, encoderBias)
    (self.decoder, self.decoderBias, self.k) = (decoder, decoderBias, k)
    (self.threshold, self.card) = (threshold, card)
  }

  /// Encodes the tokens of a pair.
  /// - Throws: `DiffingError.shapeMismatch` for another width, `.notFinite` naming the token.
  public func encode(_ activations: PairedActivations) throws(DiffingError) -> SparseCodes {
    guard activations.dModel == encoder.columns else {
      throw .shapeMismatch(
        path: "activations", tensor: "x", expected: [activations.tokens, 2, encoder.columns],
        found: [activations.tokens, 2, activations.dModel])
    }
    try activations.requireFinite("activation")
    let rule = CodeRule(norms: [[Double](repeating: 1, count: encoder.rows)], thresholds: [threshold])
    return SparseEncoder(weights: encoder, bias: encoderBias, rule: rule, normaliser: nil)
      .encode(target.rows(of: activations), tokens: activations.tokens)
  }

  /// The reconstruction x̂ `[T, d]`.
  public func decode(_ codes: SparseCodes) -> Matrix {
    precondition(codes.nLatents == encoder.rows, "the codes have \(codes.nLatents) latents, not \(encoder.rows)")
    let d = encoder.columns
    var result = Matrix(rows: codes.tokens, columns: d)
    for token in 0..<codes.tokens {
      var row = decoderBias.map { Double($0) }
      for entry in codes.entries(of: token) {
        let direction = decoder.row(Int(codes.latents[entry]))
        for (index, value) in direction.enumerated() { row[index] += Double(codes.values[entry]) * Double(value) }
      }
      for index in 0..<d { result[token, index] = Float(row[index]) }
    }
    return result
  }
}
