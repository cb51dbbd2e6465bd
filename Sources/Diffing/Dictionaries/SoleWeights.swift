// The weights of a dictionary that reads one vector for each token, in the arrangement in which the program computes: one
// row for each latent. Forms fill them and fold what is constant; `crosscoder` puts them in chat's place.
// Shape letters: F latents, d width.

import Foundation
import Inference
import Kernels

/// The weights of a dictionary of one vector, with its rule.
struct SoleWeights {
  let d: Int
  let F: Int
  /// `[F, d]`; empty where the directions alone are read, and what changes the encoder then leaves it so.
  var encoder: [Float]
  /// `[F]`.
  var bias: [Float]
  /// `[F, d]`.
  var decoder: [Float]
  /// `[d]`.
  var decoderBias: [Float]
  /// θ_j `[F]`, compared with p.
  var thresholds: [Float]?
  var activation = CodeActivation.relu
  var selection = CodeSelection.thresholds
  var tokenStep: TokenStep?
  /// Over d values.
  var normaliser: InputNormaliser?
  /// `[d, d]`, one row for each output.
  var skip: Matrix?
  var readsElsewhere: String?
  /// The number of latents that training kept for a token; it is shown and changes no code.
  var k: Int?

  /// ‖d_j‖ `[F]`.
  var decoderNorms: [Double] {
    decoder.withUnsafeBufferPointer { rows in
      (0..<F).map { latent in rows.baseAddress.map { squareSum($0 + latent * d, count: d).squareRoot() } ?? 0 }
    }
  }

  /// Makes W x + b of a dictionary that encodes x − b_dec, so that x itself is encoded: b − W b_dec.
  mutating func subtractDecoderBias() {
    guard !encoder.isEmpty else { return }
    let shifts = encoder.withUnsafeBufferPointer { rows in
      decoderBias.withUnsafeBufferPointer { shift in
        (0..<F).map { latent in
          guard let rows = rows.baseAddress, let shift = shift.baseAddress else { return 0.0 }
          return dotInDouble(rows + latent * d, shift, count: d)
        }
      }
    }
    for latent in 0..<F { bias[latent] = Float(Double(bias[latent]) - shifts[latent]) }
    guard case .gated(let logScales, var magnitudes) = activation else { return }
    for latent in 0..<F {
      magnitudes[latent] = Float(Double(magnitudes[latent]) - exp(Double(logScales[latent])) * shifts[latent])
    }
    activation = .gated(logScales: logScales, biases: magnitudes)
  }

  /// Makes a dictionary of x·s one of x: W·s, d/s_out and b_dec/s_out.
  mutating func scaleInput(by s: Double, output: Double? = nil) {
    for index in encoder.indices { encoder[index] = Float(Double(encoder[index]) * s) }
    let inverse = 1 / (output ?? s)
    for index in decoder.indices { decoder[index] = Float(Double(decoder[index]) * inverse) }
    for index in decoderBias.indices { decoderBias[index] = Float(Double(decoderBias[index]) * inverse) }
  }

  /// Multiplies f by n_j, and divides decoder rows by it: W·n, b·n, d/n. Rows of length 0 stay.
  mutating func moveToEncoder(_ norms: [Double]) {
    for latent in 0..<F where norms[latent] > 0 {
      for index in latent * d..<(latent + 1) * d {
        if !encoder.isEmpty { encoder[index] = Float(Double(encoder[index]) * norms[latent]) }
        decoder[index] = Float(Double(decoder[index]) / norms[latent])
      }
      if !encoder.isEmpty { bias[latent] = Float(Double(bias[latent]) * norms[latent]) }
    }
  }

  /// Multiplies every decoder row by a number of its own.
  mutating func scaleDecoder(by factors: [Float]) {
    for latent in 0..<F {
      for index in latent * d..<(latent + 1) * d {
        decoder[index] = Float(Double(decoder[index]) * Double(factors[latent]))
      }
    }
  }

  /// The rows of the decoder.
  var decoderRows: DecoderRows {
    DecoderRows(values: decoder, nLatents: F, dModel: d, layout: .sole(.chat, offset: 0, step: d))
  }

  /// The dictionary in chat's place. One of a difference reads W h^chat − W h^base; one of base − chat has the sign of its
  /// encoder and decoder turned, so that its directions are those of chat − base.
  func crosscoder(card: CrosscoderCard, reads: DictionaryChoice.Reads = .chat) -> Crosscoder {
    let sign: Float = reads == .baseMinusChat ? -1 : 1
    let isDifference = reads == .chatMinusBase || reads == .baseMinusChat
    var wide = [Float](repeating: 0, count: 2 * encoder.count)
    for latent in 0..<F {
      for index in 0..<d {
        let value = sign * encoder[latent * d + index]
        wide[(2 * latent + 1) * d + index] = value
        if isDifference { wide[2 * latent * d + index] = -value }
      }
    }
    func inChatsPlace(_ values: [Float]) -> [Float] {
      let rows = values.withUnsafeBufferPointer { rowsInChatsPlace($0, width: d) }
      return sign < 0 ? rows.map { -$0 } : rows
    }
    // x̂ = y/s + mean is turned as a whole.
    let mean = normaliser.map { [Float](repeating: 0, count: d) + $0.mean.map { sign * $0 } }
    let std = normaliser.map { [Float](repeating: 0, count: d) + $0.std }
    return Crosscoder(
      encoder: Matrix(rows: F, columns: 2 * d, values: wide), encoderBias: bias,
      decoder: Matrix(rows: F, columns: 2 * d, values: inChatsPlace(decoder)),
      decoderBias: inChatsPlace(decoderBias), codeNormalization: .sae, k: k,
      normaliser: normaliser.map {
        InputNormaliser(
          mean: mean ?? [], std: std ?? [], targetRMS: $0.targetRMS, scales: $0.scales, epsilon: $0.epsilon)
      },
      card: card, jumpThresholds: thresholds, target: isDifference ? .difference : .chat, activation: activation,
      selection: selection, tokenStep: tokenStep, skip: skip, readsElsewhere: readsElsewhere)
  }
}

extension CheckpointReader {
  /// One row for each latent, `[F, d]`, of a tensor stored as `[F, d]` or as `[d, F]`.
  func rows(_ name: String, F: Int, d: Int, isTransposed: Bool) throws(DiffingError) -> [Float] {
    guard isTransposed else { return try floats(name, [F, d]) }
    return try rearranged(name, [d, F]) { transposed($0, rows: d, columns: F) }
  }

  /// The decoder's rows of a tensor: in place if the file holds aligned fp32, else a copy in fp32.
  func decoderRows(
    _ name: String, _ shape: [Int], F: Int, d: Int, _ layout: DecoderRows.Layout
  ) throws(DiffingError) -> DecoderRows {
    try require(name, shape)
    if let tensor = try reading({ () throws(InferenceError) in try file.tensorInPlace(named: name) }),
      tensor.floatsInPlace != nil
    {
      let bad = try reading { () throws(InferenceError) in try tensor.withFloats { firstNonFinite($0) } }
      try reading { () throws(InferenceError) in try file.check() }
      if let bad { throw notFinite(name, bad) }
      return try reading { () throws(InferenceError) in
        try DecoderRows(tensor: tensor, nLatents: F, dModel: d, layout: layout)
      }
    }
    return DecoderRows(values: try floats(name, shape), nLatents: F, dModel: d, layout: layout)
  }
}
