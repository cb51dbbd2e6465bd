// What a dictionary's reconstruction costs each model: next-token cross-entropy with the residual stream after layer L
//   clean          as it is
//   reconstructed  ĥ^m in its place
//   zeroed         0 in its place, the loss of a model without this layer's output
// and the rest of that model run on it. A dictionary of chat − base reconstructs that alone: base's stream plus x̂ stands
// in chat's place, and zeroed is base's stream without x̂. Loss recovered = (zeroed − reconstructed) / (zeroed − clean): 1 loses nothing,
// 0 is as bad as nothing at all. Tokens on which no crosscoder is trained (the first, and those of outlying norm) keep
// their stream in all three. Models that the dictionary does not reconstruct have no losses. Source: dictionary_learning's `evaluate` (loss_original, loss_reconstructed, loss_zero,
// frac_recovered), for both models of the pair. Shape letters: T tokens, d width, V vocabulary.

import Inference
import Kernels

/// The summed losses of one text, in nats.
public struct TextLosses: Codable, Equatable, Sendable {
  /// Sums over predicted tokens for one model.
  public struct Sums: Codable, Equatable, Sendable {
    public var clean = 0.0
    public var reconstructed = 0.0
    public var zeroed = 0.0

    public init() {}
  }

  /// The number of predicted tokens, T − 1.
  public var predictions: Int
  /// The number of tokens that were encoded, and of their active latents.
  public var encoded: Int
  public var active: Int
  /// The losses of base, if the dictionary reconstructs it, and of chat.
  public var base: Sums?
  public var chat = Sums()

  init(predictions: Int, encoded: Int, active: Int) {
    (self.predictions, self.encoded, self.active) = (predictions, encoded, active)
  }
}

/// Measures one text after another. It has one owner at a time.
public final class LossRecovery {
  private let engine: Engine
  private let crosscoder: Crosscoder
  private let harvester: Harvester
  /// For each model, the timelines of the clean, the reconstructed and the zeroed stream.
  private let caches: [[KVCache]]

  /// - Parameters:
  ///   - crosscoder: must have the engine's width and no input normaliser (`foldingNormaliser`).
  ///   - layer: the block after which the crosscoder reads.
  /// - Throws: `DiffingError.settingInvalid` if engine, crosscoder and layer do not fit, `.codesUndefined`.
  public init(engine: Engine, crosscoder: Crosscoder, layer: Int) throws(DiffingError) {
    try crosscoder.checkFit(engine.model.configuration, layer: layer)
    try crosscoder.requireCodesOfTexts()
    (self.engine, self.crosscoder) = (engine, crosscoder)
    harvester = Harvester(engine: engine, layer: layer)
    caches = PairModel.allCases.map { model in (0..<3).map { _ in engine.transformer(of: model).makeCache() } }
  }

  /// - Parameter ids: at least two tokens.
  /// - Throws: `DiffingError.file` with the error of the forward pass; `.cancelled` between two blocks.
  public func measure(_ ids: [Int32]) throws(DiffingError) -> TextLosses {
    precondition(ids.count > 1, "one token predicts nothing that is known")
    let activations = try reading { () throws(InferenceError) in try harvester.activations(of: [ids])[0] }
    let coded = crosscoder.meaningful(in: activations)
    let codes = try crosscoder.encode(activations).keeping(coded)
    let reconstruction = crosscoder.decode(codes, of: activations)
    var result = TextLosses(
      predictions: ids.count - 1, encoded: coded.count { $0 }, active: codes.latents.count)
    let zeros = ArraySlice(repeating: Float(0), count: crosscoder.dModel)
    for model in crosscoder.target == .pair ? PairModel.allCases : [.chat] {
      var (clean, made, zeroed) = ([Float](), [Float](), [Float]())
      for token in ids.indices {
        let own = activations.vector(token: token, model: model)
        clean += own
        guard coded[token] else {
          made += own
          zeroed += own
          continue
        }
        let written = reconstruction.vector(token: token, model: model)
        let start = crosscoder.target == .difference ? activations.vector(token: token, model: .base) : zeros
        made += zip(start, written).map { $0 + $1 }
        zeroed += start
      }
      let losses = try losses(of: ids, model, [clean, made, zeroed])
      var sums = TextLosses.Sums()
      (sums.clean, sums.reconstructed, sums.zeroed) = (losses[0], losses[1], losses[2])
      if model == .base { result.base = sums } else { result.chat = sums }
    }
    return result
  }

  /// −Σ log p of the next token, for each residual stream `[T, d]`.
  private func losses(of ids: [Int32], _ model: PairModel, _ streams: [[Float]]) throws(DiffingError) -> [Double] {
    let transformer = engine.transformer(of: model)
    let (d, V) = (crosscoder.dModel, transformer.configuration.vocabSize)
    let caches = caches[model.index]
    for cache in caches { cache.truncate(to: 0) }
    var sums = [Double](repeating: 0, count: streams.count)
    // A pass takes few positions of every stream, so that the logits stay small.
    let length = max(1, transformer.configuration.rowsPerPass / streams.count)
    for first in stride(from: 0, to: ids.count - 1, by: length) {
      let part = first..<min(ids.count - 1, first + length)
      let segments = streams.indices.map { stream in
        Segment(
          stream: stream, cache: caches[stream], tokens: Array(ids[part]),
          start: Segment.Start(
            layer: harvester.layer, residual: streams[stream][part.lowerBound * d..<part.upperBound * d]),
          adapter: engine.adapter(of: model), logits: .all)
      }
      let logits = try reading { () throws(InferenceError) in try transformer.forward(segments) }
      for (stream, rows) in logits.enumerated() {
        rows.values.withUnsafeBufferPointer { rows in
          guard let rows = rows.baseAddress else { return }
          for position in part {
            sums[stream] -= logSoftmax(rows + (position - first) * V, count: V, at: Int(ids[position + 1]))
          }
        }
      }
    }
    return sums
  }
}
