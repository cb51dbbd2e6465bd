// Products of weights with rows of activations: a few (decoding, bound by reading weights) or many (prefill and harvest,
// bound by arithmetic), exact or fast. Matrices that share their activations are one call: those are quantised once and
// the threads are called once.

import CKernels

/// How products with weights are computed. Recorded with every experiment; all streams of a run share one.
public enum Precision: String, Sendable, Codable, CaseIterable {
  /// fp32 activations on exactly dequantised weights.
  case exact
  /// Activations as 16-bit integers, one scale a row, on quantised weights; as bf16 on bf16 weights when there are many
  /// rows; fp32 on all others.
  case fast
}

/// One product of a call: y (+)= x·Wᵀ.
public struct Product {
  let weights: WeightMatrix
  let y: UnsafeMutablePointer<Float>
  let stride: Int

  /// - Parameters:
  ///   - y: `[count, weights.rows]`, rows `stride` values apart (dense if nil).
  public init(_ weights: WeightMatrix, into y: UnsafeMutablePointer<Float>, stride: Int? = nil) {
    self.weights = weights
    self.y = y
    self.stride = stride ?? weights.rows
  }
}

extension WeightMatrix {
  /// y (+)= x·Wᵀ: x `[count, columns]`, y `[count, rows]`, both row-major and dense unless a stride says otherwise.
  public func multiply(
    _ x: UnsafePointer<Float>, count: Int, into y: UnsafeMutablePointer<Float>, accumulate: Bool = false,
    xStride: Int? = nil, yStride: Int? = nil, precision: Precision = .exact
  ) {
    Product.run(
      [Product(self, into: y, stride: yStride)], x, count: count, xStride: xStride, accumulate: accumulate,
      precision: precision)
  }

  /// Rows of activations up to which fp32 kernels read the weights as they are; more go through OpenBLAS, or bf16 dot
  /// products, on weights rearranged a slice at a time.
  public static let fewRows = 24
}

extension Product {
  /// All products of the same activations.
  /// - Parameters:
  ///   - x: `[count, columns]` with rows `xStride` values apart.
  ///   - accumulate: whether products are added to what y holds.
  public static func run(
    _ products: [Product], _ x: UnsafePointer<Float>, count: Int, xStride: Int? = nil, accumulate: Bool = false,
    precision: Precision
  ) {
    guard count > 0, let columns = products.first?.weights.columns else { return }
    precondition(products.allSatisfy { $0.weights.columns == columns }, "products of the same activations")
    let ldx = xStride ?? columns
    let routes = products.map { Route($0.weights.type, count: count, precision: precision) }
    withActivations(x, count: count, columns: columns, ldx: ldx, routes: routes, products) { activations in
      let panels = products.reduce(0) { $0 + $1.weights.panels }
      func run(_ share: Range<Int>) {
        var first = 0
        for (product, route) in zip(products, routes) {
          let own = share.clamped(to: first..<first + product.weights.panels)
          if !own.isEmpty {
            product.run(
              own.lowerBound - first..<own.upperBound - first, route, activations, accumulate: accumulate)
          }
          first += product.weights.panels
        }
      }
      if panels < 4 * Compute.threads, routes.allSatisfy({ $0 == .blas }) {
        // A low-rank matrix has too few rows to share out: the rows of activations are shared instead.
        inPieces(of: 64, count: count) { rows in
          for product in products {
            Product(product.weights, into: product.y + rows.lowerBound * product.stride, stride: product.stride)
              .run(
                0..<product.weights.panels, .blas,
                Activations(x: x + rows.lowerBound * ldx, ldx: ldx, count: rows.count, columns: columns),
                accumulate: accumulate)
          }
        }
      } else if panels * columns * count < 2048 {
        // Below this a dispatch costs more than it saves.
        run(0..<panels)
      } else if count <= 8 {
        Compute.parallel { run(Compute.share(of: panels, thread: $0, threads: $1)) }
      } else {
        // Pieces that whoever is free takes: a thread off its processor holds up one of them, not half of the work.
        inPieces(of: max(1, min(12, panels / (4 * Compute.threads))), count: panels, run)
      }
    }
  }

  /// Which kernel serves a product.
  enum Route {
    case integers, fewFloats, bf16, blas

    init(_ type: WeightType, count: Int, precision: Precision) {
      if type.isQuantised {
        self = precision == .fast ? .integers : count <= WeightMatrix.fewRows ? .fewFloats : .blas
      } else if count <= WeightMatrix.fewRows {
        self = .fewFloats
      } else {
        self = precision == .fast && type == .bf16 && ck_has_bf16_products() != 0 ? .bf16 : .blas
      }
    }
  }

  /// Activations in the forms that the routes of one call need.
  struct Activations {
    let x: UnsafePointer<Float>
    let ldx: Int
    let count: Int
    let columns: Int
    /// `[count, columns]`, scales `[count]`, sums `[count, columns / 32]`.
    var integers: UnsafeMutablePointer<Int16>?
    var scales: UnsafeMutablePointer<Float>?
    var sums: UnsafeMutablePointer<Float>?
    /// `[count, columns]`, rows padded to an even length.
    var bf16: UnsafeMutablePointer<UInt16>?
    var bf16Stride: Int { (columns + 1) / 2 * 2 }
  }

  private static func withActivations(
    _ x: UnsafePointer<Float>, count: Int, columns: Int, ldx: Int, routes: [Route], _ products: [Product],
    _ body: (Activations) -> Void
  ) {
    let integers = routes.contains(.integers)
    let sums = integers || zip(routes, products).contains { $0 == .fewFloats && $1.weights.type.hasMinimum }
    let bf16 = routes.contains(.bf16)
    let stride = (columns + 1) / 2 * 2
    // One allocation, parts at multiples of 64 bytes.
    func padded(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }
    let parts = [
      integers ? padded(count * columns * 2) : 0, integers ? padded(count * 4) : 0,
      sums ? padded(count * (columns / 32) * 4) : 0, bf16 ? padded(count * stride * 2) : 0,
    ]
    withUnsafeTemporaryAllocation(byteCount: max(64, parts.reduce(0, +)), alignment: 64) { raw in
      guard let start = raw.baseAddress else { return }
      var result = Activations(x: x, ldx: ldx, count: count, columns: columns)
      if integers {
        result.integers = start.assumingMemoryBound(to: Int16.self)
        result.scales = (start + parts[0]).assumingMemoryBound(to: Float.self)
      }
      if sums { result.sums = (start + parts[0] + parts[1]).assumingMemoryBound(to: Float.self) }
      if bf16 { result.bf16 = (start + parts[0] + parts[1] + parts[2]).assumingMemoryBound(to: UInt16.self) }
      if integers || sums || bf16 {
        if count <= 8 {
          result.fill(0..<count)
        } else {
          inPieces(of: max(4, count / (4 * Compute.threads)), count: count, result.fill)
        }
      }
      body(result)
    }
  }

  /// The product of some panels of 16 rows.
  private func run(_ panels: Range<Int>, _ route: Route, _ a: Activations, accumulate: Bool) {
    let (w, columns, count) = (weights, Int32(weights.columns), Int32(a.count))
    let (p0, p1) = (Int32(panels.lowerBound), Int32(panels.upperBound))
    let rows = panels.lowerBound * 16..<min(w.rows, panels.upperBound * 16)
    switch route {
    case .integers:
      guard let q = a.integers, let scales = a.scales, let sums = a.sums else { return }
      ck_packed_times_int16(
        w.type.c, w.memory, Int32(w.rows), columns, q, scales, sums, count, y, Int32(stride), accumulate ? 1 : 0, p0, p1
      )
    case .fewFloats where w.type.isQuantised:
      ck_packed_times(
        w.type.c, w.memory, Int32(w.rows), columns, a.x, Int32(a.ldx), count,
        a.sums,
        y, Int32(stride), accumulate ? 1 : 0, p0, p1)
    case .fewFloats:
      ck_dense_times(
        w.type.c, w.memory, columns, Int32(rows.lowerBound), Int32(rows.upperBound), a.x, Int32(a.ldx), count, y,
        Int32(stride), accumulate ? 1 : 0)
    case .bf16:
      guard let x = a.bf16 else { return }
      withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 8 * a.bf16Stride) { scratch in
        guard let scratch = scratch.baseAddress else { return }
        ck_dense_times_bf16(
          w.memory, columns, Int32(rows.lowerBound), Int32(rows.upperBound), x, Int32(a.bf16Stride), count, y,
          Int32(stride), accumulate ? 1 : 0, scratch)
      }
    case .blas: multiplyWide(rows, a, accumulate: accumulate)
    }
  }

  /// OpenBLAS on rows widened to fp32.
  private func multiplyWide(_ rows: Range<Int>, _ a: Activations, accumulate: Bool) {
    let columns = weights.columns
    let packed = weights.type.isQuantised
    let slice = (rows.count + 15) / 16 * 16
    withUnsafeTemporaryAllocation(byteCount: columns * slice * 4, alignment: 64) { raw in
      guard let wide = raw.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
      if packed {
        ck_unpack_transposed(
          weights.type.c, weights.memory, Int32(columns), Int32(rows.lowerBound / 16),
          Int32((rows.upperBound + 15) / 16), wide, Int32(slice))
      } else {
        let start = weights.memory + rows.lowerBound * columns * weights.type.blockBytes
        ck_widen(weights.type.c, start, wide, Int64(rows.count * columns))
      }
      gemmOnThisThread(
        m: a.count, n: rows.count, k: columns, a.x, lda: a.ldx, wide, packed ? .asStored : .transposed,
        ldb: packed ? slice : columns, beta: accumulate ? 1 : 0, into: y + rows.lowerBound, ldc: stride)
    }
  }
}

extension Product.Activations {
  /// Converts some rows.
  fileprivate func fill(_ rows: Range<Int>) {
    let from = x + rows.lowerBound * ldx
    let (n, width) = (Int32(rows.count), Int32(columns))
    let units = rows.lowerBound * (columns / 32)
    if let integers, let scales, let sums {
      ck_quantise(
        from, Int32(ldx), n, width, integers + rows.lowerBound * columns, scales + rows.lowerBound, sums + units)
    } else if let sums {
      ck_unit_sums(from, Int32(ldx), n, width, sums + units)
    }
    guard let bf16 else { return }
    for row in rows {
      let out = bf16 + row * bf16Stride
      ck_bf16_from_f32(x + row * ldx, out, Int64(columns))
      if bf16Stride > columns { out[columns] = 0 }
    }
  }
}
