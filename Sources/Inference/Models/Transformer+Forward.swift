// The forward pass of all families, top to bottom, over a batch of segments. Rows of segments that end early come last
// and drop out after their last block; rows with an adapter get its low-rank change added to the product of the shared
// weights.

import Kernels

extension Transformer {
  /// Runs a batch and extends each segment's cache by its tokens.
  /// - Returns: for each segment its logits `[n, V]`, where n is 0, 1 or its number of tokens, as requested.
  /// - Throws: `InferenceError.settingInvalid` for an unknown token or a timeline beyond the context length,
  ///   `notFinite` with the block where a value first overflows, `cancelled` between two blocks if the task is
  ///   cancelled, `fileChanged` if the weights' files have changed, and the errors of hooks. The caches are then
  ///   unchanged.
  public func forward(_ segments: [Segment], hooks: Hooks = Hooks()) throws(InferenceError) -> [Matrix] {
    let plan = try BatchPlan(segments, configuration)
    var pass = ForwardPass(model: self, plan: plan, hooks: hooks)
    let logits: [Matrix]
    do {
      let others = segments.compactMap(\.amplified?.files?.base).first?.files ?? []
      logits = try (files + others).checking { () throws(InferenceError) in try pass.run() }
    } catch {
      for segment in segments { segment.cache.clearOverflow() }
      throw error
    }
    for segment in segments { segment.cache.advance(segment.tokens.count) }
    return logits
  }

  /// The logits `[count, V]` of residual streams `[count, d]` after the last block, as a pass ends: final norm, head, cap.
  /// - Parameter capped: whether logits are capped if the family does so; a lens leaves them as they are.
  /// - Throws: `InferenceError.notFinite`.
  public func readOut(
    _ rows: UnsafePointer<Float>, count: Int, into logits: UnsafeMutablePointer<Float>, capped: Bool = true
  ) throws(InferenceError) {
    let (d, V) = (configuration.dModel, configuration.vocabSize)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, count * d)) { normed in
      guard let normed = normed.baseAddress else { return }
      rmsNorm(rows, count: count, d: d, weight: finalNorm, epsilon: configuration.normEpsilon, into: normed)
      unembedding.multiply(normed, count: count, into: logits, precision: precision)
    }
    guard countNonFinite(logits, count: count * V) == 0 else {
      throw .notFinite(what: "the logits", place: "the unembedding")
    }
    if capped, let cap = configuration.logitCap { softCap(logits, cap: cap, count: count * V) }
  }

  /// The logits `[n, V]` of directions `[n, d]`. Of the final norm only the weight is applied, because the length of a
  /// direction means nothing; for the same reason logits are not capped.
  public func unembed(_ rows: Matrix) -> Matrix {
    let d = configuration.dModel
    precondition(rows.columns == d, "rows of width \(rows.columns), model of \(d)")
    var input = rows
    input.values.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      for row in 0..<rows.rows { for i in 0..<d { base[row * d + i] *= finalNorm[i] } }
    }
    var logits = Matrix(rows: rows.rows, columns: configuration.vocabSize)
    unembedding.multiply(input.values, count: rows.rows, into: &logits.values, precision: .exact)
    return logits
  }
}

/// One pass of a model over a batch.
struct ForwardPass {
  let model: Transformer
  let plan: BatchPlan
  let hooks: Hooks
  /// The rotary tables of layers that see everything, and of those with a window.
  var globalRope: RotaryTable
  var localRope: RotaryTable?
  /// Room for products with base's weights, if a segment's weights lie between those of two files.
  var baseProducts: Activations?

  init(model: Transformer, plan: BatchPlan, hooks: Hooks) {
    self.model = model
    self.plan = plan
    self.hooks = hooks
    globalRope = model.rope
    localRope = model.localRope
  }

  mutating func run() throws(InferenceError) -> [Matrix] {
    let config = model.configuration
    let (T, d, c) = (plan.total, config.dModel, config.headDimension)
    let (queryWidth, keyValueWidth) = (config.nHeads * c, config.nKeyValueHeads * c)
    let width = 3 * d + 2 * queryWidth + 2 * keyValueWidth + 2 * config.dMLP
    let blends = plan.segments.contains { $0.amplified?.files != nil }
    let widest = blends ? max(queryWidth + 2 * keyValueWidth, d, 2 * config.dMLP) : 0
    try requireMemory(scratch: T * (width + widest))
    if blends { baseProducts = Activations(T * widest) }
    let scratch = Activations(T * width)
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
    let positions = (plan.segments.map(\.cache.count).min() ?? 0)..<(ends.max() ?? 0)
    globalRope.cover(positions)
    localRope?.cover(positions)
    if let start = plan.start {
      try resume(x, after: start)
    } else {
      embed(x)
    }

    for layer in (plan.start.map { $0 + 1 } ?? 0)..<config.nLayers {
      let (count, rows) = plan.reaching(layer)
      guard count > 0 else { break }
      if Task.isCancelled { throw .cancelled }
      let spans = spans(rows)
      try hooks.visit(x, d: d, layer, .residPre, rows)

      norm(x, d: d, layer, spans, into: normed) { $0.attentionNorm }
      project(layer, [(.q, q), (.k, k), (.v, v)], normed, spans, count)
      norm(q, heads: config.nHeads, d: c, layer, spans, into: q) { $0.queryNorm }
      norm(k, heads: config.nKeyValueHeads, d: c, layer, spans, into: k) { $0.keyNorm }
      store(layer, rows, q: q, k: k, v: v)
      attend(layer, rows, q: q, into: attended)
      project(layer, [(.o, out)], attended, spans, count)
      norm(out, d: d, layer, spans, into: out) { $0.postAttentionNorm }
      try hooks.visit(out, d: d, layer, .attnOut, rows)
      addScaled(1, out, to: x, count: count * d)
      try hooks.visit(x, d: d, layer, .residMid, rows)

      norm(x, d: d, layer, spans, into: normed) { $0.mlpNorm }
      project(layer, [(.gate, gate), (.up, up)], normed, spans, count)
      activateMultiply(config.activation, gate, up, count: count * config.dMLP)
      project(layer, [(.down, out)], gate, spans, count)
      norm(out, d: d, layer, spans, into: out) { $0.postMLPNorm }
      try hooks.visit(out, d: d, layer, .mlpOut, rows)
      addScaled(1, out, to: x, count: count * d)
      try finish(layer, x, rows, count)
    }
    return try logits(x, scratch: normed)
  }

  /// Checks that memory is there for a pass: its scratch values, and its logits twice, together and by segment; base's
  /// logits too for weights between those of two files.
  private func requireMemory(scratch: Int) throws(InferenceError) {
    func logitRows(_ segment: Segment) -> Int {
      switch segment.logits {
      case .none: 0
      case .last: 1
      case .all: segment.tokens.count
      }
    }
    let rows = plan.segments.reduce(0) { $0 + logitRows($1) }
    let blended = plan.segments.filter { $0.amplified?.files != nil }.reduce(0) { $0 + logitRows($1) }
    try MemoryBudget.require(
      (scratch + (2 * rows + blended) * model.configuration.vocabSize) * MemoryLayout<Float>.size,
      for: "\(plan.total) tokens in one pass, with the logits of \(rows),", remedy: "take a shorter text")
  }

  /// Writes the embeddings of the tokens.
  private func embed(_ x: UnsafeMutablePointer<Float>) {
    let config = model.configuration
    for (index, segment) in plan.segments.enumerated() {
      for (offset, token) in segment.tokens.enumerated() {
        let row = x + (plan.rows[index].lowerBound + offset) * config.dModel
        model.embedding.unpackRow(Int(token), into: row)
        if let amplified = segment.amplified { blendEmbedding(Int(token), amplified, into: row) }
      }
    }
    if config.embeddingScale != 1 { scale(x, by: config.embeddingScale, count: plan.total * config.dModel) }
  }

  /// Writes the residual stream that was kept after a block, as that block computed it.
  private func resume(_ x: UnsafeMutablePointer<Float>, after layer: Int) throws(InferenceError) {
    let d = model.configuration.dModel
    for (segment, rows) in zip(plan.segments, plan.rows) {
      guard let start = segment.start else { continue }
      start.residual.withUnsafeBufferPointer { kept in
        guard let kept = kept.baseAddress else { return }
        (x + rows.lowerBound * d).update(from: kept, count: rows.count * d)
      }
    }
    let (count, rows) = plan.reaching(layer)
    try finish(layer, x, rows, count)
  }

  /// Visits a block's last site and checks that its result is finite. If a timeline that may overflow did so, its rows
  /// become 0, so that no NaN or infinity spreads.
  private func finish(
    _ layer: Int, _ x: UnsafeMutablePointer<Float>, _ rows: [SegmentRows], _ count: Int
  ) throws(InferenceError) {
    let d = model.configuration.dModel
    try hooks.visit(x, d: d, layer, .residPost, rows)
    guard countNonFinite(x, count: count * d) > 0 else { return }
    for segment in rows {
      for (offset, row) in segment.rows.enumerated() where countNonFinite(x + row * d, count: d) > 0 {
        guard plan.segments[segment.segment].mayOverflow else {
          throw .notFinite(what: "the residual stream", place: "block \(layer)")
        }
        plan.segments[segment.segment].cache.overflowed(at: segment.firstPosition + offset)
        (x + row * d).update(repeating: 0, count: d)
      }
    }
  }

  /// Applies the final norm and the unembedding to the rows whose logits are wanted.
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
    for (rows, segment) in zip(wanted, plan.segments) {
      rmsNorm(
        x + rows.lowerBound * d, count: rows.count, d: d,
        weight: segment.amplified?.files?.finalNorm ?? model.finalNorm, epsilon: config.normEpsilon,
        into: scratch + count * d)
      count += rows.count
    }
    guard count > 0 else { return wanted.map { _ in Matrix(rows: 0, columns: config.vocabSize) } }
    var all = [Float](repeating: 0, count: count * config.vocabSize)
    model.unembedding.multiply(scratch, count: count, into: &all, precision: model.precision)
    blendLogits(&all, wanted, scratch)
    var next = 0
    for (rows, segment) in zip(wanted, plan.segments) {
      let size = rows.count * config.vocabSize
      let bad = all.withUnsafeBufferPointer { all in
        all.baseAddress.map { countNonFinite($0 + next, count: size) } ?? 0
      }
      next += size
      guard bad > 0 else { continue }
      guard segment.mayOverflow else { throw .notFinite(what: "the logits", place: "the unembedding") }
      segment.cache.overflowed(at: segment.cache.count)
    }
    if let cap = config.logitCap { softCap(&all, cap: cap, count: all.count) }
    next = 0
    return zip(wanted, plan.segments).map { rows, segment in
      let size = rows.count * config.vocabSize
      defer { next += size }
      let isNumber = segment.cache.overflow == nil
      return Matrix(
        rows: rows.count, columns: config.vocabSize,
        values: isNumber ? Array(all[next..<next + size]) : [Float](repeating: .nan, count: size))
    }
  }
}
