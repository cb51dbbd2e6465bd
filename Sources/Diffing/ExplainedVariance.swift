// The fraction of variance that a crosscoder explains, over any number of batches, for each model.
//   FVE = 1 − Σ‖h − ĥ‖² / Σ‖h − h̄‖², h̄ the mean over all tokens
// Owns: sums in fp64. Shape letters: T tokens, d width.

/// Running sums for the explained variance of both models.
public struct ExplainedVariance: Sendable {
  private let dModel: Int
  private var tokens = 0
  private var sums: [Double]
  private var squares = [0.0, 0.0]
  private var residuals = [0.0, 0.0]

  /// Empty sums for two models of width `dModel`.
  public init(dModel: Int) {
    self.dModel = dModel
    sums = [Double](repeating: 0, count: 2 * dModel)
  }

  /// Adds tokens `[T, 2, d]` and what was made of them.
  public mutating func add(_ activations: PairedActivations, reconstruction: PairedActivations) {
    precondition(activations.values.count == reconstruction.values.count && activations.dModel == dModel, "same tokens")
    tokens += activations.tokens
    for token in 0..<activations.tokens {
      for model in 0..<2 {
        var (square, residual) = (0.0, 0.0)
        for i in model * dModel..<(model + 1) * dModel {
          let h = Double(activations.values[token * 2 * dModel + i])
          let error = h - Double(reconstruction.values[token * 2 * dModel + i])
          sums[i] += h
          square += h * h
          residual += error * error
        }
        squares[model] += square
        residuals[model] += residual
      }
    }
  }

  /// FVE of each model; 0 where there is no variance.
  public func explained() -> (base: Double, chat: Double) {
    func explained(_ model: Int) -> Double {
      let mean = sums[model * dModel..<(model + 1) * dModel].reduce(0) { $0 + $1 * $1 } / Double(max(tokens, 1))
      let total = squares[model] - mean
      return total > 0 ? 1 - residuals[model] / total : 0
    }
    return (explained(0), explained(1))
  }
}
