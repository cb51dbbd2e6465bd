// The running mean and variance of activations, from which an input normaliser is made, and the geometric median. Sums
// are fp64 and can be merged across batches. Batches are checked where they come in.

import Kernels

/// The sums of activations and of their squares, for each dimension of a row.
public struct ActivationMoments: Sendable {
  /// The number of tokens added so far.
  public private(set) var tokens = 0
  private var sums: [Double]
  private var squares: [Double]

  /// Begins with empty sums for rows of that width, M·d.
  public init(width: Int) {
    sums = [Double](repeating: 0, count: width)
    squares = sums
  }

  /// Adds rows, one after the other.
  public mutating func add(_ rows: [Float]) {
    let width = sums.count
    precondition(rows.count.isMultiple(of: width), "the rows do not have the width \(width)")
    let added = rows.count / width
    rows.withUnsafeBufferPointer { values in
      sums.withUnsafeMutableBufferPointer { sums in
        squares.withUnsafeMutableBufferPointer { squares in
          for token in 0..<added {
            for index in 0..<width {
              let value = Double(values[token * width + index])
              sums[index] += value
              squares[index] += value * value
            }
          }
        }
      }
    }
    tokens += added
  }

  /// The normaliser that centres the activations and brings them to the root mean square `targetRMS`.
  ///
  /// Before any token is added it only scales.
  public func normaliser(targetRMS: Float = 1) -> InputNormaliser {
    let count = Double(max(1, tokens))
    let mean = sums.map { $0 / count }
    let std = zip(squares, mean).map { max(0, $0 / count - $1 * $1).squareRoot() }
    return InputNormaliser(mean: mean.map { Float($0) }, std: std.map { Float($0) }, targetRMS: targetRMS)
  }
}

/// The point with the least summed distance to all rows, for each model's d dimensions separately, `[M·d]`. Weiszfeld's
/// iteration starts from the mean and runs until a round moves the point by less than 1e-5, at most 100 rounds.
func geometricMedian(of rows: [Float], nModels: Int, dModel d: Int) -> [Float] {
  let width = nModels * d
  let T = rows.count / width
  var guess = [Double](repeating: 0, count: width)
  guard T > 0 else { return guess.map { Float($0) } }
  let size = 64
  let pieces = (T + size - 1) / size
  let stride = width + nModels
  var partial = [Double](repeating: 0, count: pieces * stride)
  for round in 0...100 {
    rows.withUnsafeBufferPointer { x in
      partial.withUnsafeMutableBufferPointer { partial in
        guard let x = x.baseAddress, let partial = partial.baseAddress else { return }
        inPieces(of: size, count: T) { range in
          let sums = partial + range.lowerBound / size * stride
          sums.update(repeating: 0, count: stride)
          for token in range {
            for model in 0..<nModels {
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
    var next = [Double](repeating: 0, count: stride)
    for piece in 0..<pieces { for index in next.indices { next[index] += partial[piece * stride + index] } }
    var moved = [Double](repeating: 0, count: nModels)
    for index in 0..<width {
      let value = next[index] / next[width + index / d]
      moved[index / d] += (value - guess[index]) * (value - guess[index])
      guess[index] = value
    }
    if round > 0, moved.allSatisfy({ $0.squareRoot() < 1e-5 }) { break }
  }
  return guess.map { Float($0) }
}
