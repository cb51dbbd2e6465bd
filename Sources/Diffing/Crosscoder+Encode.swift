// Activations to sparse codes and back.
// Candidates come from an fp32 product over all latents; the few that may be on are then computed again in fp64, so
// that a code depends neither on the BLAS nor on how tokens were batched. Costs 2·d·F multiplications a token, plus 2·d
// for each active latent.
// Refuses: activations of another width, NaN and infinity. Shape letters: T tokens, F latents, d width of one model.

import Kernels

extension Crosscoder {
  /// Encodes T tokens: BatchTopK latents are on where f·n > θ, JumpReLU ones where f > θ_j, others where f > 0. No
  /// decoder bias is subtracted.
  /// - Throws: `DiffingError.shapeMismatch` for another width, `.notFinite` naming the token, `.inputScaleUnknown` if
  ///   the checkpoint's inputs want a scale that nobody has given (`scalingInputs`).
  public func encode(_ activations: PairedActivations) throws(DiffingError) -> SparseCodes {
    guard activations.dModel == dModel else {
      throw .shapeMismatch(
        path: "activations", tensor: "x", expected: [activations.tokens, 2, dModel],
        found: [activations.tokens, 2, activations.dModel])
    }
    guard card.inputScaling == nil || normaliser != nil else { throw .inputScaleUnknown }
    try activations.requireFinite("activation")
    let T = activations.tokens
    let rows = max(8, min(512, (1 << 21) / max(1, nLatents)))
    var parts = [CodePart](repeating: CodePart(), count: (T + rows - 1) / rows)
    let largest = largestEncoderNorm
    parts.withUnsafeMutableBufferPointer { parts in
      activations.values.withUnsafeBufferPointer { x in
        guard let x = x.baseAddress else { return }
        inPieces(of: rows, count: T) { tokens in
          parts[tokens.lowerBound / rows] = encodePart(x + tokens.lowerBound * 2 * dModel, tokens.count, largest)
        }
      }
    }
    var offsets = [0]
    offsets.reserveCapacity(T + 1)
    for part in parts { for count in part.counts { offsets.append(offsets[offsets.count - 1] + count) } }
    return SparseCodes(
      nLatents: nLatents, offsets: offsets, latents: parts.flatMap(\.latents), values: parts.flatMap(\.values))
  }

  /// Reconstructs activations `[T, 2, d]` in the models' own units: x̂ = Σ f_j d_j + b_dec, then the normaliser undone.
  public func decode(_ codes: SparseCodes) -> PairedActivations {
    precondition(codes.nLatents == nLatents, "codes of \(codes.nLatents) latents, not \(nLatents)")
    let width = 2 * dModel
    let values = [Float](unsafeUninitializedCapacity: codes.tokens * width) { buffer, count in
      count = codes.tokens * width
      guard let out = buffer.baseAddress else { return }
      inPieces(of: 64, count: codes.tokens) { tokens in
        withUnsafeTemporaryAllocation(of: Double.self, capacity: width) { row in
          guard let row = row.baseAddress else { return }
          for token in tokens {
            reconstruct(codes, token: token, into: row)
            for index in 0..<width { out[token * width + index] = Float(row[index]) }
          }
        }
      }
    }
    return PairedActivations(dModel: dModel, values: values)
  }

  /// Scaled activations of the entries of `codes`: f·n, in their order.
  public func scaled(_ codes: SparseCodes) -> [Float] {
    zip(codes.latents, codes.values).map { Float(Double($1) * codeNorms[Int($0)]) }
  }

  /// x̂ of one token in fp64, `[2·d]`, in the models' own units.
  func reconstruct(_ codes: SparseCodes, token: Int, into row: UnsafeMutablePointer<Double>) {
    let width = 2 * dModel
    for index in 0..<width { row[index] = Double(decoderBias[index]) }
    decoder.values.withUnsafeBufferPointer { decoder in
      guard let decoder = decoder.baseAddress else { return }
      for entry in codes.entries(of: token) {
        addScaled(Double(codes.values[entry]), decoder + Int(codes.latents[entry]) * width, to: row, count: width)
      }
    }
    normaliser?.restore(row)
  }

  private var largestEncoderNorm: Double {
    encoder.values.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return 0 }
      return (0..<nLatents).reduce(0.0) { max($0, squareSum(start + $1 * 2 * dModel, count: 2 * dModel)) }.squareRoot()
    }
  }

  /// Encodes `count` tokens on this thread.
  private func encodePart(_ x: UnsafePointer<Float>, _ count: Int, _ largestNorm: Double) -> CodePart {
    let (F, width) = (nLatents, 2 * dModel)
    var input = [Double](repeating: 0, count: count * width)
    var rounded = [Float](repeating: 0, count: count * width)
    var product = [Float](repeating: 0, count: count * F)
    var part = CodePart()
    var candidates = CandidateColumns(capacity: F)
    input.withUnsafeMutableBufferPointer { input in
      guard let input = input.baseAddress else { return }
      var largestInput = 0.0
      for token in 0..<count {
        let row = input + token * width
        if let normaliser {
          normaliser.apply(x + token * width, into: row)
        } else {
          for index in 0..<width { row[index] = Double(x[token * width + index]) }
        }
        var square = 0.0
        for index in 0..<width {
          rounded[token * width + index] = Float(row[index])
          square += row[index] * row[index]
        }
        largestInput = max(largestInput, square)
      }
      encoder.values.withUnsafeBufferPointer { weights in
        guard let weights = weights.baseAddress else { return }
        gemmOnThisThread(
          m: count, n: F, k: width, rounded, .asStored, lda: width, weights, .transposed, ldb: width, into: &product,
          ldc: F)
        // Whatever fp32 rounding could have pushed below its bound is still a candidate.
        let slack = Float(1e-5 * largestInput.squareRoot() * largestNorm + .leastNormalMagnitude)
        let lifted = encoderBias.map { $0 + slack + abs($0) * 1e-6 }
        let norms = codeNorms.map { Float($0) }
        let bound = threshold.map { max(0, $0) * 0.99999 } ?? 0
        for token in 0..<count {
          let found = product.withUnsafeBufferPointer { product in
            product.baseAddress.map {
              candidates.collect($0 + token * F, bias: lifted, norms: norms, count: F, bound: bound)
            } ?? 0
          }
          let before = part.latents.count
          for index in 0..<found {
            let latent = Int(candidates.latents[index])
            let code =
              dotInDouble(weights + latent * width, input + token * width, count: width) + Double(encoderBias[latent])
            guard code > 0, threshold.map({ code * codeNorms[latent] > Double($0) }) ?? true,
              jumpThresholds.map({ code > Double($0[latent]) }) ?? true
            else { continue }
            let value = Float(code)
            guard value > 0 else { continue }
            part.latents.append(Int32(latent))
            part.values.append(value)
          }
          part.counts.append(part.latents.count - before)
        }
      }
    }
    return part
  }
}

/// The codes of a run of tokens.
private struct CodePart {
  var counts: [Int] = []
  var latents: [Int32] = []
  var values: [Float] = []
}

/// Room for one token's candidates.
struct CandidateColumns {
  var latents: [Int32]
  var codes: [Float]
  var scaled: [Float]

  init(capacity: Int) {
    latents = [Int32](repeating: 0, count: capacity)
    codes = [Float](repeating: 0, count: capacity)
    scaled = [Float](repeating: 0, count: capacity)
  }

  /// See `collectActive`.
  mutating func collect(
    _ pre: UnsafePointer<Float>, bias: [Float], norms: [Float], count: Int, bound: Float
  ) -> Int {
    latents.withUnsafeMutableBufferPointer { latents in
      codes.withUnsafeMutableBufferPointer { codes in
        scaled.withUnsafeMutableBufferPointer { scaled in
          guard let latents = latents.baseAddress, let codes = codes.baseAddress, let scaled = scaled.baseAddress else {
            return 0
          }
          return collectActive(
            pre, bias: bias, norms: norms, count: count, bound: bound,
            into: ActiveColumns(latents: latents, codes: codes, scaled: scaled))
        }
      }
    }
  }
}
