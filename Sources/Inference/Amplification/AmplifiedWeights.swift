// The weights of one timeline whose change from base to chat is amplified: W = W₀ + λ (W_chat − W₀). Nothing is copied but
// vectors: an adapter's products are multiplied by λ, and of two files both products are computed,
// y = y₀ + λ (y_chat − y₀). Rows without it cost what they did; rows with it cost a second product if there are two
// files, and nothing with an adapter.

/// λ of every block and module, ready for passes of one engine. `between` makes it, and a segment of chat carries it in
/// `Segment.amplified`. Adjacent segments with equal ones share their products.
public struct AmplifiedWeights: Sendable, Equatable {
  /// λ of a block's halves.
  private let factors: [(attention: Float, mlp: Float)]
  /// λ of the embedding, the final norm and the unembedding.
  let outside: Float
  /// Base's file and the vectors between base and chat; nil if an adapter turns base into chat.
  let files: BlendedFiles?

  private init(_ list: [WeightFactor], base: Transformer?, chat: Transformer) {
    func latest(_ covers: (WeightFactor) -> Bool) -> Float { Float(list.last(where: covers)?.factor ?? 1) }
    func factor(_ layer: Int, _ module: BlockModule) -> Float {
      latest { $0.blocks?.contains(layer) ?? true && $0.module ?? module == module }
    }
    let factors = (0..<chat.configuration.nLayers).map {
      (attention: factor($0, .attention), mlp: factor($0, .mlp))
    }
    let outside = latest { $0.blocks == nil && $0.module == nil }
    (self.factors, self.outside) = (factors, outside)
    files = base.map { BlendedFiles(base: $0, chat: chat, factors: factors, outside: outside) }
  }

  /// λ of a block's half.
  func factor(_ layer: Int, _ module: BlockModule) -> Float {
    module == .attention ? factors[layer].attention : factors[layer].mlp
  }

  /// Whether nothing differs from chat.
  var isChat: Bool { outside == 1 && factors.allSatisfy { $0 == (1, 1) } }

  public static func == (a: AmplifiedWeights, b: AmplifiedWeights) -> Bool {
    a.outside == b.outside && a.files?.base === b.files?.base
      && a.factors.elementsEqual(b.factors) { $0 == $1 }
  }
}

/// The vectors of a pair of files between base and chat. A norm and a bias are linear in their weights, so each is one
/// vector w₀ + λ (w_chat − w₀).
struct BlendedFiles: Sendable {
  let base: Transformer
  /// The blocks with blended vectors and base's matrices.
  let blocks: [Transformer.Block]
  /// The weight of the final norm `[d]`.
  let finalNorm: [Float]

  init(base: Transformer, chat: Transformer, factors: [(attention: Float, mlp: Float)], outside: Float) {
    self.base = base
    finalNorm = blended(base.finalNorm, chat.finalNorm, outside)
    blocks = zip(zip(base.blocks, chat.blocks), factors).map { pair, factors in
      let (base, chat) = pair
      func optional(_ a: [Float]?, _ b: [Float]?, _ factor: Float) -> [Float]? {
        a.flatMap { a in b.map { blended(a, $0, factor) } }
      }
      var biases: [Projection: [Float]] = [:]
      for (projection, bias) in base.biases {
        let factor = projection.module == .attention ? factors.attention : factors.mlp
        biases[projection] = optional(bias, chat.biases[projection], factor)
      }
      return Transformer.Block(
        attentionNorm: blended(base.attentionNorm, chat.attentionNorm, factors.attention),
        mlpNorm: blended(base.mlpNorm, chat.mlpNorm, factors.mlp),
        postAttentionNorm: optional(base.postAttentionNorm, chat.postAttentionNorm, factors.attention),
        postMLPNorm: optional(base.postMLPNorm, chat.postMLPNorm, factors.mlp),
        queryNorm: optional(base.queryNorm, chat.queryNorm, factors.attention),
        keyNorm: optional(base.keyNorm, chat.keyNorm, factors.attention), weights: base.weights, biases: biases)
    }
  }
}

/// w₀ + λ (w − w₀).
private func blended(_ base: [Float], _ chat: [Float], _ factor: Float) -> [Float] {
  zip(base, chat).map { factor == 1 ? $1 : $0 + factor * ($1 - $0) }
}

extension AmplifiedWeights {
  /// Makes the weights W₀ + λ (W_chat − W₀) for segments of chat. Later factors replace earlier ones where both apply,
  /// and weights that no factor names are chat's. With two files the embedding, the final norm and the unembedding are
  /// changed by factors without blocks and module; an adapter has no such weights.
  /// - Parameters:
  ///   - chat: the weights that run the segments.
  ///   - base: base's weights; the same object if an adapter turns them into chat.
  /// - Returns: nil if all factors are 1, so that the weights are chat's.
  /// - Throws: `InferenceError.settingInvalid` for a block that does not exist and for a factor beyond
  ///   ± `Amplification.largest`; `unsupported` if two files differ in more than their weights.
  public static func between(
    base: Transformer, chat: Transformer, _ factors: [WeightFactor]
  ) throws(InferenceError) -> AmplifiedWeights? {
    let last = chat.configuration.nLayers - 1
    for item in factors {
      guard abs(item.factor) <= Amplification.largest else {
        throw .settingInvalid(
          name: Setting("weight factor", .amplification), expected: "between -1000 and 1000", found: "\(item.factor)")
      }
      if let blocks = item.blocks, blocks.lowerBound < 0 || blocks.upperBound > last {
        throw .settingInvalid(
          name: Setting("blocks of a weight factor", .amplification), expected: "0…\(last)",
          found: "\(blocks.lowerBound)…\(blocks.upperBound)")
      }
    }
    // The context's length and the tie say nothing of how a weight is used.
    var (own, other) = (chat.configuration, base.configuration)
    (own.contextLength, own.tiesEmbeddings) = (other.contextLength, other.tiesEmbeddings)
    guard own == other else {
      throw .unsupported(
        path: chat.files.first?.path ?? chat.family, what: "amplifying the weights of a pair with",
        found: "two configurations", supported: "files that differ in their weights alone; amplify the logits instead")
    }
    let weights = AmplifiedWeights(factors, base: base === chat ? nil : base, chat: chat)
    return weights.isChat ? nil : weights
  }
}

extension Engine {
  /// Makes the weights W₀ + λ (W_chat − W₀) for segments of chat; see `AmplifiedWeights.between`.
  /// - Throws: also `InferenceError.settingInvalid` if there are factors but no pair.
  public func amplifiedWeights(_ factors: [WeightFactor]) throws(InferenceError) -> AmplifiedWeights? {
    guard isPair || factors.isEmpty else {
      throw .settingInvalid(
        name: Setting("weight factor", .amplification), expected: "a pair of models (an adapter or a base model)",
        found: "one model")
    }
    return try AmplifiedWeights.between(base: baseModel, chat: model, factors)
  }
}
