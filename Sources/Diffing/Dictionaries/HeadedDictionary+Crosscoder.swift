// The crosscoder of a dictionary of heads: of a pair whose base is known, or the directions of one head without codes.

import Inference
import Kernels

extension HeadedDictionary {
  /// The reason why codes of a batch are not computed for a text.
  static let batchReason = "are the largest of a whole batch, and the files hold no threshold for a token alone"

  /// The crosscoder of a pair.
  /// - Parameter base: the head that is base's, 0 or 1.
  func pair(base: Int, card: CrosscoderCard) -> Crosscoder {
    precondition(heads.count == 2, "a pair has two heads")
    func ordered(_ values: [Float]) -> [Float] {
      guard base == 1 else { return values }
      var result = values
      for start in stride(from: 0, to: values.count, by: 2 * dModel) {
        for index in 0..<dModel {
          (result[start + index], result[start + dModel + index]) = (
            values[start + dModel + index], values[start + index]
          )
        }
      }
      return result
    }
    let order = base == 1 ? [1, 0] : [0, 1]
    let norms = norms
    var jumps: [Float]?
    if case .thresholds(let bounds) = selection {
      jumps = order.flatMap { comparesScaled ? Self.bounds(bounds, on: norms[$0]) : bounds }
    }
    let rule: CodeSelection =
      switch selection {
      case .positive, .thresholds: .thresholds
      case .largest(let k): .largest(k, scaled: comparesScaled)
      case .largestOfBatch: .undefined(Self.batchReason)
      }
    let scales = normaliser.map { normaliser in order.map { normaliser.scales[min($0, normaliser.scales.count - 1)] } }
    let zeros = [Float](repeating: 0, count: 2 * dModel)
    return Crosscoder(
      encoder: Matrix(rows: nLatents, columns: 2 * dModel, values: ordered(encoder.values)), encoderBias: bias,
      decoder: Matrix(rows: nLatents, columns: 2 * dModel, values: ordered(decoder.values)),
      decoderBias: ordered(decoderBias), codeNormalization: .decoupled, k: nil,
      normaliser: scales.map { InputNormaliser(mean: zeros, std: zeros, targetRMS: 1, scales: $0, epsilon: 0) },
      card: card, jumpThresholds: jumps, selection: rule, tokenStep: tokenStep)
  }

  /// The directions of one head, in the units of its residual stream, as a dictionary without codes: they need the
  /// residual streams of all heads at once.
  func directions(of head: Int, card: CrosscoderCard) -> Crosscoder {
    let (H, d) = (heads.count, dModel)
    let scale = normaliser.map { 1 / Double($0.scales[min(head, $0.scales.count - 1)]) } ?? 1
    var rows = [Float](repeating: 0, count: 2 * nLatents * d)
    for latent in 0..<nLatents {
      for index in 0..<d {
        rows[(2 * latent + 1) * d + index] = Float(Double(decoder.values[(latent * H + head) * d + index]) * scale)
      }
    }
    let bias = decoderBias[head * d..<(head + 1) * d].map { Float(Double($0) * scale) }
    return Crosscoder(
      encoder: Matrix(rows: 0, columns: 2 * d), encoderBias: [Float](repeating: 0, count: nLatents),
      decoder: Matrix(rows: nLatents, columns: 2 * d, values: rows),
      decoderBias: [Float](repeating: 0, count: d) + bias, codeNormalization: .sae, card: card, target: .chat,
      selection: .undefined(
        H == 1
          ? Self.batchReason : "need the residual streams of \(H) places of the model at once, and one is read here"))
  }
}
