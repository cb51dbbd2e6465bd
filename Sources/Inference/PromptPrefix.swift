// A prompt computed up to one block, from which any number of streams continue, since they do not differ below the
// steered block. It holds the residual stream there and the keys and values up to there. A store keeps several prompts.

import Kernels

/// The residual stream after a block at every token of a prompt, with the keys and values of the blocks up to it.
public final class PromptPrefix {
  public let tokens: [Int32]
  /// The block, counted from 0.
  public let layer: Int
  /// The residual stream `[T, d]`.
  let residual: Matrix
  let cache: KVCache
  private let model: Transformer

  /// Computes a prompt's blocks 0…layer.
  /// - Parameters:
  ///   - adapter: turns `model` into the one that reads the prompt.
  ///   - amplified: the factors of the change from base to chat, if chat is not to read the prompt as it is.
  /// - Throws: the errors of the forward pass.
  public convenience init(
    model: Transformer, adapter: Adapter?, amplified: AmplifiedWeights? = nil, tokens: [Int32], layer: Int
  ) throws(InferenceError) {
    let d = model.configuration.dModel
    let cache = model.makeCache()
    let kept = Rows(Matrix(rows: tokens.count, columns: d))
    var hooks = Hooks()
    hooks.add(layer: layer, site: .residPost) { view in
      for segment in view.segments {
        let rows = UnsafeBufferPointer(start: view.row(segment.rows.lowerBound), count: segment.rows.count * d)
        let first = segment.firstPosition * d
        kept.matrix.values.replaceSubrange(first..<first + rows.count, with: rows)
      }
    }
    for first in stride(from: 0, to: tokens.count, by: model.configuration.rowsPerPass) {
      let part = tokens[first..<min(tokens.count, first + model.configuration.rowsPerPass)]
      var segment = Segment(
        stream: 0, cache: cache, tokens: Array(part), adapter: adapter, lastLayer: layer, logits: .none)
      segment.amplified = amplified
      _ = try model.forward([segment], hooks: hooks)
    }
    self.init(model: model, tokens: tokens, layer: layer, residual: kept.matrix, cache: cache)
  }

  private init(model: Transformer, tokens: [Int32], layer: Int, residual: Matrix, cache: KVCache) {
    (self.model, self.tokens, self.layer) = (model, tokens, layer)
    (self.residual, self.cache) = (residual, cache)
  }

  private final class Rows {
    var matrix: Matrix
    init(_ matrix: Matrix) { self.matrix = matrix }
  }

  /// Makes a timeline whose blocks 0…layer have seen the prompt; `start(_:)` continues with the other blocks.
  /// - Parameter position: where the timeline continues. The other blocks lack the tokens before it, so it serves only
  ///   segments that end at `layer`.
  public func makeCache(at position: Int = 0) -> KVCache {
    let result = model.makeCache()
    result.adopt(0...layer, of: cache)
    result.advance(position)
    return result
  }

  /// The start of a pass over some of the prompt's tokens.
  public func start(_ positions: Range<Int>) -> Segment.Start {
    let d = residual.columns
    return Segment.Start(layer: layer, residual: residual.values[positions.lowerBound * d..<positions.upperBound * d])
  }

  /// The bytes that it holds.
  public var byteCount: Int { cache.byteCount + residual.values.count * MemoryLayout<Float>.size }
}

/// Prompts that one engine has computed. Beyond a budget the least recently used is dropped. One owner uses it at a
/// time.
public final class PromptPrefixes {
  private let budget: Int
  private var entries: [(prefix: PromptPrefix, model: PairModel, amplified: AmplifiedWeights?)] = []

  /// - Parameter budget: the most bytes that are kept; the latest prompt is kept in any case.
  public init(budget: Int = 256 << 20) { self.budget = budget }

  /// The bytes that it holds.
  public var byteCount: Int { entries.reduce(0) { $0 + $1.prefix.byteCount } }
  /// The number of prompts that it holds.
  public var count: Int { entries.count }

  /// Drops all prompts; this is needed before another engine is used.
  public func removeAll() { entries = [] }

  /// The prompt as one model of the pair reads it, computed unless it is there already.
  /// - Parameter amplified: the weights if chat is not to read it as it is.
  /// - Throws: the errors of the forward pass.
  public func prefix(
    of model: PairModel, amplified: AmplifiedWeights? = nil, engine: Engine, tokens: [Int32], layer: Int
  ) throws(InferenceError) -> PromptPrefix {
    let found = entries.firstIndex {
      $0.model == model && $0.amplified == amplified && $0.prefix.layer == layer && $0.prefix.tokens == tokens
    }
    if let found {
      entries.append(entries.remove(at: found))
    } else {
      let prefix = try PromptPrefix(
        model: engine.transformer(of: model), adapter: engine.adapter(of: model), amplified: amplified, tokens: tokens,
        layer: layer)
      entries.append((prefix, model, amplified))
    }
    while entries.count > 1, byteCount > budget { entries.removeFirst() }
    return entries[entries.count - 1].prefix
  }
}
