// A sparse autoencoder as a `Crosscoder`, which scores, `encode`, `import` and steering read, whoever trained it.
//   one model    the model takes chat's place, whichever it is; base's half of every row is 0
//   chat − base  f = ReLU(W h^chat − W h^base + b): base's half of the encoder is −W, the directions are in chat's place
// Figures that compare two directions are missing (`Crosscoder.target`). Shape letters: F latents, d width.

import Kernels

extension SparseAutoencoder {
  /// The same codes and directions in chat's place. Thresholds compare f itself, since all directions have norm 1.
  public func crosscoder() -> Crosscoder {
    let (F, d) = (encoder.rows, encoder.columns)
    func inChatsPlace(_ matrix: Matrix) -> Matrix {
      Matrix(rows: F, columns: 2 * d, values: matrix.values.withUnsafeBufferPointer { rowsInChatsPlace($0, width: d) })
    }
    var wide = inChatsPlace(encoder)
    if target == .difference {
      for latent in 0..<F { for index in 0..<d { wide[latent, index] = -encoder[latent, index] } }
    }
    return Crosscoder(
      encoder: wide, encoderBias: encoderBias, decoder: inChatsPlace(decoder),
      decoderBias: decoderBias.withUnsafeBufferPointer { rowsInChatsPlace($0, width: d) },
      codeNormalization: .none, k: k, threshold: threshold, card: card,
      target: target == .difference ? .difference : .chat)
  }
}

/// Widens `[N, d]` to `[N, 2·d]`; base's half of each row is 0.
func rowsInChatsPlace(_ values: UnsafeBufferPointer<Float>, width d: Int) -> [Float] {
  var result = [Float](repeating: 0, count: 2 * values.count)
  for index in values.indices { result[(2 * (index / d) + 1) * d + index % d] = values[index] }
  return result
}
