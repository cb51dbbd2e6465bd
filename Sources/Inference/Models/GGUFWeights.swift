// From a GGUF file's tensors to packed weights, with the checks every model family needs.
// Refuses: missing tensors, other shapes than the configuration implies, types without a kernel, non-finite vectors.

import Kernels

/// Reads the weights of a model from a GGUF file.
struct GGUFWeights: ModelWeights {
  let file: GGUFFile

  func matrix(
    _ name: WeightName, rows: Int, columns: Int, rowOrder: [Int32]?
  ) throws(InferenceError) -> PackedMatrix {
    let tensor = try checked(name.gguf, [columns, rows])
    return PackedMatrix(
      try weightType(of: tensor), rows: rows, columns: columns, source: tensor.bytes, rowOrder: rowOrder)
  }

  func vector(_ name: WeightName, count: Int) throws(InferenceError) -> [Float] {
    let tensor = try checked(name.gguf, [count])
    let packed = PackedMatrix(try weightType(of: tensor), rows: 1, columns: count, source: tensor.bytes)
    let values = packed.unpacked().values
    guard countNonFinite(values, count: count) == 0 else {
      throw .tensorNotFinite(path: file.path, tensor: name.gguf)
    }
    return values
  }

  func refuseTensors(otherThan names: [WeightName], of description: String) throws(InferenceError) {
    let known = Set(names.map(\.gguf))
    if let other = file.tensors.first(where: { !known.contains($0.name) }) {
      throw .unsupported(
        path: file.path, what: "the tensor", found: InferenceError.excerpt(other.name),
        supported: "the weights of \(description)")
    }
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
    case .q8_0: .q8_0
    case .q4_1: .q4_1
    default:
      throw .unsupported(
        path: file.path, what: "tensor \(InferenceError.excerpt(tensor.name)) of type", found: tensor.type.name,
        supported: "F32, F16, BF16, Q8_0 or Q4_1 weights")
    }
  }
}
