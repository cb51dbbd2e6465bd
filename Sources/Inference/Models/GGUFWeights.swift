// Turns the tensors of a GGUF file into packed weights, with the checks that every model family needs: tensors exist,
// have the shapes that the configuration implies and types with a kernel, and vectors are finite.

import Kernels

/// Reads the weights of a model from a GGUF file.
struct GGUFWeights: ModelWeights {
  let file: GGUFFile
  var files: [MappedFile] { [file.file] }

  func matrix(
    _ name: WeightName, rows: Int, columns: Int, rowOrder: [Int32]?
  ) throws(InferenceError) -> WeightMatrix {
    let tensor = try checked(name.gguf, [columns, rows])
    let matrix = WeightMatrix(
      try weightType(of: tensor), rows: rows, columns: columns, source: tensor.bytes, rowOrder: rowOrder,
      owner: tensor.file)
    // The file stays mapped, but what has been packed need not be in memory twice.
    if !matrix.isInPlace { tensor.file.release(tensor.range) }
    return matrix
  }

  func vector(_ name: WeightName, count: Int) throws(InferenceError) -> [Float] {
    let tensor = try checked(name.gguf, [count])
    let packed = WeightMatrix(try weightType(of: tensor), rows: 1, columns: count, source: tensor.bytes)
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
    guard let type = Self.types[tensor.type] else {
      throw .unsupported(
        path: file.path, what: "tensor \(InferenceError.excerpt(tensor.name)) of type", found: tensor.type.name,
        supported: "weights of type " + Self.types.keys.map(\.name).sorted().joined(separator: ", "))
    }
    return type
  }

  /// The types that kernels multiply with.
  static let types: [GGMLType: WeightType] = [
    .f32: .f32, .f16: .f16, .bf16: .bf16, .q4_0: .q4_0, .q4_1: .q4_1, .q5_0: .q5_0, .q5_1: .q5_1, .q8_0: .q8_0,
    .q4_K: .q4_K, .q5_K: .q5_K, .q6_K: .q6_K,
  ]
}
