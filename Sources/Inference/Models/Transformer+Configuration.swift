// What a model of any family is, as numbers: its dimensions and the places where families differ.
// Owns: the configuration and the shapes that follow from it. The families in this folder fill it in from their files.

import Kernels

extension Transformer {
  /// A model's dimensions and variations.
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
    public var normEpsilon: Float
    /// Whether the unembedding is the embedding.
    public var tiesEmbeddings: Bool
    public var rope: Rotary
    /// Of the layers with a window, where it differs from the others' `rope`.
    public var localRope: Rotary?
    /// For each layer how many positions a query sees, its own included; nil for all.
    public var windows: [Int?]
    /// What attention scores are multiplied by.
    public var attentionScale: Float
    /// Where given, attention scores stay within ± this.
    public var attentionCap: Float?
    /// Where given, logits stay within ± this.
    public var logitCap: Float?
    /// What embeddings are multiplied by before the first block.
    public var embeddingScale: Float = 1
    public var activation = Activation.silu
    /// Projections to whose result a bias is added.
    public var biases: Set<Projection> = []
    /// Whether queries and keys are normed head by head before they are rotated.
    public var hasHeadNorms = false
    /// Whether what attention and MLP give is normed before it is added to the residual stream.
    public var hasPostNorms = false
  }
}

extension Transformer.Configuration {
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

  /// Rows that one pass should compute at most, so that a block takes a few hundredths of a second and a cancelled task
  /// ends within them: 8 · 10⁹ operations.
  public var rowsPerPass: Int {
    let weights = Projection.allCases.reduce(0) { $0 + shape(of: $1).rows * shape(of: $1).columns }
    return min(512, max(16, 4_000_000_000 / weights))
  }

  /// Which scores a layer's attention computes.
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
