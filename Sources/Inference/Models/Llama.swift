// The Llama family (Llama, SmolLM2): RMSNorm, rotary positions, grouped-query attention, gated SiLU MLP.
// Owns: configuration, weights and the forward pass over a batch of segments. Knows nothing of interpretability but
// the hook sites it visits. Reference implementation: modeling_llama.py of Hugging Face transformers.
//
// Shape letters: T rows (tokens of all segments), d residual width, H query heads, K key–value heads, c head width.

import Kernels

/// A Llama model, immutable once loaded; timelines live in `KVCache`.
public final class Llama: Sendable {
  /// The model's dimensions.
  public struct Configuration: Sendable, Equatable {
    public var nLayers: Int
    /// Width of the residual stream.
    public var dModel: Int
    /// Width inside the MLP.
    public var dMLP: Int
    public var nHeads: Int
    public var nKeyValueHeads: Int
    public var headDimension: Int
    public var vocabSize: Int
    /// Positions that the model was trained for; longer timelines are refused.
    public var contextLength: Int
    public var ropeTheta: Double
    public var normEpsilon: Float
  }

  struct Block: Sendable {
    let attentionNorm: [Float]
    let mlpNorm: [Float]
    let weights: [Projection: WeightMatrix]
  }

  public let configuration: Configuration
  let blocks: [Block]
  let embedding: WeightMatrix
  /// Final norm's weight `[d]`.
  let finalNorm: [Float]
  /// Unembedding `[V, d]`; the embedding itself where the two are tied.
  let unembedding: WeightMatrix

  /// Tensors that this family does not have, such as biases, experts or a table of scaled rotary frequencies, mean that
  /// the model computes something else.
  private static func refuseOtherTensors(of file: GGUFFile, layers: Int) throws(InferenceError) {
    let parts = [
      "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
    ]
    let known = Set(
      ["token_embd.weight", "output_norm.weight", "output.weight"]
        + (0..<layers).flatMap { layer in parts.map { "blk.\(layer).\($0).weight" } })
    if let other = file.tensors.first(where: { !known.contains($0.name) }) {
      throw .unsupported(
        path: file.path, what: "the tensor", found: InferenceError.excerpt(other.name),
        supported: "the weights of a plain Llama of \(layers) blocks")
    }
  }

  /// Loads the weights of a GGUF file whose architecture is `llama`.
  /// - Throws: `InferenceError` naming file and tensor where something is missing, mis-shaped or unsupported.
  public init(gguf file: GGUFFile) throws(InferenceError) {
    let configuration = try Configuration(gguf: file)
    try Llama.refuseOtherTensors(of: file, layers: configuration.nLayers)
    let source = GGUFWeights(file: file)
    let (d, c) = (configuration.dModel, configuration.headDimension)
    let queryOrder = Llama.halfSplitOrder(heads: configuration.nHeads, headDimension: c)
    let keyOrder = Llama.halfSplitOrder(heads: configuration.nKeyValueHeads, headDimension: c)
    var blocks: [Block] = []
    for layer in 0..<configuration.nLayers {
      let stem = "blk.\(layer)."
      func matrix(_ name: String, _ p: Projection, _ order: [Int32]? = nil) throws(InferenceError) -> WeightMatrix {
        let shape = configuration.shape(of: p)
        return try source.matrix(stem + name, rows: shape.rows, columns: shape.columns, rowOrder: order)
      }
      blocks.append(
        Block(
          attentionNorm: try source.vector(stem + "attn_norm.weight", count: d),
          mlpNorm: try source.vector(stem + "ffn_norm.weight", count: d),
          weights: [
            .q: try matrix("attn_q.weight", .q, queryOrder), .k: try matrix("attn_k.weight", .k, keyOrder),
            .v: try matrix("attn_v.weight", .v), .o: try matrix("attn_output.weight", .o),
            .gate: try matrix("ffn_gate.weight", .gate), .up: try matrix("ffn_up.weight", .up),
            .down: try matrix("ffn_down.weight", .down),
          ]))
    }
    self.configuration = configuration
    self.blocks = blocks
    embedding = try source.matrix("token_embd.weight", rows: configuration.vocabSize, columns: d)
    finalNorm = try source.vector("output_norm.weight", count: d)
    unembedding =
      file.hasTensor(named: "output.weight")
      ? try source.matrix("output.weight", rows: configuration.vocabSize, columns: d) : embedding
  }

  /// GGUF interleaves each head's halves in q and k (row 2 i + s is dimension s·c/2 + i); undone at load, so that
  /// rotation, adapters and everything else use Hugging Face's order.
  private static func halfSplitOrder(heads: Int, headDimension c: Int) -> [Int32] {
    (0..<heads * c).map { row in
      let (head, dimension) = (row / c, row % c)
      let (half, i) = (dimension / (c / 2), dimension % (c / 2))
      return Int32(head * c + 2 * i + half)
    }
  }

  /// A new, empty timeline.
  public func makeCache() -> KVCache {
    KVCache(layers: configuration.nLayers, width: configuration.nKeyValueHeads * configuration.headDimension)
  }
}

extension Llama.Configuration {
  /// Rows and columns of a block's weight matrix.
  public func shape(of projection: Projection) -> (rows: Int, columns: Int) {
    let (query, keyValue) = (nHeads * headDimension, nKeyValueHeads * headDimension)
    return switch projection {
    case .q: (query, dModel)
    case .k, .v: (keyValue, dModel)
    case .o: (dModel, query)
    case .gate, .up: (dMLP, dModel)
    case .down: (dModel, dMLP)
    }
  }

  /// Reads the metadata of a GGUF file.
  init(gguf file: GGUFFile) throws(InferenceError) {
    let architecture = try file.string("general.architecture")
    guard architecture == "llama" else {
      throw .unsupported(
        path: file.path, what: "the architecture", found: InferenceError.excerpt(architecture),
        supported: "architecture llama")
    }
    func int(_ key: String, _ range: ClosedRange<Int>) throws(InferenceError) -> Int {
      let value = try file.int("llama." + key)
      guard range.contains(value) else {
        throw .typeMismatch(
          path: file.path, key: "llama." + key, expected: "\(range.lowerBound)…\(range.upperBound)", found: "\(value)")
      }
      return value
    }
    nLayers = try int("block_count", 1...1000)
    dModel = try int("embedding_length", 1...1 << 17)
    dMLP = try int("feed_forward_length", 1...1 << 20)
    nHeads = try int("attention.head_count", 1...1 << 12)
    nKeyValueHeads =
      file.contains("llama.attention.head_count_kv") ? try int("attention.head_count_kv", 1...1 << 12) : nHeads
    headDimension =
      file.contains("llama.attention.key_length") ? try int("attention.key_length", 2...1 << 12) : dModel / nHeads
    vocabSize = try file.tensor(named: "token_embd.weight").rows
    contextLength = try int("context_length", 1...1 << 24)
    ropeTheta = file.contains("llama.rope.freq_base") ? try file.float("llama.rope.freq_base") : 10_000
    normEpsilon = Float(try file.float("llama.attention.layer_norm_rms_epsilon"))
    guard nHeads % nKeyValueHeads == 0, headDimension >= 2, headDimension % 2 == 0 else {
      throw .typeMismatch(
        path: file.path, key: "llama.attention.head_count",
        expected: "a multiple of the key–value heads and even heads",
        found: "\(nHeads) heads, \(nKeyValueHeads) key–value heads, width \(headDimension)")
    }
    if file.contains("llama.rope.dimension_count") {
      let rotated = try int("rope.dimension_count", 1...1 << 12)
      guard rotated == headDimension else {
        throw .unsupported(
          path: file.path, what: "rotary positions over", found: "\(rotated) of \(headDimension) dimensions",
          supported: "all of a head's")
      }
    }
    if file.contains("llama.rope.scaling.type") {
      let scaling = try file.string("llama.rope.scaling.type")
      guard scaling == "none" else {
        throw .unsupported(
          path: file.path, what: "rope scaling", found: InferenceError.excerpt(scaling), supported: "unscaled positions"
        )
      }
    }
  }
}
