// The input of one pass of a model: segments of several timelines together, so that the weights are read once.

import Kernels

/// New tokens of one timeline.
public struct Segment {
  /// The positions whose logits are wanted.
  public enum Logits: Sendable { case none, last, all }

  /// The number by which hooks know the timeline; the caller chooses it.
  public var stream: Int
  /// The timeline that the tokens extend. Two segments of a batch never share a timeline.
  public var cache: KVCache
  public var tokens: [Int32]
  /// If set, the pass starts here and not from the tokens' embeddings. Either all segments of a batch start after the
  /// same block, or none does.
  public var start: Start?
  /// The adapter of this timeline's model; nil means the weights alone.
  public var adapter: Adapter?
  /// If set, the change from base to chat counts λ times by block and module; nil means chat as it is.
  public var amplified: AmplifiedWeights?
  /// The last block to run for this segment; nil runs all of them. A segment that ends earlier has no logits.
  public var lastLayer: Int?
  public var logits: Logits
  /// If set, this timeline uses the attention weights of another one.
  public var attention: FrozenAttention?
  /// Whether a residual stream that becomes NaN or infinite ends this timeline only (`KVCache.overflow`); its logits
  /// are then NaN. If false, the pass fails.
  public var mayOverflow = false

  /// Attention with the softmax weights of another stream of the same batch, at the same positions. In every block
  /// above `layer`, the output of a head at position t is Σ_s A_ts v_s, where A comes from the other stream's queries
  /// and keys, and v from this timeline's values. A change of the residual stream then acts through values and MLPs
  /// alone (neuronpedia#147 asks for it as "freeze attention").
  public struct FrozenAttention: Sendable, Equatable {
    /// The other stream. Its segment has as many tokens at the same positions, and is not frozen itself.
    public let stream: Int
    public let layer: Int

    public init(stream: Int, above layer: Int) {
      (self.stream, self.layer) = (stream, layer)
    }
  }

  /// The residual stream of a segment's tokens after a block. The cache holds their keys and values up to that block.
  public struct Start {
    public let layer: Int
    /// The values `[n, d]`, as they were before any hook.
    public let residual: ArraySlice<Float>

    /// Makes a start from given values; blocks 0…layer are not run, and their part of the cache is not read.
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

/// Memory for the activations of one pass: fp32 rows that each block reuses. It is uninitialised until written.
final class Activations {
  let values: UnsafeMutablePointer<Float>
  init(_ count: Int) { values = .allocate(capacity: max(count, 1)) }
  deinit { values.deallocate() }
}
