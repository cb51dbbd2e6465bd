// Weights as the kernels want them: panels of 16 rows in the file's own precision.
// Owns: the packed memory, the product with a few vectors (decode) or many (prefill, harvest).
// Refuses: shapes that do not fit, as preconditions; files are checked by whoever read them.

import CKernels

/// The types of weights that have a packed form. Raw values are the kernels' own.
public enum WeightType: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case bf16 = 1
  case q8_0 = 2
  case q4_1 = 3
  case f16 = 4

  var c: ck_type { ck_type(rawValue) }
  /// Columns that share a block; a matrix has a multiple of it.
  public var blockColumns: Int { Int(ck_block_columns(c)) }
  /// Bytes of one row's block in a GGUF file.
  public var blockBytes: Int { ck_block_bytes(c) }
}

/// A weight matrix `[rows, columns]`, immutable after it was packed.
public final class PackedMatrix: Sendable {
  public let type: WeightType
  public let rows: Int
  public let columns: Int
  // Written only in init, before anyone else can see it; read-only from then on.
  private nonisolated(unsafe) let memory: UnsafeMutableRawPointer
  private var panels: Int { (rows + 15) / 16 }

  /// Packs row-major data in the file's layout.
  /// - Parameters:
  ///   - source: `rows × columns` weights as stored in a GGUF or safetensors file; read during the call only.
  ///   - rowOrder: where given, row r is the source's row `rowOrder[r]` (undoes the permutation of GGUF's q and k).
  public init(
    _ type: WeightType, rows: Int, columns: Int, source: UnsafeRawBufferPointer, rowOrder: [Int32]? = nil
  ) {
    precondition(rows > 0 && columns > 0 && columns % type.blockColumns == 0, "\(type) needs whole blocks")
    precondition(source.count >= rows * (columns / type.blockColumns) * type.blockBytes, "source too short")
    precondition(rowOrder.map { $0.count == rows } ?? true, "a row order names every row")
    self.type = type
    self.rows = rows
    self.columns = columns
    memory = .allocate(byteCount: ck_packed_bytes(type.c, Int32(rows), Int32(columns)), alignment: 64)
    guard let base = source.baseAddress else { return }
    let (destination, count) = (memory, (rows + 15) / 16)
    Compute.parallel { thread, threads in
      let share = Compute.share(of: count, thread: thread, threads: threads)
      rowOrder.withOptionalBuffer { order in
        ck_pack(
          type.c, base, order, Int32(rows), Int32(columns), Int32(share.lowerBound), Int32(share.upperBound),
          destination)
      }
    }
  }

  /// Packs an fp32 matrix.
  public convenience init(_ matrix: Matrix) {
    self.init(matrix.values, rows: matrix.rows, columns: matrix.columns)
  }

  /// Packs row-major fp32 values.
  public convenience init(_ values: [Float], rows: Int, columns: Int) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: values.count * 4, alignment: 64)
    defer { copy.deallocate() }
    values.withUnsafeBytes { copy.copyMemory(from: $0) }
    self.init(.f32, rows: rows, columns: columns, source: UnsafeRawBufferPointer(copy))
  }

  deinit { memory.deallocate() }

  /// Bytes of the packed form.
  public var byteCount: Int { ck_packed_bytes(type.c, Int32(rows), Int32(columns)) }

  /// One row as fp32.
  /// - Parameter out: room for `columns` values.
  public func unpackRow(_ row: Int, into out: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
    ck_unpack_row(type.c, memory, Int32(columns), Int32(row), out)
  }

  /// All rows as fp32, for tests and for small matrices.
  public func unpacked() -> Matrix {
    var result = Matrix(rows: rows, columns: columns)
    result.values.withUnsafeMutableBufferPointer { out in
      guard let base = out.baseAddress else { return }
      for row in 0..<rows { unpackRow(row, into: base + row * columns) }
    }
    return result
  }

  /// y (+)= x·Wᵀ: x `[count, columns]`, y `[count, rows]`, both row-major and dense unless a stride says otherwise.
  /// Few rows go through the mat-vec kernels, eight at a time, where a row's result is the same alone and in company; more go
  /// through OpenBLAS on weights widened a slice at a time.
  public func multiply(
    _ x: UnsafePointer<Float>, count: Int, into y: UnsafeMutablePointer<Float>, accumulate: Bool = false,
    xStride: Int? = nil, yStride: Int? = nil
  ) {
    guard count > 0 else { return }
    let (ldx, ldy) = (xStride ?? columns, yStride ?? rows)
    if count <= PackedMatrix.fewRows {
      for first in stride(from: 0, to: count, by: 8) {
        multiplyFew(
          x + first * ldx, count: min(8, count - first), ldx: ldx, into: y + first * ldy, ldy: ldy,
          accumulate: accumulate)
      }
    } else {
      multiplyMany(x, count: count, ldx: ldx, into: y, ldy: ldy, accumulate: accumulate)
    }
  }

  /// Rows up to which decoding's kernels serve; above it arithmetic, not reading weights, is the bound.
  public static let fewRows = 24
  private static let sliceRows = 192

  private func multiplyFew(
    _ x: UnsafePointer<Float>, count: Int, ldx: Int, into y: UnsafeMutablePointer<Float>, ldy: Int, accumulate: Bool
  ) {
    let blocks = type == .q4_1 ? columns / 32 * count : 0
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(blocks, 1)) { sums in
      guard let sums = sums.baseAddress else { return }
      if blocks > 0 { ck_block_sums(x, Int32(ldx), Int32(count), Int32(columns), sums) }
      let (memory, rows, columns, type, panels) = (memory, Int32(rows), Int32(columns), type.c, panels)
      func run(_ share: Range<Int>) {
        ck_packed_times(
          type, memory, rows, columns, x, Int32(ldx), Int32(count), sums, y, Int32(ldy), accumulate ? 1 : 0,
          Int32(share.lowerBound), Int32(share.upperBound))
      }
      // Below this a dispatch costs more than it saves.
      if panels * Int(columns) < 2048 {
        run(0..<panels)
      } else {
        Compute.parallel { run(Compute.share(of: panels, thread: $0, threads: $1)) }
      }
    }
  }

  private func multiplyMany(
    _ x: UnsafePointer<Float>, count: Int, ldx: Int, into y: UnsafeMutablePointer<Float>, ldy: Int, accumulate: Bool
  ) {
    Compute.parallel { thread, threads in
      let share = Compute.share(of: rows, thread: thread, threads: threads, step: 16)
      guard !share.isEmpty else { return }
      let slice = min(PackedMatrix.sliceRows, (share.count + 15) / 16 * 16)
      withUnsafeTemporaryAllocation(byteCount: columns * slice * 4, alignment: 64) { raw in
        guard let wide = raw.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
        var row = share.lowerBound
        while row < share.upperBound {
          let here = min(slice, share.upperBound - row)
          ck_unpack_transposed(
            type.c, memory, Int32(columns), Int32(row / 16), Int32((row + here + 15) / 16), wide, Int32(slice))
          gemmOnThisThread(
            m: count, n: here, k: columns, x, lda: ldx, wide, ldb: slice, beta: accumulate ? 1 : 0, into: y + row,
            ldc: ldy)
          row += here
        }
      }
    }
  }
}

extension Optional where Wrapped == [Int32] {
  fileprivate func withOptionalBuffer(_ body: (UnsafePointer<Int32>?) -> Void) {
    if let self { self.withUnsafeBufferPointer { body($0.baseAddress) } } else { body(nil) }
  }
}
