// Products of weights with rows of activations. Decoding has few rows and is bound by reading weights; prefill and
// harvest have many and are bound by arithmetic. Matrices with the same activations share one call, which quantises the
// activations once and starts the threads once.

import CKernels

/// How products with weights are computed. Every experiment records it, and all streams of a run share it.
public enum Precision: String, Sendable, Codable, CaseIterable {
  /// fp32 activations are multiplied with exactly dequantised weights.
  case exact
  /// Activations become 16-bit integers, with one scale per row, for quantised weights, and bf16 for bf16 weights if
  /// there are many rows; other products stay fp32.
  case fast
}

/// One product of a call: y = x·Wᵀ, or y += x·Wᵀ.
public struct Product {
  let weights: WeightMatrix
  let y: UnsafeMutablePointer<Float>
  let stride: Int

  /// - Parameter y: `[count, weights.rows]`, with rows `stride` values apart (dense if nil).
  public init(_ weights: WeightMatrix, into y: UnsafeMutablePointer<Float>, stride: Int? = nil) {
    self.weights = weights
    self.y = y
    self.stride = stride ?? weights.rows
  }
}

extension WeightMatrix {
  /// y (+)= x·Wᵀ with x `[count, columns]` and y `[count, rows]`; both are row-major, and dense without a stride.
  public func multiply(
    _ x: UnsafePointer<Float>, count: Int, into y: UnsafeMutablePointer<Float>, accumulate: Bool = false,
    xStride: Int? = nil, yStride: Int? = nil, precision: Precision = .exact
  ) {
    Product.run(
      [Product(self, into: y, stride: yStride)], x, count: count, xStride: xStride, accumulate: accumulate,
      precision: precision)
  }

  /// Up to this many rows of activations, fp32 kernels read the weights as they are; for more rows, weights are
  /// rearranged a slice at a time for OpenBLAS or bf16 dot products.
  static let fewRows = 24
}

extension Product {
  /// Computes all products of the same activations.
  /// - Parameters:
  ///   - x: `[count, columns]` with rows `xStride` values apart.
  ///   - accumulate: whether products are added to the values in y.
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
        // A low-rank matrix has too few rows to share out, so the threads share the rows of activations instead.
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
        // Below this size, starting the threads costs more than they save.
        run(0..<panels)
      } else if count <= 8 {
        Compute.parallel { run(Compute.share(of: panels, thread: $0, threads: $1)) }
      } else {
        // Free threads take small pieces, so that a descheduled thread holds up one piece and not half of the work.
        inPieces(of: max(1, min(12, panels / (4 * Compute.threads))), count: panels, run)
      }
    }
  }

  /// Which kernel computes a product.
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
    /// Quantised values `[count, columns]`, their scales `[count]`, their sums `[count, columns / 32]`.
    var integers: UnsafeMutablePointer<Int16>?
    /// The same values as bytes, for processors that multiply tiles of those.
    var bytes: UnsafeMutableRawPointer?
    var scales: UnsafeMutablePointer<Float>?
    var sums: UnsafeMutablePointer<Float>?
    /// bf16 values `[count, columns]`, with rows padded to an even length.
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
    // All forms share one allocation, in which each begins at a multiple of 64 bytes.
    func padded(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }
    let parts = [
      integers ? padded(count * columns * 2) : 0, integers ? padded(count * 4) : 0,
      sums ? padded(count * (columns / 32) * 4) : 0, bf16 ? padded(count * stride * 2) : 0,
      integers ? ck_split_size(Int32(count), Int32(columns)) : 0,
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
      if parts[4] > 0 { result.bytes = start + parts[0] + parts[1] + parts[2] + parts[3] }
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

  /// Computes the product for some panels of 16 rows.
  private func run(_ panels: Range<Int>, _ route: Route, _ a: Activations, accumulate: Bool) {
    let (w, columns, count) = (weights, Int32(weights.columns), Int32(a.count))
    let (p0, p1) = (Int32(panels.lowerBound), Int32(panels.upperBound))
    let rows = panels.lowerBound * 16..<min(w.rows, panels.upperBound * 16)
    switch route {
    case .integers:
      guard let q = a.integers, let scales = a.scales, let sums = a.sums else { return }
      ck_packed_times_int16(
        w.type.c, w.memory, Int32(w.rows), columns, q, a.bytes, scales, sums, count, y, Int32(stride),
        accumulate ? 1 : 0, p0, p1
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

  /// Widens some rows to fp32 and multiplies them with OpenBLAS.
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
  /// Converts some rows to the forms that are needed.
  fileprivate func fill(_ rows: Range<Int>) {
    let from = x + rows.lowerBound * ldx
    let (n, width) = (Int32(rows.count), Int32(columns))
    let units = rows.lowerBound * (columns / 32)
    if let integers, let scales, let sums {
      ck_quantise(
        from, Int32(ldx), n, width, integers + rows.lowerBound * columns, scales + rows.lowerBound, sums + units)
      if let bytes { ck_split_bytes(integers, Int32(rows.lowerBound), Int32(rows.upperBound), width, bytes) }
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
