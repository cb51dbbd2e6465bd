// Attention inside the forward pass: positions, the caches, and how the work is spread over the pool.

import Kernels

extension ForwardPass {
  /// Rotates queries and keys, and appends keys and values to the caches.
  func store(
    _ layer: Int, _ rows: [SegmentRows], q: UnsafeMutablePointer<Float>, k: UnsafeMutablePointer<Float>,
    v: UnsafeMutablePointer<Float>
  ) {
    let config = model.configuration
    let (queryWidth, width) = (config.nHeads * config.headDimension, config.nKeyValueHeads * config.headDimension)
    let rope = config.windows[layer] == nil ? globalRope : localRope ?? globalRope
    for segment in rows {
      let cache = plan.segments[segment.segment].cache
      let (keys, values) = (cache.keys(layer), cache.values(layer))
      for row in segment.rows {
        let position = segment.firstPosition + row - segment.rows.lowerBound
        rope.rotate(q + row * queryWidth, heads: config.nHeads, position: position)
        rope.rotate(k + row * width, heads: config.nKeyValueHeads, position: position)
        (keys + position * width).update(from: k + row * width, count: width)
        (values + position * width).update(from: v + row * width, count: width)
      }
    }
  }

  /// Causal attention of every row over its own timeline, as far back as the layer sees.
  func attend(
    _ layer: Int, _ rows: [SegmentRows], q: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>
  ) {
    let config = model.configuration
    let group = config.nHeads / config.nKeyValueHeads
    let c = config.headDimension
    let rule = config.attentionRule(layer)
    // Work items are (segment, block of queries, head), dealt round to the threads: costs grow along a segment.
    let queryBlock = 64
    var items: [(segment: SegmentRows, first: Int, count: Int, head: Int)] = []
    for segment in rows {
      for first in stride(from: segment.rows.lowerBound, to: segment.rows.upperBound, by: queryBlock) {
        for head in 0..<config.nHeads {
          items.append((segment, first, min(queryBlock, segment.rows.upperBound - first), head))
        }
      }
    }
    let longest = rows.map { $0.firstPosition + $0.rows.count }.max() ?? 0
    func run(_ thread: Int, _ threads: Int) {
      withUnsafeTemporaryAllocation(of: Float.self, capacity: longest * queryBlock) { scores in
        guard let scores = scores.baseAddress else { return }
        for index in stride(from: thread, to: items.count, by: threads) {
          let item = items[index]
          let cache = plan.segments[item.segment.segment].cache
          let offset = item.head / group * c
          CausalAttention(
            queries: q + item.first * config.nHeads * c + item.head * c, queryStride: config.nHeads * c,
            keys: cache.keys(layer) + offset, values: cache.values(layer) + offset, keyStride: cache.width,
            firstPosition: item.segment.firstPosition + item.first - item.segment.rows.lowerBound, d: c,
            rule: rule
          ).run(
            count: item.count, scores: scores, into: out + item.first * config.nHeads * c + item.head * c)
        }
      }
    }
    if items.count * longest < 4096 { run(0, 1) } else { Compute.parallel(run) }
  }
}
