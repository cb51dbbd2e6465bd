// Where a model's weights come from: a GGUF file and a Hugging Face folder each implement this protocol.

import Kernels

/// The weights of a model in a file or folder, checked when they are read.
protocol ModelWeights {
  /// The files that hold them.
  var files: [MappedFile] { get }

  /// A weight matrix `[rows, columns]` in the file's own precision.
  /// - Parameter rowOrder: if set, row r is the file's row `rowOrder[r]`.
  func matrix(_ name: WeightName, rows: Int, columns: Int, rowOrder: [Int32]?) throws(InferenceError) -> WeightMatrix

  /// A vector of `count` finite values as fp32.
  func vector(_ name: WeightName, count: Int) throws(InferenceError) -> [Float]

  /// Throws for tensors other than those named and those known to change nothing: they mean that the model computes
  /// something else.
  func refuseTensors(otherThan names: [WeightName], of description: String) throws(InferenceError)
}
