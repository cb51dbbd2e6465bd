// What a direction does for chat's predictions (arXiv 2510.13900, section 3): along a unit vector v, and nowhere else, chat's residual
// stream after block L is made base's at every token,
//   x ← x + ((x_base − x)·v) v,
// and the change of the mean loss says whether v carries what was tuned. Shape letters: T tokens, d width, V vocabulary.

import Inference
import Kernels

/// Measures directions at one layer on some texts. It has one owner at a time.
public final class ProjectionEffect {
  private let models: PairedModels
  private let layer: Int
  private let texts: [[Int32]]
  /// Both models' residual streams after the block, for each text.
  private let streams: [PairedActivations]
  private let caches: [KVCache]

  /// Reads both models on the texts.
  /// - Parameters:
  ///   - texts: of at least two tokens each.
  ///   - layer: a block of the models, counted from 0.
  /// - Throws: the errors of the forward pass.
  public init(models: PairedModels, texts: [[Int32]], layer: Int) throws(InferenceError) {
    precondition(texts.allSatisfy { $0.count > 1 }, "one token predicts nothing that is known")
    (self.models, self.layer, self.texts) = (models, layer, texts)
    caches = texts.map { _ in models.chat.makeCache() }
    let harvester = Harvester(models: models, layer: layer)
    streams = try texts.map { ids throws(InferenceError) in try harvester.activations(of: [ids])[0] }
  }

  /// Chat's losses of each text's tokens but the first, in nats, with base's stream along a direction; nil leaves chat as it is.
  /// - Parameter direction: `[d]`; its length does not matter.
  /// - Returns: `[texts][T − 1]`.
  /// - Throws: the errors of the forward pass.
  public func losses(along direction: [Float]?) throws(InferenceError) -> [[Double]] {
    let d = models.chat.configuration.dModel
    let unit = direction.map { direction in
      let norm = squareSum(direction, count: d).squareRoot()
      return norm > 0 ? direction.map { Float(Double($0) / norm) } : direction
    }
    var result: [[Double]] = []
    let tokens = max(texts.map(\.count).max() ?? 1, models.chat.configuration.rowsPerPass)
    var start = 0
    while start < texts.count {
      var (end, rows) = (start, 0)
      while end < texts.count, rows + texts[end].count <= tokens {
        rows += texts[end].count
        end += 1
      }
      let segments = (start..<end).map { index in
        caches[index].truncate(to: 0)
        return Segment(
          stream: index, cache: caches[index], tokens: texts[index],
          start: Segment.Start(layer: layer, residual: chat(index, along: unit, d)[...]), adapter: models.adapter,
          logits: .all)
      }
      for (index, logits) in zip(start..<end, try models.chat.forward(segments)) {
        result.append(nextTokenLosses(logits, ids: texts[index]))
      }
      start = end
    }
    return result
  }

  /// Chat's stream `[T, d]` of a text, moved to base's along a unit vector.
  private func chat(_ text: Int, along unit: [Float]?, _ d: Int) -> [Float] {
    var result = [Float](repeating: 0, count: texts[text].count * d)
    for token in texts[text].indices {
      let base = streams[text].vector(token: token, model: .base)
      let chat = streams[text].vector(token: token, model: .chat)
      result.replaceSubrange(token * d..<(token + 1) * d, with: chat)
      guard let unit else { continue }
      var distance = 0.0
      for (i, pair) in zip(base, chat).enumerated() { distance += Double(pair.0 - pair.1) * Double(unit[i]) }
      for i in 0..<d { result[token * d + i] += Float(distance) * unit[i] }
    }
    return result
  }
}

/// −log p of each token but the first, from the logits `[T, V]` before it.
func nextTokenLosses(_ logits: Matrix, ids: [Int32]) -> [Double] {
  var losses = [Double](repeating: 0, count: ids.count - 1)
  losses.withUnsafeMutableBufferPointer { losses in
    let losses = losses
    logits.values.withUnsafeBufferPointer { values in
      guard let values = values.baseAddress else { return }
      inPieces(of: 4, count: losses.count) { piece in
        for row in piece {
          losses[row] = -logSoftmax(
            values + row * logits.columns, count: logits.columns, at: Int(ids[row + 1]))
        }
      }
    }
  }
  return losses
}
