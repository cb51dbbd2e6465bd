// Measures which share of the variance a crosscoder explains, over any number of batches: of base, of chat, and of
// their difference h^chat − h^base, which is reconstructed as ĥ^chat − ĥ^base.
//   total = Σ‖h − h̄‖²,  ε = h − ĥ
//   explained (FVE) = 1 − Σ‖ε‖² / total,   error = Σ‖ε − ε̄‖² / total,   offset = T ‖ε̄‖² / total;   they sum to 1
// Sums are fp64; those of several shards can be merged. Shape letters: T tokens, d width.

import Inference
import Kernels

/// Running sums for the explained variance of both models and of their difference.
public struct ExplainedVariance: Sendable {
  /// The parts into which the variance of one target is divided.
  public struct Shares: Sendable, Equatable {
    /// The fraction of variance explained, FVE.
    public let explained: Double
    /// The fraction in the error, around its mean.
    public let error: Double
    /// The fraction in the error's mean, which a decoder bias could remove.
    public let offset: Double
  }

  private let dModel: Int
  private var tokens = 0
  private var sums: Sums

  /// The sums of one target; the targets are base, chat and difference, in this order.
  private struct Sums {
    var h: [Double]
    var error: [Double]
    var squares = [0.0, 0.0, 0.0]
    var errorSquares = [0.0, 0.0, 0.0]

    init(dModel: Int) {
      h = [Double](repeating: 0, count: 3 * dModel)
      error = h
    }

    mutating func merge(_ other: Sums) {
      for i in h.indices {
        h[i] += other.h[i]
        error[i] += other.error[i]
      }
      for target in 0..<3 {
        squares[target] += other.squares[target]
        errorSquares[target] += other.errorSquares[target]
      }
    }

    /// Adds one token's `[2, d]` and its reconstruction.
    mutating func add(_ x: UnsafePointer<Float>, _ xHat: UnsafePointer<Float>, dModel d: Int) {
      h.withUnsafeMutableBufferPointer { h in
        error.withUnsafeMutableBufferPointer { error in
          for target in 0..<3 {
            var (square, errorSquare) = (0.0, 0.0)
            for i in 0..<d {
              let (value, made): (Double, Double) =
                target == 2
                ? (Double(x[d + i]) - Double(x[i]), Double(xHat[d + i]) - Double(xHat[i]))
                : (Double(x[target * d + i]), Double(xHat[target * d + i]))
              let left = value - made
              h[target * d + i] += value
              error[target * d + i] += left
              square += value * value
              errorSquare += left * left
            }
            squares[target] += square
            errorSquares[target] += errorSquare
          }
        }
      }
    }
  }

  /// Empty sums for two models of width `dModel`.
  public init(dModel: Int) {
    self.dModel = dModel
    sums = Sums(dModel: dModel)
  }

  /// Adds tokens `[T, 2, d]` and their reconstruction.
  public mutating func add(_ activations: PairedActivations, reconstruction: PairedActivations) {
    precondition(
      activations.values.count == reconstruction.values.count && activations.dModel == dModel,
      "both must hold the same tokens")
    let (d, piece, T) = (dModel, 256, activations.tokens)
    var parts = [Sums](repeating: Sums(dModel: d), count: (T + piece - 1) / piece)
    parts.withUnsafeMutableBufferPointer { parts in
      activations.values.withUnsafeBufferPointer { x in
        reconstruction.values.withUnsafeBufferPointer { xHat in
          guard let x = x.baseAddress, let xHat = xHat.baseAddress else { return }
          inPieces(of: piece, count: T) { tokens in
            var part = Sums(dModel: d)
            for token in tokens { part.add(x + 2 * token * d, xHat + 2 * token * d, dModel: d) }
            parts[tokens.lowerBound / piece] = part
          }
        }
      }
    }
    tokens += T
    for part in parts { sums.merge(part) }
  }

  /// Adds the sums of other tokens.
  public mutating func merge(_ other: ExplainedVariance) {
    precondition(other.dModel == dModel, "the sums have another width")
    tokens += other.tokens
    sums.merge(other.sums)
  }

  /// The shares of one model's variance; nil if there is no variance.
  public func shares(_ model: PairModel) -> Shares? { shares(model.index) }

  /// The shares of the variance of h^chat − h^base; nil if there is no variance.
  public func sharesOfDifference() -> Shares? { shares(2) }

  private func shares(_ target: Int) -> Shares? {
    func meanSquare(_ sums: [Double]) -> Double {
      sums[target * dModel..<(target + 1) * dModel].reduce(0) { $0 + $1 * $1 } / Double(max(tokens, 1))
    }
    let total = sums.squares[target] - meanSquare(sums.h)
    guard total > 0 else { return nil }
    let offset = meanSquare(sums.error)
    return Shares(
      explained: 1 - sums.errorSquares[target] / total, error: (sums.errorSquares[target] - offset) / total,
      offset: offset / total)
  }
}
