// Principal components of a residual stream, or of chat − base, over the counted tokens of texts: the eigenvectors of
// Σ (x − mean)(x − mean)ᵀ / (n − 1). Tokens of outlying norm are left out, as in a harvest, since a handful of them would
// be the first component.

import Inference
import Kernels

/// The strongest components.
public struct PrincipalComponents: Sendable {
  /// One component.
  public struct Component: Sendable, Equatable {
    /// Unit vector `[d]`; its largest element is positive, since a component has no sign of its own.
    public let vector: [Float]
    /// The standard deviation along it, in the residual stream's own units.
    public let deviation: Double
    /// Its share of the whole variance.
    public let share: Double
  }

  /// The strongest first.
  public let components: [Component]
  /// The number of tokens that counted.
  public let tokens: Int

  /// - Throws: the errors of the forward pass; `DiffingError.settingInvalid` if fewer than two tokens count, or all are
  ///   alike.
  public init(
    _ count: Int, of texts: [ReadPositions], _ stream: ReadStream, harvester: Harvester, progress: (Int) -> Void
  ) throws(DiffingError) {
    var (sum, square): ([Double], [Double]) = ([], [])
    var tokens = 0
    try reading { () throws(InferenceError) in
      try harvester.read(texts, progress: progress) { text, activations in
        let d = activations.dModel
        if sum.isEmpty {
          sum = [Double](repeating: 0, count: d)
          square = [Double](repeating: 0, count: d * d)
        }
        let kept = Set(Harvester.keptPositions(of: [activations])[0]).intersection(text.positions).sorted()
        var rows = [Double](repeating: 0, count: kept.count * d)
        activations.values.withUnsafeBufferPointer { values in
          guard let start = values.baseAddress else { return }
          for (row, position) in kept.enumerated() {
            var x = [Double](repeating: 0, count: d)
            stream.add(start + position * 2 * d, to: &x)
            for index in 0..<d {
              sum[index] += x[index]
              rows[row * d + index] = x[index]
            }
          }
        }
        addOuterProducts(of: rows, count: kept.count, width: d, to: &square)
        tokens += kept.count
      }
    }
    self.tokens = tokens
    let d = sum.count
    guard tokens > 1 else {
      throw .settingInvalid(name: "texts", expected: "with at least two tokens that count", found: "\(tokens)")
    }
    for row in 0..<d {
      for column in 0...row {
        square[row * d + column] =
          (square[row * d + column] - sum[row] * sum[column] / Double(tokens)) / Double(tokens - 1)
      }
    }
    let whole = (0..<d).reduce(0) { $0 + square[$1 * d + $1] }
    guard whole > 0, let found = eigenvectors(ofSymmetric: square, n: d) else {
      throw .settingInvalid(name: "texts", expected: "whose tokens differ", found: "no variance")
    }
    components = found.prefix(count).filter { $0.value > 0 }.map { value, vector in
      let largest = vector.max { abs($0) < abs($1) } ?? 1
      let sign: Double = largest < 0 ? -1 : 1
      return Component(
        vector: vector.map { Float(sign * $0) }, deviation: value.squareRoot(), share: value / whole)
    }
  }
}
