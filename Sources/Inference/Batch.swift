// What one pass of a model computes: segments of several timelines together, so that the weights are read once.

import Kernels

/// New tokens of one timeline.
public struct Segment {
  /// Which positions' logits are wanted.
  public enum Logits: Sendable { case none, last, all }

  /// The timeline's number, for hooks; the caller's choice.
  public var stream: Int
  /// The timeline that the tokens extend. Two segments of one batch never share one.
  public var cache: KVCache
  public var tokens: [Int32]
  /// Where given, the pass goes on from here instead of from the tokens' embeddings. All segments of a batch go on from
  /// the same block, or none does.
  public var start: Start?
  /// The adapter that makes this timeline another model's than that of the weights alone.
  public var adapter: Adapter?
  /// The last block to run for this segment; nil for all of them. Without the last block there are no logits.
  public var lastLayer: Int?
  public var logits: Logits
  /// Where given, this timeline attends by another one's weights.
  public var attention: FrozenAttention?
  /// Whether a residual stream that is not finite ends this timeline alone (`KVCache.overflow`), whose logits are then
  /// NaN; otherwise the pass fails.
  public var mayOverflow = false

  /// Attention with the softmax weights of another stream of the same batch, at the same positions: in every block above
  /// `layer` a head's output at position t is Σ_s A_ts v_s, with A of the other stream's queries and keys and v of this
  /// timeline's values. What is then left of a change of the residual stream went through values and MLPs alone
  /// (neuronpedia#147 asks for it as "freeze attention").
  public struct FrozenAttention: Sendable, Equatable {
    /// The other stream; its segment has as many tokens, at the same positions, and is not frozen itself.
    public let stream: Int
    public let layer: Int

    public init(stream: Int, above layer: Int) {
      (self.stream, self.layer) = (stream, layer)
    }
  }

  /// The residual stream of a segment's tokens after a block, whose cache holds their keys and values up to there.
  public struct Start {
    public let layer: Int
    /// `[n, d]`, as it was before any hook.
    public let residual: ArraySlice<Float>

    /// A residual stream of one's own; blocks 0…layer are then never run, nor their part of the cache read.
    public init(layer: Int, residual: ArraySlice<Float>) {
      (self.layer, self.residual) = (layer, residual)
    }
  }

  public init(
    stream: Int, cache: KVCache, tokens: [Int32], start: Start? = nil, adapter: Adapter? = nil, lastLayer: Int? = nil,
    logits: Logits = .last, attention: FrozenAttention? = nil
  ) {
    self.stream = stream
    self.cache = cache
    self.tokens = tokens
    self.start = start
    self.adapter = adapter
    self.lastLayer = lastLayer
    self.logits = logits
    self.attention = attention
  }
}

/// Memory for the activations of one pass: fp32 rows, reused from block to block. Uninitialised until written.
final class Activations {
  let values: UnsafeMutablePointer<Float>
  init(_ count: Int) { values = .allocate(capacity: max(count, 1)) }
  deinit { values.deallocate() }
}
