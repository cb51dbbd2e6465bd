// LoRA adapters in PEFT's format, applied on top of a quantised base: y = W x + (α/r) B A x.
// Owns: reading adapter_config.json and adapter_model.safetensors and checking them against the model.
// Refuses: DoRA, biases, modules saved whole, per-module ranks, tensors that it would have to ignore.

import Foundation
import Kernels

/// The weight matrices of a decoder block that an adapter may change; raw values are PEFT's module names.
public enum Projection: String, Sendable, CaseIterable {
  case q = "q_proj"
  case k = "k_proj"
  case v = "v_proj"
  case o = "o_proj"
  case gate = "gate_proj"
  case up = "up_proj"
  case down = "down_proj"

  /// The module that holds the projection in Hugging Face's naming.
  var parent: String {
    switch self {
    case .q, .k, .v, .o: "self_attn"
    case .gate, .up, .down: "mlp"
    }
  }
}

/// A low-rank change of a model's weights, sharing the base's copy of them.
public final class Adapter: Sendable {
  /// One projection's change: `a` `[r, in]`, `b` `[out, r]` with α/r folded in.
  struct LowRank: Sendable {
    let a: WeightMatrix
    let b: WeightMatrix
  }

  /// The directory it was read from.
  public let path: String
  /// SHA-256 of its two files, see `sha256(folder:)`.
  public let sha256: String
  /// Blocks it changes.
  public let layers: [Int]
  private let changes: [[Projection: LowRank]]

  /// y += (α/r) B A x for each of some projections of a block.
  /// - Parameters:
  ///   - x: all rows of the projections' input; each y has all rows of one projection's output.
  ///   - rows: the rows that are the adapted model's.
  func add(
    _ layer: Int, _ projections: [(Projection, UnsafeMutablePointer<Float>)], _ x: UnsafePointer<Float>,
    rows: Range<Int>
  ) {
    for (projection, y) in projections {
      guard let change = changes[layer][projection] else { continue }
      withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * change.a.rows) { low in
        guard let low = low.baseAddress else { return }
        change.a.multiply(x + rows.lowerBound * change.a.columns, count: rows.count, into: low)
        change.b.multiply(low, count: rows.count, into: y + rows.lowerBound * change.b.rows, accumulate: true)
      }
    }
  }

  /// Reads a PEFT directory for a loaded model.
  /// - Throws: as `init(path:layers:shape:)`.
  public convenience init(path: String, for model: Transformer) throws(InferenceError) {
    try self.init(path: path, layers: model.configuration.nLayers) { model.configuration.shape(of: $0) }
  }

  /// Reads a PEFT directory for a model.
  /// - Parameters:
  ///   - path: the directory that holds adapter_config.json and adapter_model.safetensors.
  ///   - shape: rows and columns of each projection of the model.
  /// - Throws: `InferenceError` naming file, tensor and reason: damaged, unsupported, or made for another model.
  public init(path: String, layers count: Int, shape: (Projection) -> (rows: Int, columns: Int)) throws(InferenceError)
  {
    let files = try Self.files(folder: path)
    let configuration = try Configuration(file: files[0])
    let file = try SafetensorsFile(file: files[1])
    var changes = [[Projection: LowRank]](repeating: [:], count: count)
    var used = Set<String>()
    for layer in 0..<count {
      for projection in Projection.allCases {
        let stem = "base_model.model.model.layers.\(layer).\(projection.parent).\(projection.rawValue)"
        let (nameA, nameB) = (stem + ".lora_A.weight", stem + ".lora_B.weight")
        guard file.hasTensor(named: nameA) || file.hasTensor(named: nameB) else { continue }
        guard configuration.layers?.contains(layer) ?? true,
          configuration.modules?.contains(projection.rawValue) ?? true
        else {
          throw .unsupported(
            path: file.path, what: "the tensor", found: nameA,
            supported: "matrices of the blocks and modules that adapter_config.json names")
        }
        let (rows, columns) = shape(projection)
        let a = try Adapter.matrix(file, nameA, [configuration.rank, columns])
        var b = try Adapter.matrix(file, nameB, [rows, configuration.rank])
        for i in b.values.indices { b.values[i] *= configuration.scale }
        changes[layer][projection] = LowRank(a: WeightMatrix(a), b: WeightMatrix(b))
        used.formUnion([nameA, nameB])
      }
    }
    if let stray = file.tensors.first(where: { !used.contains($0.name) }) {
      throw .unsupported(
        path: file.path, what: "the tensor", found: InferenceError.excerpt(stray.name),
        supported: "LoRA matrices of the \(count) decoder blocks of this model only")
    }
    guard !used.isEmpty else {
      throw .unsupported(path: file.path, what: "an adapter with", found: "no tensors", supported: "LoRA matrices")
    }
    self.path = path
    self.changes = changes
    layers = changes.indices.filter { !changes[$0].isEmpty }
    sha256 = try MappedFile.sha256(files)
  }

  /// SHA-256 of a PEFT folder: adapter_config.json, whose α/r scales the change, then adapter_model.safetensors.
  /// - Throws: `InferenceError` where one of them cannot be read.
  public static func sha256(folder: String) throws(InferenceError) -> String {
    try MappedFile.sha256(files(folder: folder))
  }

  private static func files(folder: String) throws(InferenceError) -> [MappedFile] {
    try ["adapter_config.json", "adapter_model.safetensors"].map { name throws(InferenceError) in
      try MappedFile(path: folder + "/" + name)
    }
  }

  private static func matrix(_ file: SafetensorsFile, _ name: String, _ shape: [Int]) throws(InferenceError) -> Matrix {
    let found = try file.shape(of: name)
    guard found == shape else {
      throw .shapeMismatch(path: file.path, tensor: name, expected: shape, found: found)
    }
    let values = try file.floats(named: name)
    guard countNonFinite(values, count: values.count) == 0 else {
      throw .tensorNotFinite(path: file.path, tensor: name)
    }
    return Matrix(rows: shape[0], columns: shape[1], values: values)
  }
}

extension Adapter {
  /// What adapter_config.json says, as far as it changes the computation.
  private struct Configuration {
    let rank: Int
    let scale: Float
    /// The blocks and modules that it says are changed; nil where it does not say.
    let layers: Set<Int>?
    let modules: Set<String>?

    private struct Raw: Decodable {
      let peft_type: String
      let r: Int
      let lora_alpha: Double
      let use_rslora: Bool?
      let use_dora: Bool?
      let bias: String?
      let modules_to_save: [String]?
      let rank_pattern: [String: Int]?
      let alpha_pattern: [String: Double]?
      let layers_to_transform: Layers?
      let target_modules: Modules?
    }

    /// One block or several.
    private enum Layers: Decodable {
      case blocks(Set<Int>)

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = .blocks(try (try? container.decode(Int.self)).map { [$0] } ?? container.decode(Set<Int>.self))
      }
    }

    /// Names of modules; a pattern says nothing that could be compared.
    private enum Modules: Decodable {
      case names(Set<String>)
      case pattern

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = (try? container.decode(String.self)) != nil ? .pattern : .names(try container.decode(Set<String>.self))
      }
    }

    init(file: MappedFile) throws(InferenceError) {
      let path = file.path
      let raw: Raw
      do {
        raw = try JSONDecoder().decode(Raw.self, from: file.contents())
      } catch {
        throw .fileMalformed(
          path: path, place: "JSON", expected: "a PEFT adapter configuration",
          found: (error as? DecodingError)?.clause ?? "something else")
      }
      func refuse(_ what: String, _ found: String, _ supported: String) -> InferenceError {
        .unsupported(path: path, what: what, found: InferenceError.excerpt(found), supported: supported)
      }
      guard raw.peft_type == "LORA" else { throw refuse("peft_type", raw.peft_type, "LORA") }
      guard raw.use_dora != true else { throw refuse("use_dora", "true", "plain LoRA") }
      guard (raw.bias ?? "none") == "none" else { throw refuse("bias", raw.bias ?? "", "bias none") }
      guard (raw.modules_to_save ?? []).isEmpty else { throw refuse("modules_to_save", "set", "none") }
      guard (raw.rank_pattern ?? [:]).isEmpty, (raw.alpha_pattern ?? [:]).isEmpty else {
        throw refuse("rank_pattern or alpha_pattern", "set", "one rank and alpha for all modules")
      }
      guard (1...1024).contains(raw.r), raw.lora_alpha.isFinite else {
        throw .fileMalformed(path: path, place: "r", expected: "a rank of 1 to 1024", found: "\(raw.r)")
      }
      if case .blocks(let blocks)? = raw.layers_to_transform { layers = blocks } else { layers = nil }
      if case .names(let names)? = raw.target_modules { modules = names } else { modules = nil }
      rank = raw.r
      scale = Float(raw.lora_alpha / (raw.use_rslora == true ? Double(raw.r).squareRoot() : Double(raw.r)))
    }
  }
}
