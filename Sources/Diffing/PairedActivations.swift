// What both models of a pair compute for the same tokens, side by side. Every part of Diffing reads this layout: one
// row for each token, base's d values first, then chat's. Shape letters: T tokens, d the models' width.

import Inference
import Kernels

/// Residual streams of both models at the same tokens, `[T, 2, d]` in fp32.
public struct PairedActivations: Sendable, Equatable {
  /// The width d of one model's residual stream.
  public let dModel: Int
  /// One row after another: base's d values, then chat's.
  public var values: [Float]

  /// Activations over existing values; `values.count` must be a multiple of 2·d.
  public init(dModel: Int, values: [Float]) {
    precondition(
      dModel > 0 && values.count.isMultiple(of: 2 * dModel),
      "\(values.count) values do not fill rows of width \(dModel)")
    self.dModel = dModel
    self.values = values
  }

  /// The number of tokens T.
  public var tokens: Int { values.count / (2 * dModel) }

  /// The activations of the tokens `range` alone.
  public func tokens(_ range: Range<Int>) -> PairedActivations {
    PairedActivations(
      dModel: dModel, values: Array(values[range.lowerBound * 2 * dModel..<range.upperBound * 2 * dModel]))
  }

  /// The activations of one model at one token, `[d]`.
  public func vector(token: Int, model: PairModel) -> ArraySlice<Float> {
    let start = (2 * token + model.index) * dModel
    return values[start..<start + dModel]
  }

  /// Reads the tensor `[N, 2, d]` of that name (fp32, fp16, bf16 or fp64) from a safetensors file.
  /// - Throws: `DiffingError.file`, `.shapeMismatch`, `.notFinite`.
  public init(path: String, tensor name: String = "x") throws(DiffingError) {
    let file = try reading { () throws(InferenceError) in try SafetensorsFile(path: path) }
    let shape = try reading { () throws(InferenceError) in try file.shape(of: name) }
    guard shape.count == 3, shape[1] == 2, shape[2] > 0 else {
      throw .shapeMismatch(path: path, tensor: name, expected: [shape.first ?? 0, 2, shape.last ?? 0], found: shape)
    }
    let values = try reading { () throws(InferenceError) in try file.floats(named: name) }
    self.init(dModel: shape[2], values: values)
    try requireFinite("activation")
  }

  /// Throws `DiffingError.notFinite` naming the first token with a value that is NaN or infinite.
  func requireFinite(_ what: String) throws(DiffingError) {
    let bad = values.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { countNonFinite($0, count: buffer.count) } ?? 0
    }
    guard bad > 0, let index = values.firstIndex(where: { !$0.isFinite }) else { return }
    throw .notFinite(what: what, place: "token \(index / (2 * dModel)), \(bad) values in all")
  }
}
