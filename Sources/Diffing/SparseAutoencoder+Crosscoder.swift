// A dictionary of one model as a `Crosscoder`, which `encode`, `import` and steering read, whoever trained it. The one
// model takes chat's place, whichever model it is; base's half of every row is 0, and figures that compare two
// directions are missing (`Crosscoder.soleModel`). A dictionary of chat − base cannot be one, since no model has that
// residual stream. Shape letters: F latents, d width.

import Kernels

extension SparseAutoencoder {
  /// The same codes and directions in chat's place. Thresholds compare f itself, since all directions have norm 1.
  /// - Precondition: the target is one model.
  func crosscoder() -> Crosscoder {
    precondition(target != .difference, "a dictionary of chat − base has no model")
    let (F, d) = (encoder.rows, encoder.columns)
    func inChatsPlace(_ matrix: Matrix) -> Matrix {
      Matrix(rows: F, columns: 2 * d, values: matrix.values.withUnsafeBufferPointer { rowsInChatsPlace($0, width: d) })
    }
    return Crosscoder(
      encoder: inChatsPlace(encoder), encoderBias: encoderBias, decoder: inChatsPlace(decoder),
      decoderBias: decoderBias.withUnsafeBufferPointer { rowsInChatsPlace($0, width: d) },
      codeNormalization: .none, k: k, threshold: threshold, card: card, soleModel: .chat)
  }
}

/// Widens `[N, d]` to `[N, 2·d]`; base's half of each row is 0.
func rowsInChatsPlace(_ values: UnsafeBufferPointer<Float>, width d: Int) -> [Float] {
  var result = [Float](repeating: 0, count: 2 * values.count)
  for index in values.indices { result[(2 * (index / d) + 1) * d + index % d] = values[index] }
  return result
}
