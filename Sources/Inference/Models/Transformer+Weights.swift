// The weights of each segment inside the forward pass: the model's own, an adapter's low-rank change on top of them, or
// weights between those of base and chat (AmplifiedWeights).

import Kernels

/// Adjacent rows that are read with the same weights, so that they share products.
struct WeightSpan {
  var rows: Range<Int>
  let adapter: Adapter?
  let amplified: AmplifiedWeights?
}

extension ForwardPass {
  /// The rows of a block by the weights of their segments.
  func spans(_ rows: [SegmentRows]) -> [WeightSpan] {
    var spans: [WeightSpan] = []
    for rows in rows {
      let segment = plan.segments[rows.segment]
      if let last = spans.last, last.adapter === segment.adapter, last.amplified == segment.amplified {
        spans[spans.count - 1].rows = last.rows.lowerBound..<rows.rows.upperBound
      } else {
        spans.append(WeightSpan(rows: rows.rows, adapter: segment.adapter, amplified: segment.amplified))
      }
    }
    return spans
  }

  /// A norm of a block, if the family has it. `out` may be `x`.
  /// - Parameter heads: the vectors of width `d` in a row.
  func norm(
    _ x: UnsafePointer<Float>, heads: Int = 1, d: Int, _ layer: Int, _ spans: [WeightSpan],
    into out: UnsafeMutablePointer<Float>, _ weight: (Transformer.Block) -> [Float]?
  ) {
    for span in spans {
      guard let weight = weight(block(layer, span)) else { return }
      let first = span.rows.lowerBound * heads * d
      rmsNorm(
        x + first, count: span.rows.count * heads, d: d, weight: weight, epsilon: model.configuration.normEpsilon,
        into: out + first)
    }
  }

  /// y = x·Wᵀ + b for all rows and some projections, with the weights of each row's segment.
  func project(
    _ layer: Int, _ projections: [(Projection, UnsafeMutablePointer<Float>)], _ x: UnsafePointer<Float>,
    _ spans: [WeightSpan], _ count: Int
  ) {
    Product.run(
      projections.map { Product(model.blocks[layer].matrix($0), into: $1) }, x, count: count,
      precision: model.precision)
    for span in spans {
      blendProducts(layer, projections, x, span)
      let biases = block(layer, span).biases
      for (projection, y) in projections {
        guard let bias = biases[projection] else { continue }
        for row in span.rows { addScaled(1, bias, to: y + row * bias.count, count: bias.count) }
      }
      span.adapter?.add(layer, projections, x, rows: span.rows, amplified: span.amplified)
    }
  }

  /// The block with the vectors that rows are read with.
  private func block(_ layer: Int, _ span: WeightSpan) -> Transformer.Block {
    span.amplified?.files?.blocks[layer] ?? model.blocks[layer]
  }

  /// y = y₀ + λ (y − y₀) for the rows of a span, where y₀ is base's product.
  private func blendProducts(
    _ layer: Int, _ projections: [(Projection, UnsafeMutablePointer<Float>)], _ x: UnsafePointer<Float>,
    _ span: WeightSpan
  ) {
    guard let amplified = span.amplified, let files = amplified.files, let scratch = baseProducts?.values,
      let module = projections.first?.0.module
    else { return }
    let factor = amplified.factor(layer, module)
    guard factor != 1 else { return }
    var (products, places): ([Product], [UnsafeMutablePointer<Float>]) = ([], [])
    var next = scratch
    for (projection, _) in projections {
      let weights = files.blocks[layer].matrix(projection)
      products.append(Product(weights, into: next))
      places.append(next)
      next += span.rows.count * weights.rows
    }
    let first = span.rows.lowerBound * model.configuration.shape(of: projections[0].0).columns
    Product.run(products, x + first, count: span.rows.count, precision: model.precision)
    for ((projection, y), base) in zip(projections, places) {
      let width = files.blocks[layer].matrix(projection).rows
      blend(base, into: y + span.rows.lowerBound * width, factor, count: span.rows.count * width)
    }
  }

  /// The row e₀ + λ (e − e₀) of the embedding in the place of e.
  func blendEmbedding(_ token: Int, _ amplified: AmplifiedWeights, into row: UnsafeMutablePointer<Float>) {
    guard let base = amplified.files?.base, amplified.outside != 1 else { return }
    let d = model.configuration.dModel
    withUnsafeTemporaryAllocation(of: Float.self, capacity: d) { other in
      guard let other = other.baseAddress else { return }
      base.embedding.unpackRow(token, into: other)
      blend(other, into: row, amplified.outside, count: d)
    }
  }

  /// z₀ + λ (z − z₀) for segments whose unembedding lies between those of two files.
  /// - Parameters:
  ///   - logits: the wanted rows of all segments, one after the other.
  ///   - x: the normed residual stream of those rows.
  func blendLogits(_ logits: inout [Float], _ wanted: [Range<Int>], _ x: UnsafePointer<Float>) {
    let (V, d) = (model.configuration.vocabSize, model.configuration.dModel)
    var row = 0
    var parts: [(rows: Range<Int>, amplified: AmplifiedWeights)] = []
    for (rows, segment) in zip(wanted, plan.segments) {
      let own = row..<row + rows.count
      row = own.upperBound
      guard let amplified = segment.amplified, amplified.outside != 1, !rows.isEmpty else { continue }
      // Adjacent segments with equal weights share a product here, too.
      if let last = parts.last, last.rows.upperBound == own.lowerBound, last.amplified == amplified {
        parts[parts.count - 1].rows = last.rows.lowerBound..<own.upperBound
      } else {
        parts.append((own, amplified))
      }
    }
    for (rows, amplified) in parts {
      guard let base = amplified.files?.base else { continue }
      var other = [Float](repeating: 0, count: rows.count * V)
      base.unembedding.multiply(
        x + rows.lowerBound * d, count: rows.count, into: &other, precision: model.precision)
      logits.withUnsafeMutableBufferPointer { logits in
        guard let logits = logits.baseAddress else { return }
        blend(other, into: logits + rows.lowerBound * V, amplified.outside, count: other.count)
      }
    }
  }
}

/// y ← y₀ + λ (y − y₀) over `count` values.
private func blend(_ base: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ factor: Float, count: Int) {
  for i in 0..<count { y[i] = base[i] + factor * (y[i] - base[i]) }
}

extension Transformer.Block {
  func matrix(_ projection: Projection) -> WeightMatrix {
    guard let matrix = weights[projection] else { preconditionFailure("no \(projection)") }
    return matrix
  }
}
