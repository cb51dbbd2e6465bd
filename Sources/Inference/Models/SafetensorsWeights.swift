// Turns the tensors of a Hugging Face folder into packed weights, with the same checks as for GGUF files; types other
// than F32, F16 and BF16 and tensors that the family does not have are errors. If embedding or unembedding is missing,
// the other one serves for both; if both exist and differ, they are not tied.

import Foundation
import Kernels

/// Reads the weights of a model from a Hugging Face folder.
struct SafetensorsWeights: ModelWeights {
  /// Where a class of models keeps the decoder, and which of its tensors do not concern text.
  private struct Layout {
    let decoder: String
    let unembedding: String
    var others: [String] = []
  }

  private static let layouts = [
    Layout(decoder: "model.", unembedding: "lm_head.weight"),
    // Gemma 3 with pictures has two layouts: until transformers 4.51, and since.
    Layout(
      decoder: "language_model.model.", unembedding: "language_model.lm_head.weight",
      others: ["vision_tower.", "multi_modal_projector."]),
    Layout(
      decoder: "model.language_model.", unembedding: "lm_head.weight",
      others: ["model.vision_tower.", "model.multi_modal_projector."]),
    // This is the decoder saved without its head.
    Layout(decoder: "", unembedding: "lm_head.weight"),
  ]

  private let folder: ModelFolder
  private let layout: Layout
  private let postNorms: Bool
  /// The name of the embedding, which may be stored under that of the unembedding.
  private let embedding: String
  var files: [MappedFile] { folder.files }

  /// - Parameter configuration: is corrected to match the file: two matrices that differ are not tied.
  init(folder: ModelFolder, configuration: inout Transformer.Configuration) throws(InferenceError) {
    self.folder = folder
    let layout = Self.layouts.first { folder.hasTensor(named: $0.decoder + "norm.weight") } ?? Self.layouts[0]
    self.layout = layout
    postNorms = configuration.hasPostNorms
    let own = layout.decoder + "embed_tokens.weight"
    let hasHead = folder.hasTensor(named: layout.unembedding)
    guard configuration.tiesEmbeddings, hasHead else {
      embedding = own
      return
    }
    guard folder.hasTensor(named: own) else {
      embedding = layout.unembedding
      return
    }
    embedding = own
    configuration.tiesEmbeddings = try folder.tensor(named: own).equals(folder.tensor(named: layout.unembedding))
  }

  func matrix(
    _ name: WeightName, rows: Int, columns: Int, rowOrder: [Int32]?
  ) throws(InferenceError) -> WeightMatrix {
    let tensor = try checked(name, [rows, columns])
    let type = try weightType(of: tensor)
    return WeightMatrix(
      type, rows: rows, columns: columns, source: tensor.bytes, rowOrder: rowOrder, owner: tensor.file)
  }

  func vector(_ name: WeightName, count: Int) throws(InferenceError) -> [Float] {
    let tensor = try checked(name, [count])
    _ = try weightType(of: tensor)
    let values = try tensor.floats()
    guard countNonFinite(values, count: count) == 0 else {
      throw .tensorNotFinite(path: tensor.file.path, tensor: tensor.name)
    }
    return values
  }

  func refuseTensors(otherThan names: [WeightName], of description: String) throws(InferenceError) {
    let known = Set(names.compactMap(spelling) + [layout.unembedding])
    let other = folder.tensorNames.first { name in
      if known.contains(name) || name.hasSuffix("rotary_emb.inv_freq") { return false }
      return !layout.others.contains { name.hasPrefix($0) }
    }
    if let other {
      throw .unsupported(
        path: folder.path, what: "the tensor", found: InferenceError.excerpt(other),
        supported: "the weights of \(description)")
    }
  }

  private func spelling(_ name: WeightName) -> String? {
    if name == .embedding { return embedding }
    return name == .unembedding
      ? layout.unembedding : name.huggingFace(postNorms: postNorms).map { layout.decoder + $0 }
  }

  private func checked(_ name: WeightName, _ shape: [Int]) throws(InferenceError) -> SafetensorsTensor {
    guard let spelling = spelling(name) else { preconditionFailure("\(name) is not a tensor of folders") }
    let tensor = try folder.tensor(named: spelling)
    guard tensor.shape == shape else {
      throw .shapeMismatch(path: tensor.file.path, tensor: spelling, expected: shape, found: tensor.shape)
    }
    return tensor
  }

  private func weightType(of tensor: SafetensorsTensor) throws(InferenceError) -> WeightType {
    switch tensor.type {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    default:
      throw .unsupported(
        path: tensor.file.path, what: "tensor \(InferenceError.excerpt(tensor.name)) of type",
        found: tensor.type.rawValue, supported: "F32, F16 or BF16 weights")
    }
  }
}

extension SafetensorsTensor {
  /// Whether another tensor has the same shape and values.
  fileprivate func equals(_ other: SafetensorsTensor) throws(InferenceError) -> Bool {
    guard shape == other.shape else { return false }
    defer { withExtendedLifetime((file, other.file)) {} }
    if type == other.type { return bytes.elementsEqualInMemory(other.bytes) }
    return try floats() == other.floats()
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func elementsEqualInMemory(_ other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count, let own = baseAddress, let others = other.baseAddress else {
      return count == other.count
    }
    return memcmp(own, others, count) == 0
  }
}
