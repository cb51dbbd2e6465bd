// From the gradients at tokens to those of parameters, and the Adam step.
//   ∂L/∂d_j = Σ_i f_ij g_i,  ∂L/∂w_j = Σ_i (∂L/∂f_ij) x_i,  ∂L/∂b_enc,j = Σ_i ∂L/∂f_ij,  ∂L/∂b_dec = Σ_i g_i
// Latents that were not kept anywhere have no gradient, but Adam's moments still decay and move them, as in the dense
// reference.
// Shape letters: B tokens, F latents, d width of one model.

import Kernels

extension BatchTopKTrainer {
  /// Latents in a piece of latent-wise work.
  static var latentPiece: Int { 64 }

  /// Gradients of all parameters from the kept entries.
  func backward() {
    let (F, width) = (configuration.nLatents, width)
    let byLatent = entriesByLatent()
    let scratch = scratch
    for latent in 0..<F { hasGradient[latent] = byLatent.offsets[latent + 1] > byLatent.offsets[latent] }
    inPieces(of: Self.latentPiece, count: F) { latents in
      for latent in latents {
        let entries = byLatent.offsets[latent]..<byLatent.offsets[latent + 1]
        var biasGradient = 0.0
        if !entries.isEmpty {
          let encoderRow = encoder.gradient.start + latent * width
          let decoderRow = decoder.gradient.start + latent * width
          encoderRow.update(repeating: 0, count: width)
          decoderRow.update(repeating: 0, count: width)
          for index in entries {
            let (entry, token) = (byLatent.entries[index], byLatent.tokens[index])
            addScaled(scratch.codes[entry], scratch.gradient.start + token * width, to: decoderRow, count: width)
            addScaled(scratch.codeGradients[entry], scratch.input.start + token * width, to: encoderRow, count: width)
            biasGradient += Double(scratch.codeGradients[entry])
          }
        }
        encoderBias.gradient.start[latent] = Float(biasGradient)
      }
    }
    // Σ_i g_i, in order.
    withUnsafeTemporaryAllocation(of: Double.self, capacity: width) { sum in
      guard let start = sum.baseAddress else { return }
      sum.initialize(repeating: 0)
      for token in 0..<scratch.tokens {
        addScaled(1.0, scratch.gradient.start + token * width, to: start, count: width)
      }
      for index in 0..<width { decoderBias.gradient.start[index] = Float(sum[index]) }
    }
  }

  /// The kept entries by latent, tokens ascending within each.
  private func entriesByLatent() -> (offsets: [Int], entries: [Int], tokens: [Int]) {
    var offsets = [Int](repeating: 0, count: configuration.nLatents + 1)
    for latent in scratch.latents { offsets[Int(latent) + 1] += 1 }
    for latent in 0..<configuration.nLatents { offsets[latent + 1] += offsets[latent] }
    var next = offsets
    var entries = [Int](repeating: 0, count: scratch.latents.count)
    var tokens = entries
    for token in 0..<scratch.tokens {
      for entry in scratch.offsets[token]..<scratch.offsets[token + 1] {
        let latent = Int(scratch.latents[entry])
        entries[next[latent]] = entry
        tokens[next[latent]] = token
        next[latent] += 1
      }
    }
    return (offsets, entries, tokens)
  }

  /// Clips the gradients, takes the Adam step and completes `losses`.
  func update(_ losses: inout Losses) throws(DiffingError) {
    let (F, width) = (configuration.nLatents, width)
    let norm = gradientNorm()
    guard norm.isFinite else { throw .trainingNotFinite(what: "the gradient", step: step) }
    losses.gradientNorm = norm
    losses.learningRate = learningRate(at: step)
    losses.dead = tokensSinceFired.reduce(0) { $0 + ($1 >= configuration.deadAfterTokens ? 1 : 0) }
    let adam = AdamStep(
      step: step + 1, learningRate: losses.learningRate,
      gradientScale: min(1, configuration.gradientClip / (norm + 1e-6)))
    inPieces(of: Self.latentPiece, count: F) { latents in
      for latent in latents {
        for block in [encoder, decoder] {
          adam.apply(to: block, hasGradient: hasGradient[latent], latent * width..<(latent + 1) * width)
        }
      }
      adam.apply(to: encoderBias, hasGradient: true, latents)
      updateCodeNorms(latents)
    }
    adam.apply(to: decoderBias, hasGradient: true, 0..<width)
    step += 1
    losses.threshold = threshold
  }

  /// n_j of the present decoder, for some latents.
  func updateCodeNorms(_ latents: Range<Int>) {
    let d = configuration.dModel
    for latent in latents {
      let row = decoder.values.start + latent * width
      codeNorms.start[latent] = Float(
        CodeNormalization.crosscoder.norm(
          base: squareSum(row, count: d).squareRoot(), chat: squareSum(row + d, count: d).squareRoot()))
    }
  }

  private func gradientNorm() -> Double {
    let (F, width) = (configuration.nLatents, width)
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
  /// One step over part of a block.
  fileprivate func apply(to block: ParameterBlock, hasGradient: Bool, _ range: Range<Int>) {
    apply(
      to: block.values.start + range.lowerBound, moment1: block.moment1.start + range.lowerBound,
      moment2: block.moment2.start + range.lowerBound,
      gradient: hasGradient ? UnsafePointer(block.gradient.start + range.lowerBound) : nil, count: range.count)
  }
}
