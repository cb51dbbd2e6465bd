// Prepares a batch, and measures a reconstruction: losses, explained variance, the gradient at x̂.
//   e = x − x̂,  L_rec = mean over tokens and models of ‖e‖,  g = ∂L_rec/∂x̂ = −e / (M·B·‖e‖), or −2e / (M·B) for squares
// Every sum over tokens runs in pieces of fixed size that are added in order, so threads do not change the result.
// Shape letters: B tokens, F latents, d width of one model, M models.

import Kernels

extension TrainingRun {
  /// Normalises the batch into `input`. The first step also sets what is derived from the first batch.
  /// - Throws: `DiffingError.shapeMismatch`, `.trainingNotFinite`.
  func prepare(_ batch: PairedActivations) throws(DiffingError) {
    guard batch.dModel == settings.dModel, batch.tokens > 0 else {
      throw .shapeMismatch(
        path: "training", tensor: "batch", expected: [batch.tokens, 2, settings.dModel],
        found: [batch.tokens, 2, batch.dModel])
    }
    let rows = settings.target.rows(of: batch)
    guard rows.withUnsafeBufferPointer({ $0.baseAddress.map { countNonFinite($0, count: rows.count) } }) == 0 else {
      throw .trainingNotFinite(what: "an activation", step: step)
    }
    makeRoom(tokens: batch.tokens)
    let width = settings.width
    if step == 0, normaliser == nil, settings.normalisesInput {
      var moments = ActivationMoments(width: width)
      moments.add(rows)
      normaliser = moments.normaliser(targetRMS: settings.targetRMS)
    }
    rows.withUnsafeBufferPointer { x in
      guard let x = x.baseAddress else { return }
      inPieces(of: Self.tokenPiece, count: tokens) { tokens in
        for token in tokens {
          if let normaliser {
            normaliser.apply(x + token * width, into: input.start + token * width)
          } else {
            (input.start + token * width).update(from: x + token * width, count: width)
          }
        }
      }
    }
    if step == 0 {
      decoderBias.values.copy(geometricMedian(of: input.array, nModels: settings.nModels, dModel: settings.dModel))
    }
  }

  /// Computes `product` ← W_enc x.
  func multiplyEncoder() {
    let (F, width) = (settings.nLatents, settings.width)
    inPieces(of: Self.encodePiece, count: tokens) { tokens in
      gemmOnThisThread(
        m: tokens.count, n: F, k: width, input.start + tokens.lowerBound * width, .asStored, lda: width,
        encoder.values.start, .transposed, ldb: width, into: product.start + tokens.lowerBound * F, ldc: F)
    }
  }

  /// Computes e ← x − b_dec of one token; the method then subtracts Σ f_j d_j from it.
  func beginResidual(token: Int) {
    let width = settings.width
    let (x, e) = (input.start + token * width, residual.start + token * width)
    for index in 0..<width { e[index] = x[index] - decoderBias.values.start[index] }
  }

  /// Fills `residual` and `gradient`, and the reconstruction's part of `losses`.
  /// - Parameters:
  ///   - reconstruct: completes a token's `residual` if it is not complete yet.
  ///   - then: is called when the token's `gradient` is ready.
  func measure(_ losses: inout TrainingLosses, reconstruct: (Int) -> Void, then: (Int) -> Void) {
    let (B, d, M, width) = (tokens, settings.dModel, settings.nModels, settings.width)
    let size = Self.tokenPiece
    let pieces = (B + size - 1) / size
    // For each piece and model: Σ loss, Σ‖e‖², Σ‖x‖²; then Σ x.
    let stride = 3 * M + width
    var sums = [Double](repeating: 0, count: pieces * stride)
    sums.withUnsafeMutableBufferPointer { sums in
      guard let start = sums.baseAddress else { return }
      inPieces(of: size, count: B) { tokens in
        let sums = start + tokens.lowerBound / size * stride
        for token in tokens {
          reconstruct(token)
          measure(token: token, into: sums)
          addScaled(1.0, input.start + token * width, to: sums + 3 * M, count: width)
          then(token)
        }
      }
    }
    var whole = [Double](repeating: 0, count: stride)
    for piece in 0..<pieces { for index in 0..<stride { whole[index] += sums[piece * stride + index] } }
    losses.reconstruction = (0..<M).map { whole[3 * $0] / Double(B) }
    losses.fve = (0..<M).map { model in
      let start = 3 * M + model * d
      let mean = whole[start..<start + d].reduce(0.0) { $0 + $1 * $1 } / Double(B)
      let variance = whole[3 * model + 2] - mean
      return variance > 0 ? 1 - whole[3 * model + 1] / variance : 0
    }
    losses.total = losses.reconstruction.reduce(0, +) / Double(M)
  }

  /// Computes one token's losses and its g.
  private func measure(token: Int, into sums: UnsafeMutablePointer<Double>) {
    let (B, d, M, width) = (Double(tokens), settings.dModel, settings.nModels, settings.width)
    let (x, e, g) = (
      input.start + token * width, residual.start + token * width, gradient.start + token * width
    )
    for model in 0..<M {
      let square = squareSum(e + model * d, count: d)
      let norm = square.squareRoot()
      sums[3 * model] += settings.squaredLoss ? square : norm
      sums[3 * model + 1] += square
      sums[3 * model + 2] += squareSum(x + model * d, count: d)
      let count = Double(M) * B
      let factor = Float(settings.squaredLoss ? -2 / count : norm > 0 ? -1 / (count * norm) : 0)
      for index in model * d..<(model + 1) * d { g[index] = factor * e[index] }
    }
  }

  /// Computes ∂L/∂b_dec = Σ_i g_i, in order.
  func sumDecoderBiasGradient() {
    let width = settings.width
    withUnsafeTemporaryAllocation(of: Double.self, capacity: width) { sum in
      guard let start = sum.baseAddress else { return }
      sum.initialize(repeating: 0)
      for token in 0..<tokens { addScaled(1.0, gradient.start + token * width, to: start, count: width) }
      for index in 0..<width { decoderBias.gradient.start[index] = Float(sum[index]) }
    }
  }
}
