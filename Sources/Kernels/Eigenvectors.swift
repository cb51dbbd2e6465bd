// Eigenvectors of symmetric matrices, by LAPACK as OpenBLAS has it.

import COpenBLAS

/// The eigenvalues of a symmetric matrix, the largest first, with a unit eigenvector for each.
/// - Parameter matrix: `[n, n]`; its lower triangle is read.
/// - Returns: nil if LAPACK does not converge, which it does not for a matrix that is not finite.
public func eigenvectors(ofSymmetric matrix: [Double], n: Int) -> [(value: Double, vector: [Double])]? {
  precondition(matrix.count == n * n, "a square matrix")
  guard n > 0, matrix.allSatisfy(\.isFinite) else { return n == 0 ? [] : nil }
  var (a, values) = (matrix, [Double](repeating: 0, count: n))
  var size = Int32(n)
  var (info, lwork, liwork): (Int32, Int32, Int32) = (0, -1, -1)
  var (work, iwork): ([Double], [Int32]) = ([0], [0])
  // The first call asks how much memory the second one needs. Fortran reads columns, so its upper triangle is our lower.
  dsyevd_("V", "U", &size, &a, &size, &values, &work, &lwork, &iwork, &liwork, &info)
  guard info == 0 else { return nil }
  (lwork, liwork) = (Int32(work[0]), iwork[0])
  work = [Double](repeating: 0, count: Int(lwork))
  iwork = [Int32](repeating: 0, count: Int(liwork))
  dsyevd_("V", "U", &size, &a, &size, &values, &work, &lwork, &iwork, &liwork, &info)
  guard info == 0 else { return nil }
  return (0..<n).reversed().map { (values[$0], Array(a[$0 * n..<($0 + 1) * n])) }
}
