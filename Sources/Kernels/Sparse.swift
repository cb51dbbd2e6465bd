// Hot loops of sparse dictionaries over raw memory, wrapping CKernels/sparse.c, and how work is cut for the two kinds
// of thread. Owns: dot products, scaled additions, selection of active latents, the Adam step, `inPieces`. Refuses:
// nothing at run time; pointers and counts are the caller's promise, and regions must not overlap.

import CKernels
import Synchronization

/// Σ a[i]·b[i] over `count` fp32 values, products and sum in fp64.
public func dotInDouble(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Double {
  ck_dot_double(a, b, Int64(count))
}

/// Σ a[i]·b[i] over `count` values, the second operand and the sum in fp64.
public func dotInDouble(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Double>, count: Int) -> Double {
  ck_dot_mixed(a, b, Int64(count))
}

/// Σ a[i]·b[i] over `count` values for each of four b that lie `stride` values apart; sums in fp64.
public func fourDotsInDouble(
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Double>, stride: Int, count: Int, into out: UnsafeMutablePointer<Double>
) {
  ck_dot4_mixed(a, b, Int64(stride), Int64(count), out)
}

/// Σ row[i]·b[i] of some rows of a matrix of `width` columns, a value an index; sums in fp64.
public func rowDotsInDouble(
  _ rows: UnsafePointer<Float>, _ indices: UnsafeBufferPointer<Int32>, _ b: UnsafePointer<Double>, width: Int,
  into out: UnsafeMutablePointer<Double>
) {
  guard let first = indices.baseAddress else { return }
  ck_dot_rows_mixed(rows, first, Int64(indices.count), b, Int64(width), out)
}

/// y[i] += Σ_k α_k·row_k[i] over some rows of a matrix of `width` columns, in their order; y and the arithmetic in fp64.
public func addRows(
  _ rows: UnsafePointer<Float>, _ indices: UnsafeBufferPointer<Int32>, scales: UnsafePointer<Float>,
  to y: UnsafeMutablePointer<Double>, width: Int
) {
  guard let first = indices.baseAddress else { return }
  ck_combine_rows(rows, first, scales, Int64(indices.count), y, Int64(width))
}

/// Σ x[i]² over `count` values, in fp64.
public func squareSum(_ x: UnsafePointer<Float>, count: Int) -> Double {
  ck_square_sum(x, Int64(count))
}

/// y[i] += α·x[i] over `count` values, y and the arithmetic in fp64.
public func addScaled(
  _ alpha: Double, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Double>, count: Int
) {
  ck_axpy_double(alpha, x, y, Int64(count))
}

/// Rows to be added to one vector, each with its factor; kept from vector to vector.
public struct ScaledRows {
  private var scales: [Float] = []
  private var rows: [UnsafePointer<Float>?] = []

  /// No rows.
  public init() {}

  /// One more row; it must stay where it is until it has been added.
  public mutating func append(_ scale: Float, _ row: UnsafePointer<Float>) {
    scales.append(scale)
    rows.append(row)
  }

  /// y[i] += Σ scale·row[i] over `count` values, in the order of the rows and with the bits of `addScaled` one by one,
  /// but reading and writing y once. The rows are then forgotten.
  public mutating func add(to y: UnsafeMutablePointer<Float>, count: Int) {
    ck_add_rows(scales, rows, Int64(rows.count), y, Int64(count))
    scales.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
  }
}

/// Where `collectActive` writes: three columns, each with room for every latent.
public struct ActiveColumns {
  public let latents: UnsafeMutablePointer<Int32>
  public let codes: UnsafeMutablePointer<Float>
  public let scaled: UnsafeMutablePointer<Float>

  /// Columns over the caller's memory.
  public init(
    latents: UnsafeMutablePointer<Int32>, codes: UnsafeMutablePointer<Float>, scaled: UnsafeMutablePointer<Float>
  ) {
    self.latents = latents
    self.codes = codes
    self.scaled = scaled
  }
}

/// Of one token's encoder products `pre` `[F]`, writes those latents j, ascending, with f = pre_j + bias_j > 0 and
/// f·norm_j > `bound`.
/// - Returns: how many were written.
public func collectActive(
  _ pre: UnsafePointer<Float>, bias: UnsafePointer<Float>, norms: UnsafePointer<Float>, count: Int, bound: Float,
  into columns: ActiveColumns
) -> Int {
  Int(ck_collect_active(pre, bias, norms, Int64(count), bound, columns.latents, columns.codes, columns.scaled))
}

/// The constants of one Adam step: Adam(β₁, β₂) with ε outside the root, as PyTorch has it.
public struct AdamStep: Sendable {
  let constants: ck_adam_constants

  /// - Parameters:
  ///   - step: counted from 1, for the bias corrections.
  ///   - gradientScale: every gradient is multiplied by this first (the clip factor).
  public init(
    step: Int, learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    gradientScale: Double = 1
  ) {
    func power(_ base: Double) -> Double {
      var (result, factor, exponent) = (1.0, base, step)
      while exponent > 0 {
        if exponent & 1 == 1 { result *= factor }
        factor *= factor
        exponent >>= 1
      }
      return result
    }
    constants = ck_adam_constants(
      gradient_scale: Float(gradientScale), beta1: Float(beta1), beta2: Float(beta2), epsilon: Float(epsilon),
      step_size: Float(learningRate / (1 - power(beta1))),
      inverse_root_correction: Float(1 / (1 - power(beta2)).squareRoot()))
  }

  /// One step over `count` parameters; without a gradient it is taken as zero, and the moments still decay.
  public func apply(
    to parameters: UnsafeMutablePointer<Float>, moment1: UnsafeMutablePointer<Float>,
    moment2: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>?, count: Int
  ) {
    withUnsafePointer(to: constants) { ck_adam(parameters, moment1, moment2, gradient, Int64(count), $0) }
  }
}

/// Cuts `0..<count` into pieces of at most `size` and works them off on all threads of the pool; returns when all are
/// done.
///
/// The cut depends on `count` and `size` alone, so a body that writes only to its own piece gives the same result on
/// any number of threads. A call from inside `body` runs on the calling thread.
public func inPieces(of size: Int, count: Int, _ body: (Range<Int>) -> Void) {
  guard count > 0 else { return }
  let pieces = (count + size - 1) / size
  if pieces == 1 {
    body(0..<count)
    return
  }
  let next = Atomic<Int>(0)
  Compute.parallel { _, _ in
    while true {
      let piece = next.add(1, ordering: .relaxed).oldValue
      guard piece < pieces else { return }
      body(piece * size..<min(count, (piece + 1) * size))
    }
  }
}
