// The losses as the formulas say them, in double and without any cleverness: what the hand-made gradients are held
// against by finite differences. Shape letters: B tokens, F latents, d width of one model, M models.

import Diffing

/// A tiny dictionary and its losses.
struct NaiveDictionary {
  var encoder, encoderBias, decoder, decoderBias: [Double]
  let F: Int
  let d: Int
  let M: Int
  let kind: CodeNormalization

  var width: Int { M * d }

  func code(_ x: ArraySlice<Double>, _ latent: Int) -> Double {
    max(0, zip(x, encoder[latent * width..<(latent + 1) * width]).reduce(encoderBias[latent]) { $0 + $1.0 * $1.1 })
  }

  /// ‖d_j^m‖.
  func norm(_ latent: Int, _ model: Int) -> Double {
    (0..<d).reduce(0) { sum, index in
      let value = decoder[latent * width + model * d + index]
      return sum + value * value
    }.squareRoot()
  }

  /// n_j.
  func norm(_ latent: Int) -> Double { kind.norm(base: norm(latent, 0), chat: M == 2 ? norm(latent, 1) : 0) }

  private func codes(_ x: [Double]) -> [[Double]] {
    stride(from: 0, to: x.count, by: width).map { start in
      (0..<F).map { code(x[start..<start + width], $0) }
    }
  }

  /// The mean reconstruction loss and the residual, of codes that may differ by model.
  private func reconstruct(_ x: [Double], _ kept: [[[Double]]], squared: Bool) -> (loss: Double, residual: [Double]) {
    let B = x.count / width
    var (total, residual) = (0.0, x)
    for token in 0..<B {
      for model in 0..<M {
        var square = 0.0
        for index in model * d..<(model + 1) * d {
          let sum = (0..<F).reduce(decoderBias[index]) { $0 + kept[token][model][$1] * decoder[$1 * width + index] }
          let e = x[token * width + index] - sum
          residual[token * width + index] = e
          square += e * e
        }
        total += (squared ? square : square.squareRoot()) / Double(M * B)
      }
    }
    return (total, residual)
  }

  /// BatchTopK's loss without the auxiliary one, and the residual of the whole dictionary. The loss is the mean over
  /// nested parts of the dictionary, the first `levels` latents of it.
  func batchTopK(_ x: [Double], k: Int, squared: Bool, levels: [Int]) -> (loss: Double, residual: [Double]) {
    let f = codes(x)
    let B = f.count
    func kept(_ norms: [Double]) -> Set<Int> {
      func scaled(_ index: Int) -> Double { f[index / F][index % F] * norms[index % F] }
      return Set((0..<B * F).sorted { (-scaled($0), $0) < (-scaled($1), $1) }.prefix(k * B))
    }
    let selections = (0..<M).map { model in
      kept((0..<F).map { kind == .decoupled ? norm($0, model) : norm($0) })
    }
    let masked = (0..<B).map { token in
      (0..<M).map { model in (0..<F).map { selections[model].contains(token * F + $0) ? f[token][$0] : 0 } }
    }
    let parts = levels.map { size in
      reconstruct(x, masked.map { $0.map { $0.enumerated().map { $0 < size ? $1 : 0 } } }, squared: squared)
    }
    return (parts.reduce(0) { $0 + $1.loss } / Double(parts.count), parts.last?.residual ?? x)
  }

  /// The auxiliary loss for a residual that is held fixed.
  func auxiliary(_ x: [Double], residual: [Double], dead: [Int], count: Int) -> Double {
    let f = codes(x)
    let B = f.count
    var (numerator, variance) = (0.0, 0.0)
    for index in 0..<width {
      let values = (0..<B).map { residual[$0 * width + index] }
      let mean = values.reduce(0, +) / Double(B)
      variance += values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(B)
    }
    for token in 0..<B {
      let best = dead.sorted { (-f[token][$0] * norm($0), $0) < (-f[token][$1] * norm($1), $1) }.prefix(count)
      for index in 0..<width {
        let left =
          residual[token * width + index] - best.reduce(0) { $0 + f[token][$1] * decoder[$1 * width + index] }
        numerator += left * left / Double(B)
      }
    }
    return numerator / variance
  }

  /// L1's loss, through the norms too.
  func l1(_ x: [Double], mu: Double, squared: Bool) -> Double {
    let f = codes(x)
    let penalty = f.reduce(0) { $0 + (0..<F).reduce(0) { [codes = $1] in $0 + codes[$1] * norm($1) } }
    return reconstruct(x, f.map { [[Double]](repeating: $0, count: M) }, squared: squared).loss
      + mu * penalty / Double(f.count)
  }

  /// Central differences of a loss in all parameters, in the order encoder, its bias, decoder, its bias.
  mutating func differences(_ loss: (NaiveDictionary) -> Double) -> [[Double]] {
    let paths: [WritableKeyPath<NaiveDictionary, [Double]>] = [\.encoder, \.encoderBias, \.decoder, \.decoderBias]
    return paths.map { path in
      self[keyPath: path].indices.map { index in
        let value = self[keyPath: path][index]
        self[keyPath: path][index] = value + 1e-6
        let above = loss(self)
        self[keyPath: path][index] = value - 1e-6
        let below = loss(self)
        self[keyPath: path][index] = value
        return (above - below) / 2e-6
      }
    }
  }
}
