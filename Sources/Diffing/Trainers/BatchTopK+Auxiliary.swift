// The auxiliary loss: dead latents learn to explain what the living ones leave over, and so come back to life.
//   a = the (at most d/2) most active dead codes of each token,  u = e − Σ_j a_j d_j
//   L_aux = mean ‖u‖² / V,  V = mean ‖e − ē‖²
// e and V take no gradient. A dead DECOUPLED code counts by the sum of its norms and in all models. Dead latents are
// not kept in this batch, so their gradient comes from here alone. Shape letters: B tokens, N dead latents, d width of
// one model. Source: the authors' get_auxiliary_loss, after arXiv 2406.04093, A.2.

import Kernels

extension BatchTopKTrainer {
  /// Adds α times the auxiliary loss of this batch, and α times its gradients.
  func addAuxiliary(_ losses: inout TrainingLosses) {
    let bound = run.settings.deadBound
    let dead = run.tokensSinceFired.indices.filter { run.tokensSinceFired[$0] >= bound }
    let variance = residualVariance()
    guard !dead.isEmpty, configuration.auxiliaryWeight > 0, variance > 0 else { return }
    let (B, N, width) = (run.tokens, dead.count, run.settings.width)
    let count = min(configuration.auxiliaryLatents ?? max(1, run.settings.dModel / 2), N)
    let codes = deadCodes(dead, keeping: count)
    let rows = FloatStorage(count: N * width)
    for (place, latent) in dead.enumerated() {
      (rows.start + place * width).update(from: run.decoder.values.start + latent * width, count: width)
    }
    // G = α ∂L_aux/∂ê = −2α u / (B V)
    let gradient = FloatStorage(run.residual.array)
    gemm(m: B, n: width, k: N, alpha: -1, codes.start, .asStored, rows.start, .asStored, beta: 1, into: gradient.start)
    losses.auxiliary = squareSum(gradient.start, count: gradient.count) / Double(B) / variance
    let factor = Float(-2 * configuration.auxiliaryWeight / (Double(B) * variance))
    for index in 0..<gradient.count { gradient.start[index] *= factor }
    let codeGradient = FloatStorage(count: B * N)
    gemm(m: B, n: N, k: width, gradient.start, .asStored, rows.start, .transposed, into: codeGradient.start)
    for index in 0..<B * N where codes.start[index] == 0 { codeGradient.start[index] = 0 }
    let decoderGradient = FloatStorage(count: N * width)
    let encoderGradient = FloatStorage(count: N * width)
    gemm(m: N, n: width, k: B, codes.start, .transposed, gradient.start, .asStored, into: decoderGradient.start)
    gemm(
      m: N, n: width, k: B, codeGradient.start, .transposed, run.input.start, .asStored, into: encoderGradient.start
    )
    for (place, latent) in dead.enumerated() {
      var bias = 0.0
      for token in 0..<B { bias += Double(codeGradient.start[token * N + place]) }
      run.encoderBias.gradient.start[latent] = Float(bias)
      (run.decoder.gradient.start + latent * width).update(from: decoderGradient.start + place * width, count: width)
      (run.encoder.gradient.start + latent * width).update(from: encoderGradient.start + place * width, count: width)
      run.hasGradient[latent] = true
    }
  }

  /// `[B, N]`: for each token the `count` dead codes with the largest scaled activation; all others are 0.
  private func deadCodes(_ dead: [Int], keeping count: Int) -> FloatStorage {
    let (F, N) = (run.settings.nLatents, dead.count)
    let codes = FloatStorage(count: run.tokens * N)
    inPieces(of: TrainingRun.tokenPiece, count: run.tokens) { tokens in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: N) { scaled in
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: N) { places in
          guard let scaled = scaled.baseAddress, let places = places.baseAddress else { return }
          for token in tokens {
            let product = run.product.start + token * F
            var found = 0
            for (place, latent) in dead.enumerated() {
              let code = product[latent] + run.encoderBias.values.start[latent]
              guard code > 0 else { continue }
              scaled[found] = code * run.codeNorms.start[latent]
              places[found] = Int32(place)
              found += 1
            }
            if found > count { moveLargestFirst(count, scaled, places, count: found) }
            for index in 0..<min(found, count) {
              let place = Int(places[index])
              codes.start[token * N + place] = product[dead[place]] + run.encoderBias.values.start[dead[place]]
            }
          }
        }
      }
    }
    return codes
  }

  /// The mean over tokens of ‖e − ē‖², both models together.
  private func residualVariance() -> Double {
    let (B, width) = (run.tokens, run.settings.width)
    var mean = [Double](repeating: 0, count: width)
    var square = 0.0
    mean.withUnsafeMutableBufferPointer { mean in
      guard let mean = mean.baseAddress else { return }
      for token in 0..<B {
        let row = run.residual.start + token * width
        addScaled(1 / Double(B), row, to: mean, count: width)
        square += squareSum(row, count: width)
      }
    }
    return square / Double(B) - mean.reduce(0) { $0 + $1 * $1 }
  }
}
