// Encodes activations to sparse codes and decodes them; `SparseEncoder` does the encoding.
// Shape letters: T tokens, F latents, d width of one model.

import Kernels

extension Crosscoder {
  /// Encodes T tokens by the dictionary's `CodeRule`. No decoder bias is subtracted.
  /// - Throws: `DiffingError.shapeMismatch` for another width; `.notFinite` naming the token; `.inputScaleUnknown` if
  ///   the checkpoint's inputs need a scale that nobody has given (`scalingInputs`); `.codesUndefined`.
  public func encode(_ activations: PairedActivations) throws(DiffingError) -> SparseCodes {
    guard activations.dModel == dModel else {
      throw .shapeMismatch(
        path: "activations", tensor: "x", expected: [activations.tokens, 2, dModel],
        found: [activations.tokens, 2, activations.dModel])
    }
    guard card.inputScaling == nil || normaliser != nil else { throw .inputScaleUnknown }
    if case .undefined(let reason) = selection { throw .codesUndefined(reason: reason) }
    try activations.requireFinite("activation")
    return SparseEncoder(
      weights: encoder, bias: encoderBias, rule: codeRule, tokenStep: tokenStep, normaliser: normaliser, parts: 2
    ).encode(activations.values, tokens: activations.tokens)
  }

  /// The rule by which pre-activations become codes.
  var codeRule: CodeRule {
    CodeRule(
      norms: codeNormalization == .decoupled ? [baseNorms, chatNorms] : [codeNorms], thresholds: thresholds,
      jumps: jumpThresholds, activation: activation, selection: selection)
  }

  /// Checks that codes can be read where the model computes the residual stream after the dictionary's block.
  /// - Throws: `DiffingError.codesUndefined`.
  public func requireCodesOfTexts() throws(DiffingError) {
    if case .undefined(let reason) = selection { throw .codesUndefined(reason: reason) }
    if let readsElsewhere {
      throw .codesUndefined(reason: "are of \(readsElsewhere), which is not read of the model here")
    }
  }

  /// Whether `requireCodesOfLatents` passes.
  public var hasCodesOfLatents: Bool { (try? requireCodesOfLatents()) != nil }

  /// Checks that one latent's code can be read alone and counts in units of the residual stream, as steering needs.
  /// - Throws: `DiffingError.codesUndefined`.
  func requireCodesOfLatents() throws(DiffingError) {
    try requireCodesOfTexts()
    if selection.ranks {
      throw .codesUndefined(reason: "are the largest of a token, so that one latent's code depends on all others")
    }
    if tokenStep != nil {
      throw .codesUndefined(
        reason: "count in units of inputs that are scaled token by token, not of the residual stream")
    }
  }

  /// Encodes a text, or the part of it from a position on. Its first token and tokens of outlying norm get no codes,
  /// since training left them out and their codes would mean nothing.
  /// - Throws: the errors of `encode(_:)`.
  func encode(text: PairedActivations, from firstPosition: Int = 0) throws(DiffingError) -> SparseCodes {
    try requireCodesOfTexts()
    return try encode(text).keeping(meaningful(in: text, from: firstPosition))
  }

  /// For each token of a text, or of the part of it from a position on, whether its codes mean something.
  func meaningful(in text: PairedActivations, from firstPosition: Int = 0) -> [Bool] {
    let limit = card.normLimit * card.normLimit
    return text.values.withUnsafeBufferPointer { values in
      (0..<text.tokens).map { token in
        guard firstPosition + token > 0, let row = values.baseAddress.map({ $0 + 2 * token * dModel }) else {
          return false
        }
        return max(squareSum(row, count: dModel), squareSum(row + dModel, count: dModel)) <= limit
      }
    }
  }

  /// Reconstructs activations `[T, 2, d]` in the models' own units: x̂ = Σ f_j d_j + b_dec, then what was done to the
  /// input is undone. DECOUPLED codes add only to the models in which they are on.
  /// - Parameter activations: the input of the same tokens.
  public func decode(_ codes: SparseCodes, of activations: PairedActivations) -> PairedActivations {
    precondition(activations.tokens == codes.tokens && activations.dModel == dModel, "the codes are of other tokens")
    precondition(codes.nLatents == nLatents, "the codes have \(codes.nLatents) latents, not \(nLatents)")
    let width = 2 * dModel
    let values = [Float](unsafeUninitializedCapacity: codes.tokens * width) { buffer, count in
      count = codes.tokens * width
      guard let out = buffer.baseAddress else { return }
      activations.values.withUnsafeBufferPointer { x in
        guard let x = x.baseAddress else { return }
        inPieces(of: 64, count: codes.tokens) { tokens in
          withUnsafeTemporaryAllocation(of: Double.self, capacity: width) { row in
            guard let row = row.baseAddress else { return }
            for token in tokens {
              reconstruct(codes, token: token, of: x + token * width, into: row)
              for index in 0..<width { out[token * width + index] = Float(row[index]) }
            }
          }
        }
      }
    }
    return PairedActivations(dModel: dModel, values: values)
  }

  /// The scaled activations of the entries of `codes`, in their order.
  public func scaled(_ codes: SparseCodes) -> [Float] {
    let scale = codeScale
    return codes.latents.indices.map { scale.scaled(codes, entry: $0) }
  }

  /// Computes x̂ of one token x in fp64, `[2·d]`, in the models' own units.
  func reconstruct(
    _ codes: SparseCodes, token: Int, of x: UnsafePointer<Float>, into row: UnsafeMutablePointer<Double>
  ) {
    let width = 2 * dModel
    for index in 0..<width { row[index] = Double(decoderBias[index]) }
    let entries = codes.entries(of: token)
    defer { finish(row, of: x) }
    decoder.values.withUnsafeBufferPointer { decoder in
      guard let decoder = decoder.baseAddress else { return }
      guard codes.selections == nil else {
        for entry in entries {
          let columns = codes.models(of: entry).columns(dModel: dModel)
          addScaled(
            Double(codes.values[entry]), decoder + Int(codes.latents[entry]) * width + columns.lowerBound,
            to: row + columns.lowerBound, count: columns.count)
        }
        return
      }
      codes.latents.withUnsafeBufferPointer { latents in
        codes.values.withUnsafeBufferPointer { values in
          guard let values = values.baseAddress else { return }
          addRows(
            decoder, UnsafeBufferPointer(rebasing: latents[entries]), scales: values + entries.lowerBound, to: row,
            width: width)
        }
      }
    }
  }

  /// Undoes what was done to the input, and adds the skip connection.
  private func finish(_ row: UnsafeMutablePointer<Double>, of x: UnsafePointer<Float>) {
    normaliser?.restore(row)
    tokenStep?.restore(row, of: x, parts: 2, width: 2 * dModel)
    guard let skip else { return }
    skip.values.withUnsafeBufferPointer { skip in
      guard let skip = skip.baseAddress else { return }
      for index in 0..<dModel {
        row[dModel + index] += dotInDouble(skip + index * dModel, x + dModel, count: dModel)
      }
    }
  }
}
