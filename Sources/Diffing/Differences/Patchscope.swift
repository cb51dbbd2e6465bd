// What a vector says in the place of a word: the residual stream after block L at the last token of a prompt is replaced by it, and
// chat goes on from there (arXiv 2401.06102; arXiv 2510.13900, section 3). The prompt is one in which each word repeats itself, so
// that the next token names what the vector holds.

import Foundation
import Inference
import Kernels

/// Reads vectors at one layer with one prompt. It has one owner at a time.
public final class Patchscope {
  private let models: PairedModels
  private let layer: Int
  private let last: Int32
  /// The prompt as chat has read it.
  private let cache: KVCache

  /// The prompt of the method's authors, in which each word is repeated and the last one is left open.
  public static let prompt = "man -> man\n1135 -> 1135\nhello -> hello\n?"

  /// The strengths at which a vector is tried, as multiples of the mean norm of chat's residual stream.
  public static let scales: [Float] =
    (5...20).map { Float($0) / 10 } + [3, 4, 5, 10] + stride(from: 20, through: 200, by: 20).map { Float($0) }

  /// Computes the prompt once.
  /// - Parameters:
  ///   - prompt: at least one token.
  ///   - layer: a block of the models, counted from 0.
  /// - Throws: the errors of the forward pass.
  public init(models: PairedModels, prompt: [Int32], layer: Int) throws(InferenceError) {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    (self.models, self.layer, last) = (models, layer, prompt[prompt.count - 1])
    cache = models.chat.makeCache()
    _ = try models.chat.forward(
      [Segment(stream: 0, cache: cache, tokens: prompt, adapter: models.adapter, logits: .none)])
  }

  /// Next-token probabilities `[n][V]` with each of some vectors `[d]` in the place of the last token's residual stream.
  /// - Throws: the errors of the forward pass.
  public func probabilities(_ vectors: [[Float]]) throws(InferenceError) -> [[Float]] {
    var result: [[Float]] = []
    let most = 64
    for start in stride(from: 0, to: vectors.count, by: most) {
      let segments = vectors[start..<min(start + most, vectors.count)].enumerated().map { index, vector in
        Segment(
          stream: index, cache: cache.fork(at: cache.count - 1), tokens: [last],
          start: Segment.Start(layer: layer, residual: vector[...]), adapter: models.adapter, logits: .last)
      }
      for logits in try models.chat.forward(segments) {
        var values = logits.values
        softmax(&values, count: values.count)
        result.append(values)
      }
    }
    return result
  }
}

/// What a patchscope shows of a vector, and how its strength was chosen.
public struct PatchReading: Sendable, Equatable, Codable {
  /// The strength, as a multiple of the mean norm.
  public let scale: Float
  public let tokens: [TokenProbability]

  /// The reading at the strength whose tokens are the most peaked (least entropy) among those strengths at which none of the
  /// five likeliest tokens is among the five of the control; nil if there is no such strength. No language model is asked.
  /// - Parameters:
  ///   - probabilities: `[scales][V]` of the vector.
  ///   - control: the same of base's mean.
  public static func chosen(
    _ probabilities: [[Float]], control: [[Float]], scales: [Float], tokens: Int
  ) -> PatchReading? {
    let candidates = scales.indices.filter { index in
      let own = Set(TokenProbability.likeliest(probabilities[index], 5).map(\.id))
      return own.isDisjoint(with: TokenProbability.likeliest(control[index], 5).map(\.id))
    }
    let entropies = candidates.map { entropy(probabilities[$0]) }
    guard let least = entropies.min(), let place = entropies.firstIndex(of: least) else { return nil }
    let index = candidates[place]
    return PatchReading(
      scale: scales[index], tokens: TokenProbability.likeliest(probabilities[index], tokens))
  }

  private static func entropy(_ probabilities: [Float]) -> Float {
    probabilities.reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 }
  }
}
