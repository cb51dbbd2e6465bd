// From a GGUF file's tensors to packed weights, with the checks every model family needs.
// Refuses: missing tensors, other shapes than the configuration implies, types without a kernel, non-finite vectors.

import Kernels

/// Reads the weights of a model from a GGUF file.
struct GGUFWeights {
  let file: GGUFFile

  /// A weight matrix `[rows, columns]` in the file's own precision.
  func matrix(
    _ name: String, rows: Int, columns: Int, rowOrder: [Int32]? = nil
  ) throws(InferenceError) -> WeightMatrix {
    let tensor = try checked(name, [columns, rows])
    return WeightMatrix(
      try weightType(of: tensor), rows: rows, columns: columns, source: tensor.bytes, rowOrder: rowOrder,
      owner: tensor.file)
  }

  /// A vector of `count` values as fp32.
  func vector(_ name: String, count: Int) throws(InferenceError) -> [Float] {
    let tensor = try checked(name, [count])
    let packed = WeightMatrix(try weightType(of: tensor), rows: 1, columns: count, source: tensor.bytes)
    let values = packed.unpacked().values
    guard countNonFinite(values, count: count) == 0 else {
      throw .tensorNotFinite(path: file.path, tensor: name)
    }
    return values
  }

  private func checked(_ name: String, _ dimensions: [Int]) throws(InferenceError) -> GGUFTensor {
    let tensor = try file.tensor(named: name)
    guard tensor.dimensions == dimensions else {
      throw .shapeMismatch(path: file.path, tensor: name, expected: dimensions, found: tensor.dimensions)
    }
    return tensor
  }

  private func weightType(of tensor: GGUFTensor) throws(InferenceError) -> WeightType {
    switch tensor.type {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .q4_0: .q4_0
    case .q4_1: .q4_1
    case .q5_0: .q5_0
    case .q5_1: .q5_1
    case .q8_0: .q8_0
    case .q4_K: .q4_K
    case .q5_K: .q5_K
    case .q6_K: .q6_K
    default:
      throw .unsupported(
        path: file.path, what: "tensor \(InferenceError.excerpt(tensor.name)) of type", found: tensor.type.name,
        supported: "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K weights")
    }
  }
}
