// The end of every step: clipping the gradients, Adam, the norms of the new decoder, the count of steps.
// Latents without a gradient in this step still move: Adam's moments decay, as in the dense reference.
// Shape letters: F latents.

import Kernels

extension TrainingRun {
  /// Takes the step with the gradients in the parameter blocks, and completes `losses`.
  /// - Throws: `DiffingError.trainingNotFinite`; the parameters are then as they were.
  func update(_ losses: inout TrainingLosses) throws(DiffingError) {
    guard losses.total.isFinite else { throw .trainingNotFinite(what: "the loss", step: step) }
    let (F, width) = (settings.nLatents, settings.width)
    let norm = gradientNorm()
    guard norm.isFinite else { throw .trainingNotFinite(what: "the gradient", step: step) }
    losses.gradientNorm = norm
    losses.learningRate = settings.learningRate(at: step)
    losses.dead = tokensSinceFired.reduce(0) { $0 + ($1 >= settings.deadBound ? 1 : 0) }
    let adam = AdamStep(
      step: step + 1, learningRate: losses.learningRate,
      gradientScale: settings.gradientClip.map { min(1, $0 / (norm + 1e-6)) } ?? 1)
    inPieces(of: Self.latentPiece, count: F) { latents in
      for latent in latents {
        for block in [encoder, decoder] {
          adam.apply(to: block, hasGradient: hasGradient[latent], latent * width..<(latent + 1) * width)
        }
      }
      adam.apply(to: encoderBias, hasGradient: true, latents)
      updateNorms(latents)
    }
    adam.apply(to: decoderBias, hasGradient: true, 0..<width)
    step += 1
  }

  /// Counts a batch as silent for every latent, and restarts the count at 0 for those that were on.
  func countSilence(except latents: some Sequence<Int>) {
    for latent in tokensSinceFired.indices { tokensSinceFired[latent] += tokens }
    for latent in latents { tokensSinceFired[latent] = 0 }
  }

  private func gradientNorm() -> Double {
    let (F, width) = (settings.nLatents, settings.width)
    var squares = [Double](repeating: 0, count: F)
    squares.withUnsafeMutableBufferPointer { squares in
      inPieces(of: Self.latentPiece, count: F) { latents in
        for latent in latents where hasGradient[latent] {
          squares[latent] =
            squareSum(encoder.gradient.start + latent * width, count: width)
            + squareSum(decoder.gradient.start + latent * width, count: width)
        }
      }
    }
    return
      (squares.reduce(0, +) + squareSum(encoderBias.gradient.start, count: F)
      + squareSum(decoderBias.gradient.start, count: width)).squareRoot()
  }
}

extension AdamStep {
  /// Takes one step over a part of a block.
  fileprivate func apply(to block: ParameterBlock, hasGradient: Bool, _ range: Range<Int>) {
    apply(
      to: block.values.start + range.lowerBound, moment1: block.moment1.start + range.lowerBound,
      moment2: block.moment2.start + range.lowerBound,
      gradient: hasGradient ? UnsafePointer(block.gradient.start + range.lowerBound) : nil, count: range.count)
  }
}
