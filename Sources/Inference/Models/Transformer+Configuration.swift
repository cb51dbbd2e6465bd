// A model of any family as numbers: its dimensions, the settings in which families differ, and the shapes that follow.
// The families in this folder read it from their files.

import Kernels

extension Transformer {
  /// A model's dimensions and variations.
  public struct Configuration: Sendable, Equatable {
    public var nLayers: Int
    /// The width of the residual stream.
    public var dModel: Int
    /// The width inside the MLP.
    var dMLP: Int
    var nHeads: Int
    var nKeyValueHeads: Int
    public var headDimension: Int
    public var vocabSize: Int
    /// The number of positions that the model was trained for; longer timelines are refused.
    public var contextLength: Int
    var normEpsilon: Float
    /// Whether the embedding also serves as unembedding.
    var tiesEmbeddings: Bool
    var rope: Rotary
    /// The rotary embedding of layers with a window, if it differs from `rope`.
    var localRope: Rotary?
    /// For each layer, how many positions a query sees, including its own; nil for all.
    public var windows: [Int?]
    /// The factor of attention scores.
    var attentionScale: Float
    /// If set, attention scores stay within ± this value.
    var attentionCap: Float?
    /// If set, logits stay within ± this value.
    var logitCap: Float?
    /// The factor of embeddings before the first block.
    var embeddingScale: Float = 1
    public var activation = Activation.silu
    /// The projections that add a bias to their result.
    var biases: Set<Projection> = []
    /// Whether each head's queries and keys are normed before they are rotated.
    var hasHeadNorms = false
    /// Whether the outputs of attention and MLP are normed before they are added to the residual stream.
    var hasPostNorms = false
  }
}

extension Transformer.Configuration {
  /// The rows and columns of a block's weight matrix.
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

  /// The most rows that one pass should compute, so that a block takes a few hundredths of a second and a cancelled
  /// task ends that soon: 8 · 10⁹ operations.
  public var rowsPerPass: Int {
    let weights = Projection.allCases.reduce(0) { $0 + shape(of: $1).rows * shape(of: $1).columns }
    return min(512, max(16, 4_000_000_000 / weights))
  }

  /// The rule for the attention scores of a layer.
  func attentionRule(_ layer: Int) -> CausalAttention.Rule {
    CausalAttention.Rule(scale: attentionScale, cap: attentionCap, window: windows[layer])
  }

  /// The names of all weights, in the order of the computation.
  var weightNames: [WeightName] {
    var block: [BlockWeight] = [.attentionNorm, .mlpNorm]
    if hasHeadNorms { block += [.queryNorm, .keyNorm] }
    if hasPostNorms { block += [.postAttentionNorm, .postMLPNorm] }
    block += Projection.allCases.map { .matrix($0) }
    block += Projection.allCases.filter(biases.contains).map { .bias($0) }
    var names: [WeightName] = [.embedding]
    for layer in 0..<nLayers { names += block.map { .block(layer, $0) } }
    names.append(.finalNorm)
    if !tiesEmbeddings { names.append(.unembedding) }
    if case .divisors = rope.scaling { names.append(.ropeDivisors) }
    return names
  }
}
