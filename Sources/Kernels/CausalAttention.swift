// Attention of heads that share keys and values over a timeline: causal, if need be within a window and with capped scores.
// Keys before a window are never read, so a local layer costs the window and not the text.

import CKernels

/// Causal attention of a group of heads that share one head of keys and values: a run of consecutive queries over those
/// that each may see.
public struct CausalAttention {
  /// What a layer's scores are: cap · tanh(scale · q·k / cap) of the keys in the window.
  public struct Rule: Sendable, Equatable {
    /// What scores are multiplied by, usually 1/√d.
    public var scale: Float
    /// Where given, scores stay within ±cap.
    public var cap: Float?
    /// Where given, the query at position p sees positions p − window + 1 … p; else 0 … p.
    public var window: Int?

    public init(scale: Float, cap: Float? = nil, window: Int? = nil) {
      precondition(cap.map { $0 > 0 } ?? true && window.map { $0 > 0 } ?? true, "caps and windows are positive")
      (self.scale, self.cap, self.window) = (scale, cap, window)
    }

    /// The first position that a query at `position` sees.
    func first(seenFrom position: Int) -> Int { window.map { max(0, position - $0 + 1) } ?? 0 }
  }

  let queries: UnsafePointer<Float>
  let queryStride: Int
  let keys: UnsafePointer<Float>
  let values: UnsafePointer<Float>
  let keyStride: Int
  let firstPosition: Int
  let d: Int
  let heads: Int
  let rule: Rule

  /// - Parameters:
  ///   - queries: rows of `heads × d` values with stride `queryStride`; outputs have the same stride.
  ///   - keys, values: from position 0 on, rows of `d` values with stride `keyStride`.
  ///   - firstPosition: the first query's position.
  public init(
    queries: UnsafePointer<Float>, queryStride: Int, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    keyStride: Int, firstPosition: Int, d: Int, heads: Int, rule: Rule
  ) {
    self.queries = queries
    self.queryStride = queryStride
    self.keys = keys
    self.values = values
    self.keyStride = keyStride
    self.firstPosition = firstPosition
    self.d = d
    self.heads = heads
    self.rule = rule
  }

  /// Queries below which they are taken one by one.
  private static let fewQueries = 8

  /// Values of scratch that `run` needs for `count` queries of which the last sees `length` positions.
  public static func scratch(count: Int, length: Int, heads: Int) -> Int { max(count, heads) * length }

  /// out = softmax(scores) V for `count` queries.
  /// - Parameter scores: scratch, see `scratch(count:length:heads:)`.
  public func run(count: Int, scores: UnsafeMutablePointer<Float>, into out: UnsafeMutablePointer<Float>) {
    if count < Self.fewQueries {
      for i in 0..<count {
        let start = rule.first(seenFrom: firstPosition + i)
        ck_attend(
          queries + i * queryStride, Int32(heads), keys + start * keyStride, values + start * keyStride,
          Int32(keyStride), Int32(firstPosition + i + 1 - start), Int32(d), rule.scale, rule.cap ?? 0, scores,
          out + i * queryStride)
      }
    } else {
      for head in 0..<heads { runMany(head, count: count, scores: scores, into: out + head * d) }
    }
  }

  /// One head, by matrix products: all queries share the keys from the first one's window on; what a row may not see
  /// becomes 0.
  private func runMany(
    _ head: Int, count: Int, scores: UnsafeMutablePointer<Float>, into out: UnsafeMutablePointer<Float>
  ) {
    let start = rule.first(seenFrom: firstPosition)
    let length = firstPosition + count - start
    gemmOnThisThread(
      m: count, n: length, k: d, alpha: rule.scale, queries + head * d, lda: queryStride, keys + start * keyStride,
      .transposed, ldb: keyStride, into: scores, ldc: length)
    for i in 0..<count {
      let row = scores + i * length
      let hidden = rule.first(seenFrom: firstPosition + i) - start
      let end = firstPosition + i + 1 - start
      if let cap = rule.cap { ck_soft_cap(row + hidden, cap, Int32(end - hidden)) }
      ck_softmax(row + hidden, Int32(end - hidden))
      row.update(repeating: 0, count: hidden)
      (row + end).update(repeating: 0, count: length - end)
    }
    gemmOnThisThread(
      m: count, n: d, k: length, scores, lda: length, values + start * keyStride, ldb: keyStride, into: out,
      ldc: queryStride)
  }
}
