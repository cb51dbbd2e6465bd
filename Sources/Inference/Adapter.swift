// LoRA adapters in PEFT's format, applied on top of a quantised base: y = W x + b + (α/r)(B A x + b_B). DoRA gives each row
// of W + (α/r) B A a length of its own, m: y = g (W x + (α/r) B A x) + b with g = m/‖row‖. Reading an adapter checks its
// tensors against adapter_config.json and the model; a tensor that would have no effect is an error.

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

  /// The half of the block that the projection belongs to.
  var module: BlockModule {
    switch self {
    case .q, .k, .v, .o: .attention
    case .gate, .up, .down: .mlp
    }
  }

  /// The module that holds the projection in Hugging Face's naming.
  var parent: String { module == .attention ? "self_attn" : "mlp" }
}

/// A low-rank change of a model's weights. It shares the base's copy of the weights.
public final class Adapter: Sendable {
  /// The change of one projection.
  struct Change: Sendable {
    /// `a` `[r, in]` and `b` `[out, r]`, with α/r multiplied in; nil if only the bias changes.
    var lowRank: (a: WeightMatrix, b: WeightMatrix)?
    /// g − 1 `[out]` of DoRA, by which W x is multiplied and added; g is in `b` already.
    var gain: [Float]?
    /// The base's bias `[out]`, which the gain leaves alone.
    var baseBias: [Float]?
    /// A vector `[out]` added to the result: the difference between the two biases, plus the bias of the change itself.
    var bias: [Float]?
  }

  /// The directory that holds the adapter.
  public let path: String
  /// SHA-256 of its files; see `sha256(folder:)`.
  public let sha256: String
  /// The blocks that it changes.
  public let layers: [Int]
  private let changes: [[Projection: Change]]

  /// y += λ ((α/r) B A x + bias) for some projections of a block.
  /// - Parameters:
  ///   - x: all rows of the projections' input; each y holds all rows of one projection's output.
  ///   - rows: the rows that belong to the adapted model.
  ///   - amplified: λ by module; nil is 1.
  func add(
    _ layer: Int, _ projections: [(Projection, UnsafeMutablePointer<Float>)], _ x: UnsafePointer<Float>,
    rows: Range<Int>, amplified: AmplifiedWeights? = nil
  ) {
    for (projection, y) in projections {
      let factor = amplified?.factor(layer, projection.module) ?? 1
      guard factor != 0, let change = changes[layer][projection] else { continue }
      if let gain = change.gain {
        for row in rows {
          let y = y + row * gain.count
          for index in 0..<gain.count { y[index] += factor * gain[index] * (y[index] - (change.baseBias?[index] ?? 0)) }
        }
      }
      if let (a, b) = change.lowRank {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * a.rows) { low in
          guard let low = low.baseAddress else { return }
          a.multiply(x + rows.lowerBound * a.columns, count: rows.count, into: low)
          if factor != 1 { scale(low, by: factor, count: rows.count * a.rows) }
          b.multiply(low, count: rows.count, into: y + rows.lowerBound * b.rows, accumulate: true)
        }
      }
      if let bias = change.bias {
        for row in rows { addScaled(factor, bias, to: y + row * bias.count, count: bias.count) }
      }
    }
  }

  /// The module paths under which classes of models keep the decoder's blocks.
  private static let stems = ["model.layers", "model.language_model.layers", "language_model.model.layers"]

  /// Reads a PEFT directory for a loaded model.
  /// - Parameters:
  ///   - path: the directory that holds adapter_config.json and adapter_model.safetensors or adapter_model.bin.
  ///   - seed: if set, the columns of every matrix A change places at random, so that the change has the same size and has
  ///     lost what it was trained to do: a control for what is found of the change.
  /// - Throws: `InferenceError` naming file, tensor and reason: damaged, not supported, or made for another model.
  public init(path: String, for model: Transformer, scrambled seed: UInt64? = nil) throws(InferenceError) {
    let files = try Self.files(folder: path)
    let configuration = try AdapterConfiguration(file: files[0])
    var reader = AdapterReader(file: try TensorFile(file: files[1]), configuration: configuration, scrambled: seed)
    let stem =
      Self.stems.first { stem in reader.file.names.contains { $0.hasPrefix("base_model.model.\(stem).") } }
      ?? Self.stems[0]
    let shape = model.configuration
    changes = try (0..<shape.nLayers).map { layer throws(InferenceError) in
      var changes: [Projection: Change] = [:]
      for projection in Projection.allCases {
        let module = "\(stem).\(layer).\(projection.parent).\(projection.rawValue)"
        changes[projection] = try reader.change(
          of: module, weights: model.blocks[layer].matrix(projection), bias: model.blocks[layer].biases[projection])
      }
      return changes
    }
    try reader.refuseRest(blocks: shape.nLayers)
    self.path = path
    layers = changes.indices.filter { [changes] in !changes[$0].isEmpty }
    sha256 = try MappedFile.sha256(files)
  }

  /// SHA-256 of a PEFT folder: adapter_config.json, whose α/r scales the change, then adapter_model.safetensors, then the
  /// file of the chat template if the folder has one, because it decides which tokens a chat is.
  /// - Throws: `InferenceError` if one of them cannot be read.
  public static func sha256(folder: String) throws(InferenceError) -> String {
    try MappedFile.sha256(files(folder: folder))
  }

  private static func files(folder: String) throws(InferenceError) -> [MappedFile] {
    let tensors = [".safetensors", ".bin"].map { folder + "/adapter_model" + $0 }
    let found = tensors.first { MappedFile.exists($0) } ?? tensors[0]
    let template = try ChatTemplate.file(folder: folder)
    return try [folder + "/adapter_config.json", found, template].compactMap(\.self)
      .map { path throws(InferenceError) in try MappedFile(path: path) }
  }
}

/// Takes an adapter's tensors module by module, and knows which ones are left.
private struct AdapterReader {
  let file: TensorFile
  let configuration: AdapterConfiguration
  private var used = Set<String>()
  /// Draws the new places of columns; nil leaves them.
  private var generator: SplitMix64?

  init(file: TensorFile, configuration: AdapterConfiguration, scrambled seed: UInt64?) {
    (self.file, self.configuration, generator) = (file, configuration, seed.map { SplitMix64(seed: $0) })
  }

  /// A matrix with its columns in another order.
  private mutating func scrambled(_ values: [Float], columns: Int) -> [Float] {
    guard generator != nil else { return values }
    var order = Array(0..<columns)
    for place in stride(from: columns - 1, to: 0, by: -1) {
      order.swapAt(place, Int((generator?.uniform() ?? 0) * Double(place + 1)))
    }
    return values.indices.map { values[$0 / columns * columns + order[$0 % columns]] }
  }

  /// Returns the change of one module, or nil if there is none.
  /// - Parameters:
  ///   - weights: the base's weights.
  ///   - bias: the base's bias.
  mutating func change(
    of module: String, weights: WeightMatrix, bias: [Float]?
  ) throws(InferenceError) -> Adapter.Change? {
    let stem = "base_model.model." + module
    let shape = (rows: weights.rows, columns: weights.columns)
    let (nameA, nameB, nameOfBias) = (stem + ".lora_A.weight", stem + ".lora_B.weight", stem + ".lora_B.bias")
    var change = Adapter.Change()
    let isChanged = configuration.changes(module)
    if file.hasTensor(named: nameA) || file.hasTensor(named: nameB) {
      guard isChanged else {
        throw .unsupported(
          path: file.path, what: "the tensor", found: nameA,
          supported: "matrices of the blocks and modules that adapter_config.json names (target_modules, "
            + "exclude_modules, layers_to_transform)")
      }
      let (rank, scale) = configuration.shape(module)
      let a = scrambled(try take(nameA, [rank, shape.columns]), columns: shape.columns)
      var b = try take(nameB, [shape.rows, rank]).map { $0 * scale }
      if configuration.hasMagnitudes {
        // Some versions of PEFT wrote the vector as a module's weight.
        let names = [".lora_magnitude_vector.weight", ".lora_magnitude_vector"].map { stem + $0 }
        let name = names.first { file.hasTensor(named: $0) } ?? names[1]
        let gains = Self.gains(
          try take(name, [shape.rows]), weights,
          Matrix(rows: rank, columns: shape.columns, values: a), b)
        for index in b.indices { b[index] *= gains[index / rank] }
        (change.gain, change.baseBias) = (gains.map { $0 - 1 }, bias)
      }
      change.lowRank = (
        WeightMatrix(Matrix(rows: rank, columns: shape.columns, values: a)),
        WeightMatrix(Matrix(rows: shape.rows, columns: rank, values: b))
      )
      if configuration.hasBiases { change.bias = try take(nameOfBias, [shape.rows]).map { $0 * scale } }
    } else if isChanged, configuration.startsAtRandom {
      throw .tensorMissing(path: file.path, tensor: nameA)
    }
    // A module with a change keeps its own bias one level deeper.
    let own = stem + (isChanged ? ".base_layer.bias" : ".bias")
    if let bias, file.hasTensor(named: own) {
      let difference = zip(try take(own, [shape.rows]), bias).map(-)
      change.bias = change.bias.map { zip($0, difference).map(+) } ?? difference
    }
    return change.lowRank == nil && change.bias == nil ? nil : change
  }

  /// m/‖row of W + (α/r) B A‖ for each row.
  private static func gains(_ magnitudes: [Float], _ weights: WeightMatrix, _ a: Matrix, _ b: [Float]) -> [Float] {
    [Float](unsafeUninitializedCapacity: magnitudes.count) { gains, count in
      count = magnitudes.count
      Compute.parallel { thread, threads in
        withUnsafeTemporaryAllocation(of: Float.self, capacity: weights.columns) { row in
          guard let sums = row.baseAddress else { return }
          for index in Compute.share(of: magnitudes.count, thread: thread, threads: threads, step: 1) {
            weights.unpackRow(index, into: sums)
            for place in 0..<a.rows {
              a.values.withUnsafeBufferPointer { values in
                guard let start = values.baseAddress else { return }
                addScaled(
                  b[index * a.rows + place], start + place * weights.columns, to: sums, count: weights.columns)
              }
            }
            let norm = squareSum(sums, count: weights.columns).squareRoot()
            gains[index] = norm > 0 ? Float(Double(magnitudes[index]) / norm) : 0
          }
        }
      }
    }
  }

  /// Throws for the first tensor that no module used.
  func refuseRest(blocks count: Int) throws(InferenceError) {
    if let stray = file.names.sorted().first(where: { !used.contains($0) }) {
      throw .unsupported(
        path: file.path, what: "the tensor", found: InferenceError.excerpt(stray),
        supported: "LoRA matrices of the \(count) decoder blocks of this model only")
    }
    guard !used.isEmpty else {
      throw .unsupported(path: file.path, what: "an adapter with", found: "no tensors", supported: "LoRA matrices")
    }
  }

  private mutating func take(_ name: String, _ shape: [Int]) throws(InferenceError) -> [Float] {
    let found = try file.shape(of: name)
    guard found == shape else {
      throw .shapeMismatch(path: file.path, tensor: name, expected: shape, found: found)
    }
    let values = try file.floats(named: name)
    guard countNonFinite(values, count: values.count) == 0 else {
      throw .tensorNotFinite(path: file.path, tensor: name)
    }
    used.insert(name)
    return values
  }
}
