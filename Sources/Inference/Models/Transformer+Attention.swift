// Attention inside the forward pass: positions, caches, and how the pool shares the work.

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

  /// Computes causal attention of every row over its own timeline, as far back as the layer sees.
  func attend(
    _ layer: Int, _ rows: [SegmentRows], q: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>
  ) {
    let config = model.configuration
    let group = config.nHeads / config.nKeyValueHeads
    let c = config.headDimension
    let rule = config.attentionRule(layer)
    // A work item is (segment, block of queries, head of keys). Free threads take the next one, since costs grow along
    // a segment.
    let queryBlock = 64
    var items: [(segment: SegmentRows, weights: SegmentRows, first: Int, count: Int, head: Int)] = []
    for segment in rows {
      let weights = weightsSource(of: segment, layer, rows)
      for first in stride(from: segment.rows.lowerBound, to: segment.rows.upperBound, by: queryBlock) {
        for head in 0..<config.nKeyValueHeads {
          items.append((segment, weights, first, min(queryBlock, segment.rows.upperBound - first), head))
        }
      }
    }
    let longest = rows.map { $0.firstPosition + $0.rows.count }.max() ?? 0
    let scratch = CausalAttention.scratch(count: queryBlock, length: longest, heads: group)
    func run(_ share: Range<Int>) {
      withUnsafeTemporaryAllocation(of: Float.self, capacity: scratch) { scores in
        guard let scores = scores.baseAddress else { return }
        for item in items[share] {
          let cache = plan.segments[item.segment.segment].cache
          let keys = plan.segments[item.weights.segment].cache.keys(layer)
          let query = item.first * config.nHeads * c + item.head * group * c
          let shift = (item.weights.rows.lowerBound - item.segment.rows.lowerBound) * config.nHeads * c
          CausalAttention(
            queries: q + query + shift, queryStride: config.nHeads * c, keys: keys + item.head * c,
            values: cache.values(layer) + item.head * c, keyStride: cache.width,
            firstPosition: item.segment.firstPosition + item.first - item.segment.rows.lowerBound, d: c,
            heads: group, rule: rule
          ).run(count: item.count, scores: scores, into: out + query)
        }
      }
    }
    // Below this amount of work, starting the threads costs more than it saves.
    let work = items.reduce(0) { $0 + $1.count } * longest * group * c
    if work < 1 << 17 { run(0..<items.count) } else { inPieces(of: 1, count: items.count, run) }
  }
  /// The segment whose queries and keys weight a segment's values: the segment itself, unless its attention is frozen.
  private func weightsSource(of segment: SegmentRows, _ layer: Int, _ rows: [SegmentRows]) -> SegmentRows {
    guard let frozen = plan.segments[segment.segment].attention, layer > frozen.layer else { return segment }
    guard let other = rows.first(where: { $0.stream == frozen.stream }), other.rows.count == segment.rows.count,
      other.firstPosition == segment.firstPosition
    else { preconditionFailure("stream \(frozen.stream) has no weights for stream \(segment.stream)") }
    return other
  }
}
