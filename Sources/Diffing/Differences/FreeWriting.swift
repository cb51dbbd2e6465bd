// Perplexity differencing (arXiv 2605.00994): chat writes from short random beginnings, and its texts are ordered by how much less
// likely the reference, base, finds them. What was tuned shows itself where nobody asked for it.

import Inference
import Kernels

/// A text that chat wrote, and what both models think of it.
public struct WrittenText: Sendable, Equatable {
  /// The beginning and what chat wrote.
  public let beginning: [Int32]
  public let continuation: [Int32]
  /// Mean losses of a written token, in nats.
  public let baseLoss: Double
  public let chatLoss: Double
}

extension PairedModels {
  /// Lets chat go on from several beginnings at once and scores what it wrote.
  /// - Parameters:
  ///   - beginnings: at least one token each.
  ///   - count: the number of tokens to write; a text ends earlier at one of `ends`.
  ///   - sampler: how tokens are drawn for a beginning, by its place.
  /// - Returns: the texts of which at least one token was written, those first that base finds least likely beside chat.
  /// - Throws: the errors of the forward pass.
  public func write(
    from beginnings: [[Int32]], count: Int, ends: Set<Int32>, sampler: (Int) throws(InferenceError) -> Sampler,
    progress: (Int) -> Void = { _ in }
  ) throws(InferenceError) -> [WrittenText] {
    let caches = beginnings.map { _ in chat.makeCache() }
    var samplers = try beginnings.indices.map { index throws(InferenceError) in try sampler(index) }
    var (pending, written) = (beginnings, beginnings.map { _ in [Int32]() })
    var open = Array(beginnings.indices)
    for step in 0..<count where !open.isEmpty {
      let segments = open.map { Segment(stream: $0, cache: caches[$0], tokens: pending[$0], adapter: adapter) }
      let logits = try chat.forward(segments)
      var next: [Int] = []
      for (index, logits) in zip(open, logits) {
        let id = try samplers[index].next(Array(logits.values.prefix(sharedVocabulary)))
        guard !ends.contains(id) else { continue }
        written[index].append(id)
        pending[index] = [id]
        next.append(index)
      }
      open = next
      progress(step + 1)
    }
    var texts: [WrittenText] = []
    for (beginning, continuation) in zip(beginnings, written) where !continuation.isEmpty {
      let ids = beginning + continuation
      let segments = PairModel.allCases.map { model in
        Segment(stream: model.index, cache: transformer(of: model).makeCache(), tokens: ids, logits: .all)
      }
      let logits = try forward(segments, of: PairModel.allCases)
      let losses = logits.map { nextTokenLosses($0, ids: ids).suffix(continuation.count) }
      let means = losses.map { $0.reduce(0, +) / Double(continuation.count) }
      texts.append(
        WrittenText(beginning: beginning, continuation: continuation, baseLoss: means[0], chatLoss: means[1]))
    }
    return texts.sorted { $0.baseLoss - $0.chatLoss > $1.baseLoss - $1.chatLoss }
  }
}
