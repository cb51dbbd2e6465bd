// Where a model's weights come from: the one thing that a GGUF file and a Hugging Face folder answer each in its own way.

import Kernels

/// The weights of a model in a file or folder, checked as they are asked for.
protocol ModelWeights {
  /// Where all of them are.
  var files: [MappedFile] { get }

  /// A weight matrix `[rows, columns]` in the file's own precision.
  /// - Parameter rowOrder: where given, row r is the file's row `rowOrder[r]`.
  func matrix(_ name: WeightName, rows: Int, columns: Int, rowOrder: [Int32]?) throws(InferenceError) -> WeightMatrix

  /// A vector of `count` finite values as fp32.
  func vector(_ name: WeightName, count: Int) throws(InferenceError) -> [Float]

  /// Refuses tensors other than those named and those known to change nothing: they mean that the model computes
  /// something else.
  func refuseTensors(otherThan names: [WeightName], of description: String) throws(InferenceError)
}
