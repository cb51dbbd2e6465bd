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
    logits: Logits = .last
  ) {
    self.stream = stream
    self.cache = cache
    self.tokens = tokens
    self.start = start
    self.adapter = adapter
    self.lastLayer = lastLayer
    self.logits = logits
  }
}

/// Memory for the activations of one pass: fp32 rows, reused from block to block. Uninitialised until written.
final class Activations {
  let values: UnsafeMutablePointer<Float>
  init(_ count: Int) { values = .allocate(capacity: max(count, 1)) }
  deinit { values.deallocate() }
}
