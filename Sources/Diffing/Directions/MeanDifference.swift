// The difference in means of two sets of texts: v = mean of h over one set − mean of h over the other. A text counts once,
// however many of its tokens count. It is the plain direction that a latent should beat.
// Source: arXiv 2406.11717 (refusal is mediated by a single direction), section 2.3.

import Inference

/// A difference in means.
public struct MeanDifference: Sendable {
  /// `[d]`, not normalised.
  public let vector: [Float]
  /// The mean over texts of each set of the projection on the unit vector, and the standard deviation.
  public let positive: (mean: Double, deviation: Double)
  public let negative: (mean: Double, deviation: Double)

  /// - Parameters:
  ///   - stream: which residual stream is read.
  ///   - progress: receives how many texts have been read.
  /// - Throws: the errors of the forward pass.
  public init(
    of positive: [ReadPositions], against negative: [ReadPositions], _ stream: ReadStream, harvester: Harvester,
    progress: (Int) -> Void
  ) throws(InferenceError) {
    precondition(!positive.isEmpty && !negative.isEmpty, "two sets of texts")
    func means(_ texts: [ReadPositions], after done: Int) throws(InferenceError) -> [[Double]] {
      var rows: [[Double]] = []
      try harvester.read(texts, progress: { progress(done + $0) }) { text, activations in
        var sum = [Double](repeating: 0, count: activations.dModel)
        activations.values.withUnsafeBufferPointer { values in
          guard let start = values.baseAddress else { return }
          for position in text.positions { stream.add(start + position * 2 * activations.dModel, to: &sum) }
        }
        rows.append(sum.map { $0 / Double(text.positions.count) })
      }
      return rows
    }
    let rows = (try means(positive, after: 0), try means(negative, after: positive.count))
    func mean(_ rows: [[Double]]) -> [Double] {
      rows.reduce([Double](repeating: 0, count: rows[0].count)) { zip($0, $1).map(+) }.map { $0 / Double(rows.count) }
    }
    let difference = zip(mean(rows.0), mean(rows.1)).map { $0 - $1 }
    vector = difference.map { Float($0) }
    let norm = difference.reduce(0) { $0 + $1 * $1 }.squareRoot()
    func projections(_ rows: [[Double]]) -> (mean: Double, deviation: Double) {
      let values = rows.map { row in norm > 0 ? zip(row, difference).reduce(0) { $0 + $1.0 * $1.1 } / norm : 0 }
      let mean = values.reduce(0, +) / Double(values.count)
      let square = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count - 1))
      return (mean, square.squareRoot())
    }
    (self.positive, self.negative) = (projections(rows.0), projections(rows.1))
  }
}
