// Causal attention over a timeline for query heads that share one head of keys and values. A layer may limit it to a
// window and cap its scores. Keys before the window are never read, so a local layer costs time for the window only.

import CKernels

/// Causal attention of a group of query heads that share one head of keys and values. It serves a run of consecutive
/// queries, each of which sees the positions up to its own.
public struct CausalAttention {
  /// How a layer scores keys: cap · tanh(scale · q·k / cap) for the keys in the window.
  public struct Rule: Sendable, Equatable {
    /// The factor of q·k, usually 1/√d.
    public var scale: Float
    /// If set, scores stay within ±cap.
    public var cap: Float?
    /// If set, the query at position p sees positions p − window + 1 … p, otherwise 0 … p.
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
  ///   - firstPosition: the position of the first query.
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

  /// Fewer queries than this are computed one by one.
  private static let fewQueries = 8

  /// The number of scratch values that `run` needs for `count` queries, the last of which sees `length` positions.
  public static func scratch(count: Int, length: Int, heads: Int) -> Int { max(count, heads) * length }

  /// Computes out = softmax(scores) V for `count` queries.
  /// - Parameter scores: scratch memory of the size that `scratch(count:length:heads:)` returns.
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

  /// Computes one head by matrix products. All queries read the keys from the start of the first query's window on;
  /// weights of keys that a query may not see become 0.
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
