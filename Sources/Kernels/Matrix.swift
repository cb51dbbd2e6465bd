// Row-major fp32 matrices, and `gemm`, the only place that calls OpenBLAS.

import COpenBLAS

/// A row-major fp32 matrix `[rows, columns]`.
public struct Matrix: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  /// `rows × columns` values, row after row.
  public var values: [Float]

  /// Wraps existing values; `values.count` must be `rows × columns`.
  public init(rows: Int, columns: Int, values: [Float]) {
    precondition(values.count == rows * columns, "matrix \(rows)×\(columns) given \(values.count) values")
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  /// Makes a matrix of zeros.
  public init(rows: Int, columns: Int) {
    self.init(rows: rows, columns: columns, values: [Float](repeating: 0, count: rows * columns))
  }

  public subscript(row: Int, column: Int) -> Float {
    get { values[row * columns + column] }
    set { values[row * columns + column] = newValue }
  }

  /// One row, as a slice of the storage.
  public func row(_ index: Int) -> ArraySlice<Float> { values[index * columns..<(index + 1) * columns] }
}

/// Whether an operand of `gemm` is read as stored or transposed.
public enum Operand: Sendable { case asStored, transposed }

/// C ← α·op(A)·op(B) + β·C on raw row-major storage, with op(A) `[m, k]`, op(B) `[k, n]`, C `[m, n]`. Leading
/// dimensions default to dense rows. The pool's threads share the rows, or the columns if there are more of them.
public func gemm(
  m: Int, n: Int, k: Int, alpha: Float = 1,
  _ a: UnsafePointer<Float>, _ opA: Operand = .asStored, lda: Int? = nil,
  _ b: UnsafePointer<Float>, _ opB: Operand = .asStored, ldb: Int? = nil,
  beta: Float = 0, into c: UnsafeMutablePointer<Float>, ldc: Int? = nil
) {
  let lda = lda ?? (opA == .asStored ? k : m)
  let ldb = ldb ?? (opB == .asStored ? n : k)
  let ldc = ldc ?? n
  func run(_ rows: Range<Int>, _ columns: Range<Int>) {
    gemmOnThisThread(
      m: rows.count, n: columns.count, k: k, alpha: alpha,
      a + rows.lowerBound * (opA == .asStored ? lda : 1), opA, lda: lda,
      b + columns.lowerBound * (opB == .asStored ? 1 : ldb), opB, ldb: ldb,
      beta: beta, into: c + rows.lowerBound * ldc + columns.lowerBound, ldc: ldc)
  }
  if m * n * k < 1 << 16 {
    run(0..<m, 0..<n)
  } else if m >= n {
    Compute.parallel { run(Compute.share(of: m, thread: $0, threads: $1, step: 16), 0..<n) }
  } else {
    Compute.parallel { run(0..<m, Compute.share(of: n, thread: $0, threads: $1, step: 16)) }
  }
}

/// The same as `gemm`, but on the calling thread, for work that is already spread over the pool.
public func gemmOnThisThread(
  m: Int, n: Int, k: Int, alpha: Float = 1,
  _ a: UnsafePointer<Float>, _ opA: Operand = .asStored, lda: Int,
  _ b: UnsafePointer<Float>, _ opB: Operand = .asStored, ldb: Int,
  beta: Float = 0, into c: UnsafeMutablePointer<Float>, ldc: Int
) {
  guard m > 0, n > 0 else { return }
  _ = Compute.threads  // this also limits OpenBLAS to one thread
  cblas_sgemm(
    CblasRowMajor, opA == .asStored ? CblasNoTrans : CblasTrans, opB == .asStored ? CblasNoTrans : CblasTrans,
    Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, c, Int32(ldc))
}

/// Adds Σ_r x_r x_rᵀ of rows x `[count, width]` to the lower triangle of `sums` `[width, width]`.
public func addOuterProducts(of rows: [Double], count: Int, width: Int, to sums: inout [Double]) {
  precondition(rows.count == count * width && sums.count == width * width, "rows and sums of one width")
  guard count > 0, width > 0 else { return }
  _ = Compute.threads  // this also limits OpenBLAS to one thread
  cblas_dsyrk(
    CblasRowMajor, CblasLower, CblasTrans, Int32(width), Int32(count), 1, rows, Int32(width), 1, &sums, Int32(width))
}

extension Matrix {
  /// Returns op(self)·op(other).
  public func times(_ other: Matrix, _ opA: Operand = .asStored, _ opB: Operand = .asStored) -> Matrix {
    let (m, k) = opA == .asStored ? (rows, columns) : (columns, rows)
    let (k2, n) = opB == .asStored ? (other.rows, other.columns) : (other.columns, other.rows)
    precondition(k == k2, "inner dimensions \(k) and \(k2) differ")
    var result = Matrix(rows: m, columns: n)
    result.values.withUnsafeMutableBufferPointer { out in
      values.withUnsafeBufferPointer { a in
        other.values.withUnsafeBufferPointer { b in
          guard let out = out.baseAddress, let a = a.baseAddress, let b = b.baseAddress else { return }
          gemm(m: m, n: n, k: k, a, opA, b, opB, into: out)
        }
      }
    }
    return result
  }
}
