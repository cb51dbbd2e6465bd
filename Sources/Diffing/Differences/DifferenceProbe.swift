// All numbers of a comparison of two models over given tokens, to hold them against those of another program
// (docs/differences.md names the tensors). Shape letters: N texts, T tokens of each, d width, V tokens that both models
// know, S scales.

import Inference

/// What a probe asks.
public struct DifferenceProbe: Sendable {
  /// `[N][T]`.
  public var texts: [[Int32]]
  public var layers: [Int]
  /// The position of δ whose direction is patched and projected out.
  public var position: Int
  public var mostRaised: Int
  /// α of amplified logits.
  public var alpha: Float
  public var patchPrompt: [Int32]
  public var patchScales: [Float]

  /// Reads the tensors input_ids [N, T], layers, position, top_k, alpha, patch_ids and patch_scales.
  /// - Throws: `InferenceError` naming file and tensor; `DiffingError.unsupported` for values that mean nothing.
  public init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    func whole(_ name: String) throws -> [Int] { try file.ints(named: name) }
    func one(_ name: String) throws -> Int {
      let values = try whole(name)
      guard values.count == 1 else {
        throw InferenceError.shapeMismatch(path: path, tensor: name, expected: [1], found: [values.count])
      }
      return values[0]
    }
    let shape = try file.shape(of: "input_ids")
    let ids = try whole("input_ids").map { Int32(clamping: $0) }
    guard shape.count == 2, shape[0] > 0, shape[1] > 1 else {
      throw InferenceError.shapeMismatch(path: path, tensor: "input_ids", expected: [1, 2], found: shape)
    }
    texts = (0..<shape[0]).map { Array(ids[$0 * shape[1]..<($0 + 1) * shape[1]]) }
    (layers, position, mostRaised) = (try whole("layers"), try one("position"), try one("top_k"))
    patchPrompt = try whole("patch_ids").map { Int32(clamping: $0) }
    patchScales = try file.floats(named: "patch_scales")
    let alphas = try file.floats(named: "alpha")
    guard alphas.count == 1, (0..<shape[1]).contains(position), mostRaised > 0, !patchPrompt.isEmpty,
      Set(layers).count == layers.count
    else {
      throw DiffingError.unsupported(
        path: path, what: "a probe with",
        found: "alpha \(alphas), position \(position), top_k \(mostRaised), layers \(layers)",
        supported: "one alpha, a position within the texts, a positive top_k and each layer once")
    }
    alpha = alphas[0]
  }

  /// Computes everything.
  /// - Throws: the errors of the forward pass, and for a layer that does not exist.
  public func run(_ models: PairedModels) throws -> SafetensorsWriter {
    let (N, T) = (texts.count, texts[0].count)
    let V = models.sharedVocabulary
    var settings = DifferenceSettings(layers: layers, positions: T, mostRaised: min(mostRaised, V), sampledPositions: 0)
    settings.listed = 1
    let collector = try DifferenceCollector(models: models, settings: settings)
    let found = try collector.add(texts.map { DifferenceText(plain: $0) }, first: 0)
    let sums = collector.sums
    var out = SafetensorsWriter()
    func byToken(_ name: String, _ values: (TextDifference) -> [Float]) {
      let all = found.map(values)
      out.add(name, shape: [N, all[0].count], floats: all.flatMap { $0 })
    }
    let tokens = sums.tokens[Corpus.plain.number]
    out.add("logit_difference_sum", shape: [V], floats: (0..<V).map { Float(tokens.sums.value($0)) })
    out.add("logit_difference_positive", shape: [V], int32s: tokens.raised)
    out.add("top_k_positive", shape: [V], int32s: tokens.amongMostRaised)
    out.add("top_k_negative", shape: [V], int32s: tokens.amongMostLowered)
    byToken("kl_chat_base") { $0.chatFromBase.map(Float.init) }
    byToken("kl_base_chat") { $0.baseFromChat.map(Float.init) }
    byToken("nll_base") { $0.baseLosses.map(Float.init) }
    byToken("nll_chat") { $0.chatLosses.map(Float.init) }
    for (index, layer) in layers.enumerated() {
      byToken("difference_norm.\(layer)") { $0.differenceNorms[layer] }
      byToken("cosine.\(layer)") { $0.cosines[layer] }
      try add(layer, sums.positions[index][Corpus.plain.number], models, to: &out)
    }
    try addAmplified(models, to: &out)
    return out
  }

  /// Means by position and what is read from them.
  private func add(
    _ layer: Int, _ sums: PositionSums, _ models: PairedModels, to out: inout SafetensorsWriter
  ) throws {
    let means = texts[0].indices.compactMap { sums.means(at: $0) }
    let (T, d, V) = (texts[0].count, models.chat.configuration.dModel, models.chat.configuration.vocabSize)
    out.add("mean_base.\(layer)", shape: [T, d], floats: means.flatMap(\.base))
    out.add("mean_chat.\(layer)", shape: [T, d], floats: means.flatMap(\.chat))
    out.add("mean_difference.\(layer)", shape: [T, d], floats: means.flatMap(\.difference))
    let norm = Float(sums.meanNorm ?? 0)
    out.add("mean_norm_chat.\(layer)", shape: [1], floats: [norm])
    out.add(
      "lens_probabilities.\(layer)", shape: [T, V], floats: try models.chat.lens(means.map(\.difference)).flatMap { $0 }
    )
    let delta = means[position].difference
    let patchscope = try Patchscope(models: models, prompt: patchPrompt, layer: layer)
    let vectors = patchScales.map { scaled(delta, to: $0 * norm) }
    out.add(
      "patch_probabilities.\(layer)", shape: [patchScales.count, V],
      floats: try patchscope.probabilities(vectors).flatMap { $0 })
    let effect = try ProjectionEffect(models: models, texts: texts, layer: layer)
    out.add(
      "projection_nll.\(layer)", shape: [texts.count, T - 1],
      floats: try effect.losses(along: delta).flatMap { $0.map(Float.init) })
  }

  /// z^chat + α (z^chat − z^base), and with an adapter the logits of weights in which block 1's attention counts 1.5 times and its
  /// MLP 0.5 times, as the reference has them.
  private func addAmplified(_ models: PairedModels, to out: inout SafetensorsWriter) throws {
    let V = models.sharedVocabulary
    let amplified =
      models.adapter == nil || models.chat.configuration.nLayers < 2
      ? nil
      : try AmplifiedWeights.between(
        base: models.base, chat: models.chat,
        [WeightFactor(1.5, blocks: 1...1, module: .attention), WeightFactor(0.5, blocks: 1...1, module: .mlp)])
    var (byLogits, byWeights): ([Float], [Float]) = ([], [])
    for ids in texts {
      var sides: [PairModel] = [.base, .chat]
      if amplified != nil { sides.append(.chat) }
      var segments = sides.enumerated().map { stream, model in
        Segment(stream: stream, cache: models.transformer(of: model).makeCache(), tokens: ids, logits: .all)
      }
      if let amplified { segments[2].amplified = amplified }
      let logits = try models.forward(segments, of: sides)
      for row in ids.indices {
        var z = Array(logits[1].row(row).prefix(V))
        Amplification.amplify(&z, beyond: Array(logits[0].row(row).prefix(V)), by: Double(alpha))
        byLogits += z
      }
      if amplified != nil { byWeights += logits[2].values }
    }
    let shape = [texts.count, texts[0].count, V]
    out.add("amplified_logits", shape: shape, floats: byLogits)
    if amplified != nil { out.add("amplified_weights_logits", shape: shape, floats: byWeights) }
  }
}

/// A vector of the same direction with another norm; a vector of norm 0 stays.
public func scaled(_ vector: [Float], to norm: Float) -> [Float] {
  let own = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  return own > 0 ? vector.map { Float(Double($0) / own * Double(norm)) } : vector
}
