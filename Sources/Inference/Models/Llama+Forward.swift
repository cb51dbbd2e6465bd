// The forward pass, top to bottom, over a batch of segments. Rows of segments that end early come last and drop out
// after their last block; rows with an adapter get its low-rank change added to the shared weights' product.

import Kernels

extension Llama {
  /// Runs a batch and extends each segment's cache by its tokens.
  /// - Returns: for each segment its logits `[n, V]`, n = 0, 1 or its tokens as asked for.
  /// - Throws: `InferenceError.settingInvalid` for an unknown token or a timeline beyond the context length,
  ///   `notFinite` with the block where a value first overflows, and whatever a hook throws. The caches then hold
  ///   what they held before.
  public func forward(_ segments: [Segment], hooks: Hooks = Hooks()) throws(InferenceError) -> [Matrix] {
    let plan = try Plan(segments, configuration)
    var pass = Pass(model: self, plan: plan, hooks: hooks)
    let logits = try pass.run()
    for segment in segments { segment.cache.advance(segment.tokens.count) }
    return logits
  }

  /// Logits `[n, V]` of directions `[n, d]`: of the final norm only its weight is applied, as a direction's length means
  /// nothing.
  public func unembed(_ rows: Matrix) -> Matrix {
    let d = configuration.dModel
    precondition(rows.columns == d, "rows of width \(rows.columns), model of \(d)")
    var input = rows
    input.values.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      for row in 0..<rows.rows { for i in 0..<d { base[row * d + i] *= finalNorm[i] } }
    }
    var logits = Matrix(rows: rows.rows, columns: configuration.vocabSize)
    unembedding.multiply(input.values, count: rows.rows, into: &logits.values)
    return logits
  }
}

/// The rows of a batch, ordered so that those that end first come last.
private struct Plan {
  let segments: [Segment]
  /// Segment indices in row order.
  let order: [Int]
  /// Rows of each segment, by segment index.
  var rows: [Range<Int>]
  let total: Int

  init(_ segments: [Segment], _ configuration: Llama.Configuration) throws(InferenceError) {
    let last = configuration.nLayers - 1
    for segment in segments {
      if let bad = segment.tokens.first(where: { $0 < 0 || $0 >= configuration.vocabSize }) {
        throw .settingInvalid(name: "token id", expected: "0…\(configuration.vocabSize - 1)", found: "\(bad)")
      }
      let length = segment.cache.count + segment.tokens.count
      guard length <= configuration.contextLength else {
        throw .settingInvalid(
          name: "text length", expected: "at most \(configuration.contextLength) tokens", found: "\(length)")
      }
      precondition(segment.lastLayer == nil || segment.logits == .none, "no logits without the last block")
      precondition((0...last).contains(segment.lastLayer ?? last), "no such block")
    }
    self.segments = segments
    order = segments.indices.sorted {
      let (a, b) = (segments[$0].lastLayer ?? last, segments[$1].lastLayer ?? last)
      return a == b ? $0 < $1 : a > b
    }
    rows = [Range<Int>](repeating: 0..<0, count: segments.count)
    var next = 0
    for index in order {
      rows[index] = next..<next + segments[index].tokens.count
      next += segments[index].tokens.count
    }
    total = next
  }

  /// What reaches a block: row count and the segments' rows.
  func reaching(_ layer: Int) -> (count: Int, segments: [SegmentRows]) {
    let here = order.filter { (segments[$0].lastLayer ?? layer) >= layer && !rows[$0].isEmpty }
    let views = here.map {
      SegmentRows(segment: $0, stream: segments[$0].stream, rows: rows[$0], firstPosition: segments[$0].cache.count)
    }
    return (views.last?.rows.upperBound ?? 0, views)
  }
}

private struct Pass {
  let model: Llama
  let plan: Plan
  let hooks: Hooks
  var rope: RotaryTable

  init(model: Llama, plan: Plan, hooks: Hooks) {
    self.model = model
    self.plan = plan
    self.hooks = hooks
    rope = RotaryTable(theta: model.configuration.ropeTheta, headDimension: model.configuration.headDimension)
  }

  mutating func run() throws(InferenceError) -> [Matrix] {
    let config = model.configuration
    let (T, d, c) = (plan.total, config.dModel, config.headDimension)
    let (queryWidth, keyValueWidth) = (config.nHeads * c, config.nKeyValueHeads * c)
    let scratch = Activations(T * (3 * d + 2 * queryWidth + 2 * keyValueWidth + 2 * config.dMLP))
    let x = scratch.values
    let normed = x + T * d
    let out = normed + T * d
    let q = out + T * d
    let attended = q + T * queryWidth
    let k = attended + T * queryWidth
    let v = k + T * keyValueWidth
    let gate = v + T * keyValueWidth
    let up = gate + T * config.dMLP

    for segment in plan.segments { segment.cache.reserve(segment.tokens.count) }
    let ends = plan.segments.map { $0.cache.count + $0.tokens.count }
    rope.cover((plan.segments.map(\.cache.count).min() ?? 0)..<(ends.max() ?? 0))
    for (index, segment) in plan.segments.enumerated() {
      for (offset, token) in segment.tokens.enumerated() {
        model.embedding.unpackRow(Int(token), into: x + (plan.rows[index].lowerBound + offset) * d)
      }
    }

    for layer in 0..<config.nLayers {
      let (count, rows) = plan.reaching(layer)
      guard count > 0 else { break }
      let block = model.blocks[layer]
      try hooks.visit(x, d: d, layer, .residPre, rows)

      rmsNorm(x, count: count, d: d, weight: block.attentionNorm, epsilon: config.normEpsilon, into: normed)
      project(layer, .q, normed, rows, count, into: q)
      project(layer, .k, normed, rows, count, into: k)
      project(layer, .v, normed, rows, count, into: v)
      store(layer, rows, q: q, k: k, v: v)
      attend(layer, rows, q: q, into: attended)
      project(layer, .o, attended, rows, count, into: out)
      try hooks.visit(out, d: d, layer, .attnOut, rows)
      addScaled(1, out, to: x, count: count * d)
      try hooks.visit(x, d: d, layer, .residMid, rows)

      rmsNorm(x, count: count, d: d, weight: block.mlpNorm, epsilon: config.normEpsilon, into: normed)
      project(layer, .gate, normed, rows, count, into: gate)
      project(layer, .up, normed, rows, count, into: up)
      siluMultiply(gate, up, count: count * config.dMLP)
      project(layer, .down, gate, rows, count, into: out)
      try hooks.visit(out, d: d, layer, .mlpOut, rows)
      addScaled(1, out, to: x, count: count * d)
      try hooks.visit(x, d: d, layer, .residPost, rows)
      guard countNonFinite(x, count: count * d) == 0 else {
        throw .notFinite(what: "the residual stream", place: "block \(layer)")
      }
    }
    return try logits(x, scratch: normed)
  }

  /// y = x·Wᵀ for all rows, plus the adapter's change for the rows that have one.
  private func project(
    _ layer: Int, _ projection: Projection, _ x: UnsafePointer<Float>, _ rows: [SegmentRows], _ count: Int,
    into y: UnsafeMutablePointer<Float>
  ) {
    guard let weights = model.blocks[layer].weights[projection] else { preconditionFailure("no \(projection)") }
    weights.multiply(x, count: count, into: y)
    var index = 0
    while index < rows.count {
      // Adjacent segments with the same adapter are one product.
      let adapter = plan.segments[rows[index].segment].adapter
      var end = index + 1
      while end < rows.count, plan.segments[rows[end].segment].adapter === adapter { end += 1 }
      if let change = adapter?.change(layer, projection) {
        let span = rows[index].rows.lowerBound..<rows[end - 1].rows.upperBound
        withUnsafeTemporaryAllocation(of: Float.self, capacity: span.count * change.a.rows) { low in
          guard let low = low.baseAddress else { return }
          change.a.multiply(x + span.lowerBound * weights.columns, count: span.count, into: low)
          change.b.multiply(low, count: span.count, into: y + span.lowerBound * weights.rows, accumulate: true)
        }
      }
      index = end
    }
  }

  /// Rotates queries and keys, and appends keys and values to the caches.
  private func store(
    _ layer: Int, _ rows: [SegmentRows], q: UnsafeMutablePointer<Float>, k: UnsafeMutablePointer<Float>,
    v: UnsafeMutablePointer<Float>
  ) {
    let config = model.configuration
    let (queryWidth, width) = (config.nHeads * config.headDimension, config.nKeyValueHeads * config.headDimension)
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

  /// Causal attention of every row over its own timeline.
  private func attend(
    _ layer: Int, _ rows: [SegmentRows], q: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>
  ) {
    let config = model.configuration
    let group = config.nHeads / config.nKeyValueHeads
    let c = config.headDimension
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
            firstPosition: item.segment.firstPosition + item.first - item.segment.rows.lowerBound, d: c
          ).run(
            count: item.count, scores: scores, into: out + item.first * config.nHeads * c + item.head * c)
        }
      }
    }
    if items.count * longest < 4096 { run(0, 1) } else { Compute.parallel(run) }
  }

  /// Final norm and unembedding of the rows whose logits are wanted.
  private func logits(_ x: UnsafePointer<Float>, scratch: UnsafeMutablePointer<Float>) throws(InferenceError)
    -> [Matrix]
  {
    let config = model.configuration
    let d = config.dModel
    let wanted: [Range<Int>] = plan.segments.indices.map { index in
      let rows = plan.rows[index]
      return switch plan.segments[index].logits {
      case .none: rows.upperBound..<rows.upperBound
      case .last: max(rows.lowerBound, rows.upperBound - 1)..<rows.upperBound
      case .all: rows
      }
    }
    var count = 0
    for row in wanted.joined() {
      rmsNorm(
        x + row * d, count: 1, d: d, weight: model.finalNorm, epsilon: config.normEpsilon, into: scratch + count * d)
      count += 1
    }
    guard count > 0 else { return wanted.map { _ in Matrix(rows: 0, columns: config.vocabSize) } }
    var all = [Float](repeating: 0, count: count * config.vocabSize)
    model.unembedding.multiply(scratch, count: count, into: &all)
    guard countNonFinite(all, count: all.count) == 0 else {
      throw .notFinite(what: "the logits", place: "the unembedding")
    }
    var next = 0
    return wanted.map { rows in
      defer { next += rows.count * config.vocabSize }
      return Matrix(
        rows: rows.count, columns: config.vocabSize, values: Array(all[next..<next + rows.count * config.vocabSize]))
    }
  }
}
