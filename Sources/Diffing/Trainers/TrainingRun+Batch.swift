// Prepares a batch, and measures a reconstruction: losses, explained variance, the gradient at x̂.
//   e = x − x̂,  L_rec = mean over tokens and models of ‖e‖,  g = ∂L_rec/∂x̂ = −e / (M·B·‖e‖), or −2e / (M·B) for squares
// Where nested parts of the dictionary reconstruct, L_rec is the mean over them, and each has a g of its own.
// Every sum over tokens runs in pieces of fixed size that are added in order, so threads do not change the result.
// Shape letters: B tokens, F latents, d width of one model, M models, S levels.

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
  ///   - reconstruct: is given a token and a level, and completes the token's `residual` up to that level.
  ///   - then: is called when the token's `gradient` is ready at all levels.
  func measure(
    _ losses: inout TrainingLosses, reconstruct: (_ token: Int, _ level: Int) -> Void, then: (Int) -> Void
  ) {
    let S = nLevels
    let (B, d, M, width) = (tokens, settings.dModel, settings.nModels, settings.width)
    let size = Self.tokenPiece
    let pieces = (B + size - 1) / size
    // For each piece, level and model: Σ loss, Σ‖e‖²; then Σ‖x‖² for each model, then Σ x.
    let (inputSquares, inputSums) = (2 * M * S, 2 * M * S + M)
    let stride = inputSums + width
    var sums = [Double](repeating: 0, count: pieces * stride)
    sums.withUnsafeMutableBufferPointer { sums in
      guard let start = sums.baseAddress else { return }
      inPieces(of: size, count: B) { tokens in
        let sums = start + tokens.lowerBound / size * stride
        for token in tokens {
          let x = input.start + token * width
          for level in 0..<S {
            reconstruct(token, level)
            measure(token: token, level: level, into: sums + 2 * M * level)
          }
          for level in (0..<S - 1).reversed() {
            let g = gradient.start + (level * B + token) * width
            for index in 0..<width { g[index] += g[B * width + index] }
          }
          for model in 0..<M { sums[inputSquares + model] += squareSum(x + model * d, count: d) }
          addScaled(1.0, x, to: sums + inputSums, count: width)
          then(token)
        }
      }
    }
    var whole = [Double](repeating: 0, count: stride)
    for piece in 0..<pieces { for index in 0..<stride { whole[index] += sums[piece * stride + index] } }
    let variances = (0..<M).map { model in
      let start = inputSums + model * d
      return whole[inputSquares + model] - whole[start..<start + d].reduce(0.0) { $0 + $1 * $1 } / Double(B)
    }
    let levels = (0..<S).map { level in
      let start = 2 * M * level
      return TrainingLosses.Level(
        reconstruction: (0..<M).map { whole[start + 2 * $0] / Double(B) },
        fve: (0..<M).map { variances[$0] > 0 ? 1 - whole[start + 2 * $0 + 1] / variances[$0] : 0 })
    }
    losses.levels = S > 1 ? levels : []
    (losses.reconstruction, losses.fve) = (levels[S - 1].reconstruction, levels[S - 1].fve)
    losses.total = levels.reduce(0) { $0 + $1.reconstruction.reduce(0, +) } / Double(M * S)
  }

  /// Computes one token's losses and its g at one level.
  private func measure(token: Int, level: Int, into sums: UnsafeMutablePointer<Double>) {
    let (d, M, width) = (settings.dModel, settings.nModels, settings.width)
    let (e, g) = (residual.start + token * width, gradient.start + (level * tokens + token) * width)
    let count = Double(M) * Double(tokens) * Double(nLevels)
    for model in 0..<M {
      let square = squareSum(e + model * d, count: d)
      let norm = square.squareRoot()
      sums[2 * model] += settings.squaredLoss ? square : norm
      sums[2 * model + 1] += square
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
