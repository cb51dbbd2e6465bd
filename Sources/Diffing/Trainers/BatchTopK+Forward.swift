// One batch through the crosscoder: encode, keep the k·B largest, reconstruct, and the gradient at each token.
//   e = x − x̂,  g = ∂L/∂x̂ = −e / (2B‖e‖) for each model (−e / B for squares),  ∂L/∂f_j = ⟨g, d_j⟩ for kept j
// Every sum over tokens runs in pieces of fixed size that are added in order, so threads do not change the result.
// Refuses: batches of another width, values that are not finite. Shape letters: B tokens, F latents, d width of one
// model.

import Kernels

/// Memory for one batch, kept from step to step.
struct BatchScratch {
  /// Tokens in a piece of token-wise work.
  static let piece = 64
  /// Tokens in a piece of the encoder product.
  static let encodePiece = 512

  let tokens: Int
  /// The normalised input x, `[B, 2·d]`.
  let input: FloatStorage
  /// W_enc x, `[B, F]`, without bias.
  let product: FloatStorage
  /// e = x − x̂, `[B, 2·d]`.
  let residual: FloatStorage
  /// g, `[B, 2·d]`.
  let gradient: FloatStorage
  /// Kept entries by token: where each token's begin, latent, f, ∂L/∂f.
  var offsets: [Int] = [0]
  var latents: [Int32] = []
  var codes: [Float] = []
  var codeGradients: [Float] = []

  init(tokens: Int, width: Int, nLatents: Int) {
    self.tokens = tokens
    input = FloatStorage(count: tokens * width)
    product = FloatStorage(count: tokens * nLatents)
    residual = FloatStorage(count: tokens * width)
    gradient = FloatStorage(count: tokens * width)
  }
}

/// Active latents of a run of tokens, as candidates for the k·B largest.
private struct Candidates {
  var counts: [Int] = []
  var latents: [Int32] = []
  var codes: [Float] = []
  var scaled: [Float] = []
}

extension BatchTopKTrainer {
  /// Runs the batch forward and backward; the gradients then stand in the parameter blocks, not yet clipped.
  func computeGradients(_ batch: PairedActivations) throws(DiffingError) -> Losses {
    guard batch.dModel == configuration.dModel, batch.tokens > 0 else {
      throw .shapeMismatch(
        path: "training", tensor: "batch", expected: [batch.tokens, 2, configuration.dModel],
        found: [batch.tokens, 2, batch.dModel])
    }
    guard
      batch.values.withUnsafeBufferPointer({ $0.baseAddress.map { countNonFinite($0, count: batch.values.count) } })
        == 0
    else { throw .trainingNotFinite(what: "an activation", step: step) }
    prepare(batch)
    var losses = Losses()
    losses.step = step
    let smallest = try select(count: k(at: step) * batch.tokens)
    countSilence()
    reconstruct(&losses)
    updateThreshold(smallest)
    backward()
    addAuxiliary(&losses)
    losses.l0 = Double(scratch.latents.count) / Double(batch.tokens)
    losses.total =
      0.5 * (losses.reconstructionBase + losses.reconstructionChat) + configuration.auxiliaryWeight * losses.auxiliary
    guard losses.total.isFinite else { throw .trainingNotFinite(what: "the loss", step: step) }
    return losses
  }

  /// Normalises the batch into the scratch; at the first step, sets what is taken from the first batch.
  private func prepare(_ batch: PairedActivations) {
    if scratch.tokens != batch.tokens {
      scratch = BatchScratch(tokens: batch.tokens, width: width, nLatents: configuration.nLatents)
    }
    if step == 0, normaliser == nil, configuration.normalisesInput {
      var moments = ActivationMoments(dModel: configuration.dModel)
      moments.add(batch)
      normaliser = moments.normaliser(targetRMS: configuration.targetRMS)
    }
    batch.values.withUnsafeBufferPointer { x in
      guard let x = x.baseAddress else { return }
      let input = scratch.input.start
      inPieces(of: BatchScratch.piece, count: batch.tokens) { tokens in
        for token in tokens {
          if let normaliser {
            normaliser.apply(x + token * width, into: input + token * width)
          } else {
            (input + token * width).update(from: x + token * width, count: width)
          }
        }
      }
    }
    if step == 0 {
      decoderBias.values.copy(
        PairedActivations(dModel: configuration.dModel, values: scratch.input.array).geometricMedian())
    }
  }

  /// Keeps the `count` largest scaled activations of the batch (fewer if fewer are positive; ties go to the earlier
  /// token, then the lower latent). Returns the smallest kept one, 0 if there is none.
  private func select(count: Int) throws(DiffingError) -> Float {
    multiplyEncoder()
    // Most often this batch's bound is near the last one's; if too few lie above half of it, all positive ones are
    // looked at.
    var candidates = collect(above: lastKept / 2)
    var total = candidates.reduce(0) { $0 + $1.scaled.count }
    if total < count && lastKept > 0 {
      candidates = collect(above: 0)
      total = candidates.reduce(0) { $0 + $1.scaled.count }
    }
    guard candidates.allSatisfy({ $0.scaled.allSatisfy(\.isFinite) }) else {
      throw .trainingNotFinite(what: "a code", step: step)
    }
    let bound = total > count ? largest(rank: count, of: candidates.map(\.scaled)) : 0
    let above = candidates.reduce(0) { sum, part in sum + part.scaled.reduce(0) { $0 + ($1 > bound ? 1 : 0) } }
    var ties = count - above
    var smallest = Float.infinity
    scratch.offsets = [0]
    scratch.latents.removeAll(keepingCapacity: true)
    scratch.codes.removeAll(keepingCapacity: true)
    for part in candidates {
      var entry = 0
      for found in part.counts {
        for _ in 0..<found {
          let scaled = part.scaled[entry]
          if scaled > bound || scaled == bound && ties > 0 {
            if scaled == bound { ties -= 1 }
            smallest = min(smallest, scaled)
            scratch.latents.append(part.latents[entry])
            scratch.codes.append(part.codes[entry])
          }
          entry += 1
        }
        scratch.offsets.append(scratch.latents.count)
      }
    }
    lastKept = smallest.isFinite ? smallest : 0
    return lastKept
  }

  private func multiplyEncoder() {
    let (F, width) = (configuration.nLatents, width)
    inPieces(of: BatchScratch.encodePiece, count: scratch.tokens) { tokens in
      gemmOnThisThread(
        m: tokens.count, n: F, k: width, scratch.input.start + tokens.lowerBound * width, .asStored, lda: width,
        encoder.values.start, .transposed, ldb: width, into: scratch.product.start + tokens.lowerBound * F, ldc: F)
    }
  }

  private func collect(above bound: Float) -> [Candidates] {
    let F = configuration.nLatents
    let size = BatchScratch.piece
    var parts = [Candidates](repeating: Candidates(), count: (scratch.tokens + size - 1) / size)
    let bias = encoderBias.values.array
    let norms = codeNorms.array
    parts.withUnsafeMutableBufferPointer { parts in
      inPieces(of: size, count: scratch.tokens) { tokens in
        var columns = CandidateColumns(capacity: F)
        var part = Candidates()
        for token in tokens {
          let found = columns.collect(
            scratch.product.start + token * F, bias: bias, norms: norms, count: F, bound: bound)
          part.counts.append(found)
          part.latents += columns.latents[..<found]
          part.codes += columns.codes[..<found]
          part.scaled += columns.scaled[..<found]
        }
        parts[tokens.lowerBound / size] = part
      }
    }
    return parts
  }

  /// Tokens since each latent was on; 0 for those on in this batch.
  private func countSilence() {
    for latent in tokensSinceFired.indices { tokensSinceFired[latent] += scratch.tokens }
    for latent in scratch.latents { tokensSinceFired[Int(latent)] = 0 }
  }

  /// θ follows the smallest kept scaled activation.
  private func updateThreshold(_ smallest: Float) {
    guard step > configuration.thresholdStart else { return }
    let decay = Float(configuration.thresholdDecay)
    threshold = threshold < 0 ? smallest : decay * threshold + (1 - decay) * smallest
  }

  /// x̂, e, g and ∂L/∂f for every token; losses and explained variance.
  private func reconstruct(_ losses: inout Losses) {
    let (B, d, width) = (scratch.tokens, configuration.dModel, width)
    let size = BatchScratch.piece
    let pieces = (B + size - 1) / size
    // For each piece and model: Σ loss, Σ‖e‖², Σ‖x‖²; then Σ x.
    let stride = 6 + width
    var sums = [Double](repeating: 0, count: pieces * stride)
    var codeGradients = [Float](repeating: 0, count: scratch.codes.count)
    let scratch = scratch
    sums.withUnsafeMutableBufferPointer { sums in
      codeGradients.withUnsafeMutableBufferPointer { codeGradients in
        scratch.codes.withUnsafeBufferPointer { codes in
          scratch.latents.withUnsafeBufferPointer { latents in
            inPieces(of: size, count: B) { tokens in
              guard let sums = sums.baseAddress.map({ $0 + tokens.lowerBound / size * stride }) else { return }
              for token in tokens {
                let entries = scratch.offsets[token]..<scratch.offsets[token + 1]
                let x = scratch.input.start + token * width
                let e = scratch.residual.start + token * width
                let g = scratch.gradient.start + token * width
                for index in 0..<width { e[index] = x[index] - decoderBias.values.start[index] }
                for entry in entries {
                  addScaled(-codes[entry], decoder.values.start + Int(latents[entry]) * width, to: e, count: width)
                }
                for model in 0..<2 {
                  let square = squareSum(e + model * d, count: d)
                  let norm = square.squareRoot()
                  sums[3 * model] += configuration.squaredLoss ? square : norm
                  sums[3 * model + 1] += square
                  sums[3 * model + 2] += squareSum(x + model * d, count: d)
                  let factor = Float(
                    configuration.squaredLoss ? -1 / Double(B) : norm > 0 ? -1 / (2 * Double(B) * norm) : 0)
                  for index in model * d..<(model + 1) * d { g[index] = factor * e[index] }
                }
                addScaled(1.0, x, to: sums + 6, count: width)
                for entry in entries {
                  codeGradients[entry] = dot(g, decoder.values.start + Int(latents[entry]) * width, count: width)
                }
              }
            }
          }
        }
      }
    }
    self.scratch.codeGradients = codeGradients
    var whole = [Double](repeating: 0, count: stride)
    for piece in 0..<pieces { for index in 0..<stride { whole[index] += sums[piece * stride + index] } }
    func explained(_ model: Int) -> Double {
      let mean = whole[(6 + model * d)..<(6 + (model + 1) * d)].reduce(0.0) { $0 + $1 * $1 } / Double(B)
      let variance = whole[3 * model + 2] - mean
      return variance > 0 ? 1 - whole[3 * model + 1] / variance : 0
    }
    losses.reconstructionBase = whole[0] / Double(B)
    losses.reconstructionChat = whole[3] / Double(B)
    losses.fveBase = explained(0)
    losses.fveChat = explained(1)
  }
}
