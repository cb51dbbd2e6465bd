// A dictionary of one model as a `Crosscoder`: what `encode`, `import` and steering read, whoever trained it.
// The model takes chat's place whichever it is; base's half of every row is 0, and what compares two directions is missing
// (`Crosscoder.soleModel`). Refuses: dictionaries of chat − base, which no model's residual stream goes through.
// Shape letters: F latents, d width.

import Kernels

extension SparseAutoencoder {
  /// The same codes and directions, in chat's place; thresholds compare f itself, as all directions have norm 1.
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

/// `[N, d]` to `[N, 2·d]`: base's half of each row is 0.
func rowsInChatsPlace(_ values: UnsafeBufferPointer<Float>, width d: Int) -> [Float] {
  var result = [Float](repeating: 0, count: 2 * values.count)
  for index in values.indices { result[(2 * (index / d) + 1) * d + index % d] = values[index] }
  return result
}
