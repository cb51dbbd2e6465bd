// Row-major fp32 matrices and the one interface to OpenBLAS.
// Owns: Matrix, a value with its storage, and `gemm`. Refuses: shapes that do not fit (a caller's mistake: precondition).

import COpenBLAS

/// A row-major fp32 matrix `[rows, columns]`.
public struct Matrix: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  /// `rows × columns` values, row after row.
  public var values: [Float]

  /// A matrix over existing values; `values.count` must be `rows × columns`.
  public init(rows: Int, columns: Int, values: [Float]) {
    precondition(values.count == rows * columns, "matrix \(rows)×\(columns) given \(values.count) values")
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  /// A matrix of zeros.
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

/// C ← α·op(A)·op(B) + β·C on raw row-major storage, op(A) `[m, k]`, op(B) `[k, n]`, C `[m, n]`.
/// Leading dimensions default to dense rows. Runs on OpenBLAS with its own threads.
public func gemm(
  m: Int, n: Int, k: Int, alpha: Float = 1,
  _ a: UnsafePointer<Float>, _ opA: Operand = .asStored, lda: Int? = nil,
  _ b: UnsafePointer<Float>, _ opB: Operand = .asStored, ldb: Int? = nil,
  beta: Float = 0, into c: UnsafeMutablePointer<Float>, ldc: Int? = nil
) {
  guard m > 0, n > 0 else { return }
  cblas_sgemm(
    CblasRowMajor, opA == .asStored ? CblasNoTrans : CblasTrans, opB == .asStored ? CblasNoTrans : CblasTrans,
    Int32(m), Int32(n), Int32(k), alpha,
    a, Int32(lda ?? (opA == .asStored ? k : m)),
    b, Int32(ldb ?? (opB == .asStored ? n : k)),
    beta, c, Int32(ldc ?? n))
}

extension Matrix {
  /// op(self)·op(other).
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
