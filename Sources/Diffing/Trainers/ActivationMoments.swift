// Running mean and variance of activations, from which an input normaliser is made, and the geometric median.
// Owns: fp64 sums that merge across batches. Refuses: nothing; batches are checked where they come in.

import Kernels

/// Sums of activations and of their squares, for each of the 2·d dimensions.
public struct ActivationMoments: Sendable {
  /// Tokens added so far.
  public private(set) var tokens = 0
  private var sums: [Double]
  private var squares: [Double]

  /// Empty sums for two models of width `dModel`.
  public init(dModel: Int) {
    sums = [Double](repeating: 0, count: 2 * dModel)
    squares = sums
  }

  /// Adds one batch.
  public mutating func add(_ batch: PairedActivations) {
    precondition(sums.count == 2 * batch.dModel, "width \(batch.dModel), not \(sums.count / 2)")
    let width = sums.count
    batch.values.withUnsafeBufferPointer { values in
      sums.withUnsafeMutableBufferPointer { sums in
        squares.withUnsafeMutableBufferPointer { squares in
          for token in 0..<batch.tokens {
            for index in 0..<width {
              let value = Double(values[token * width + index])
              sums[index] += value
              squares[index] += value * value
            }
          }
        }
      }
    }
    tokens += batch.tokens
  }

  /// The normaliser that centres the activations and brings both models together to the root mean square `targetRMS`.
  ///
  /// Before any token it leaves everything as it is but for the scale.
  public func normaliser(targetRMS: Float = 1) -> InputNormaliser {
    let count = Double(max(1, tokens))
    let mean = sums.map { $0 / count }
    let std = zip(squares, mean).map { max(0, $0 / count - $1 * $1).squareRoot() }
    return InputNormaliser(mean: mean.map { Float($0) }, std: std.map { Float($0) }, targetRMS: targetRMS)
  }
}

extension PairedActivations {
  /// The point of least summed distance to all tokens, for each model on its own, `[2·d]`: Weiszfeld's iteration from
  /// the mean, at most 100 rounds, until it moves less than 1e-5.
  func geometricMedian() -> [Float] {
    let (T, d, width) = (tokens, dModel, 2 * dModel)
    var guess = [Double](repeating: 0, count: width)
    guard T > 0 else { return guess.map { Float($0) } }
    let size = 64
    let pieces = (T + size - 1) / size
    var partial = [Double](repeating: 0, count: pieces * (width + 2))
    for round in 0...100 {
      values.withUnsafeBufferPointer { x in
        partial.withUnsafeMutableBufferPointer { partial in
          guard let x = x.baseAddress, let partial = partial.baseAddress else { return }
          inPieces(of: size, count: T) { range in
            let sums = partial + range.lowerBound / size * (width + 2)
            sums.update(repeating: 0, count: width + 2)
            for token in range {
              for model in 0..<2 {
                let row = x + token * width + model * d
                var square = 0.0
                if round > 0 {
                  for index in 0..<d {
                    let difference = Double(row[index]) - guess[model * d + index]
                    square += difference * difference
                  }
                }
                let weight = round == 0 ? 1 : 1 / max(square.squareRoot(), 1e-12)
                addScaled(weight, row, to: sums + model * d, count: d)
                sums[width + model] += weight
              }
            }
          }
        }
      }
      var next = [Double](repeating: 0, count: width + 2)
      for piece in 0..<pieces { for index in next.indices { next[index] += partial[piece * (width + 2) + index] } }
      var moved = [0.0, 0.0]
      for index in 0..<width {
        let value = next[index] / next[width + index / d]
        moved[index / d] += (value - guess[index]) * (value - guess[index])
        guess[index] = value
      }
      if round > 0, moved.allSatisfy({ $0.squareRoot() < 1e-5 }) { break }
    }
    return guess.map { Float($0) }
  }
}
