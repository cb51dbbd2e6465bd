// What a vector of the residual stream says when it is read as the last block's output: softmax(W_U · norm(v)), with chat's final
// norm and head (arXiv 2510.13900, section 3). The same for −v, and for the means themselves as controls.

import Inference
import Kernels

extension TokenProbability {
  /// The likeliest tokens of a distribution, the likeliest first.
  public static func likeliest(_ probabilities: [Float], _ count: Int) -> [TokenProbability] {
    probabilities.withUnsafeBufferPointer { values in
      strongestIndices(values, sign: 1, count: count).map {
        TokenProbability(id: Int32($0), probability: Double(values[$0]))
      }
    }
  }
}

extension Transformer {
  /// Next-token probabilities `[n][V]` of vectors `[n][d]` read as the output of the last block.
  /// - Throws: `InferenceError.notFinite`.
  public func lens(_ vectors: [[Float]]) throws(InferenceError) -> [[Float]] {
    let V = configuration.vocabSize
    var logits = [Float](repeating: 0, count: V * vectors.count)
    let rows = vectors.flatMap { $0 }
    precondition(rows.count == vectors.count * configuration.dModel, "vectors of the model's width")
    guard !vectors.isEmpty else { return [] }
    try readOut(rows, count: vectors.count, into: &logits, capped: false)
    return logits.withUnsafeMutableBufferPointer { logits in
      guard let start = logits.baseAddress else { return [] }
      return vectors.indices.map { row in
        softmax(start + row * V, count: V)
        return Array(UnsafeBufferPointer(start: start + row * V, count: V))
      }
    }
  }
}
