// Weights in the file's own precision. Quantised weights are packed into panels of 16 rows; plain numbers stay as rows,
// read in place. Readers of files check the shapes; here they are preconditions. WeightMatrix+Multiply has the
// products.

import CKernels

/// The weight types that the kernels multiply with. Raw values are those of the C kernels.
public enum WeightType: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case bf16 = 1
  case f16 = 2
  case q4_0 = 3
  case q4_1 = 4
  case q5_0 = 5
  case q5_1 = 6
  case q8_0 = 7
  case q4_K = 8
  case q5_K = 9
  case q6_K = 10

  var c: ck_type { ck_type(rawValue) }
  /// The number of columns in a block; a matrix has a multiple of it.
  var blockColumns: Int { Int(ck_block_columns(c)) }
  /// The bytes of one row of a block in a GGUF file.
  var blockBytes: Int { ck_block_bytes(c) }
  /// Whether values share scales; otherwise they are plain numbers.
  public var isQuantised: Bool { rawValue >= WeightType.q4_0.rawValue }
  /// The bytes of a matrix in memory.
  public func bytes(rows: Int, columns: Int) -> Int {
    isQuantised ? ck_packed_bytes(c, Int32(rows), Int32(columns)) : rows * columns * blockBytes
  }
  /// Whether a product needs the sum of the activations that share a scale.
  var hasMinimum: Bool { [.q4_1, .q5_1, .q4_K, .q5_K].contains(self) }
}

/// A weight matrix `[rows, columns]`, immutable after init.
public final class WeightMatrix: Sendable {
  public let type: WeightType
  public let rows: Int
  public let columns: Int
  /// Panels if quantised, otherwise rows. Only init writes this memory, before anyone else can see it.
  nonisolated(unsafe) let memory: UnsafeRawPointer
  /// The object that keeps that memory alive.
  private let owner: any AnyObject & Sendable
  /// Whether products read the rows directly from the file's memory.
  public let isInPlace: Bool
  var panels: Int { (rows + 15) / 16 }

  /// Packs row-major data in the file's layout, or takes plain rows as they are.
  /// - Parameters:
  ///   - source: `rows × columns` weights as stored in a GGUF or safetensors file, at any address.
  ///   - rowOrder: if set, row r is the source's row `rowOrder[r]` (this undoes GGUF's permutation of q and k).
  ///   - owner: keeps `source` alive and unchanged; plain rows in their own order are then not copied.
  public init(
    _ type: WeightType, rows: Int, columns: Int, source: UnsafeRawBufferPointer, rowOrder: [Int32]? = nil,
    owner: (any AnyObject & Sendable)? = nil
  ) {
    precondition(rows > 0 && columns > 0 && columns % type.blockColumns == 0, "\(type) needs whole blocks")
    let rowBytes = columns / type.blockColumns * type.blockBytes
    precondition(source.count >= rows * rowBytes, "source too short")
    precondition(rowOrder.map { $0.count == rows } ?? true, "a row order names every row")
    guard let base = source.baseAddress else { preconditionFailure("no source") }
    self.type = type
    self.rows = rows
    self.columns = columns
    isInPlace = owner != nil && !type.isQuantised && rowOrder == nil
    if let owner, isInPlace {
      self.owner = owner
      memory = base
      return
    }
    let (copy, copyOwner) = WeightMemory.allocate(type.bytes(rows: rows, columns: columns))
    self.owner = copyOwner
    memory = UnsafeRawPointer(copy)
    let count = (rows + 15) / 16
    Compute.parallel { thread, threads in
      let share = Compute.share(of: count, thread: thread, threads: threads)
      if type.isQuantised {
        rowOrder.withOptionalBuffer { order in
          ck_pack(
            type.c, base, order, Int32(rows), Int32(columns), Int32(share.lowerBound), Int32(share.upperBound), copy)
        }
      } else {
        for row in share.lowerBound * 16..<min(rows, share.upperBound * 16) {
          (copy + row * rowBytes).copyMemory(
            from: base + Int(rowOrder?[row] ?? Int32(row)) * rowBytes, byteCount: rowBytes)
        }
      }
    }
  }

  /// Copies an fp32 matrix.
  public convenience init(_ matrix: Matrix) {
    self.init(matrix.values, rows: matrix.rows, columns: matrix.columns)
  }

  /// Copies row-major fp32 values.
  public convenience init(_ values: [Float], rows: Int, columns: Int) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: values.count * 4, alignment: 64)
    defer { copy.deallocate() }
    values.withUnsafeBytes { copy.copyMemory(from: $0) }
    self.init(.f32, rows: rows, columns: columns, source: UnsafeRawBufferPointer(copy))
  }

  /// The bytes of the weights in memory, including memory of the owner.
  public var byteCount: Int { type.bytes(rows: rows, columns: columns) }

  /// Reads all weights once on all threads and drops them; the time is the least that a product with one row can take.
  public func read() {
    Compute.parallel { thread, threads in
      let share = Compute.share(of: byteCount, thread: thread, threads: threads, step: 64)
      // The result is stored so that the compiler keeps the reads.
      _ = withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 1) { out in
        out[0] = ck_read(memory + share.lowerBound, share.count)
        return out[0]
      }
    }
  }

  /// Converts one row to fp32.
  /// - Parameter out: room for `columns` values.
  public func unpackRow(_ row: Int, into out: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
    if type.isQuantised {
      ck_unpack_row(type.c, memory, Int32(columns), Int32(row), out)
    } else {
      ck_widen(type.c, memory + row * columns * type.blockBytes, out, Int64(columns))
    }
  }

  /// Converts all rows to fp32, for tests and small matrices.
  public func unpacked() -> Matrix {
    var result = Matrix(rows: rows, columns: columns)
    result.values.withUnsafeMutableBufferPointer { out in
      guard let base = out.baseAddress else { return }
      for row in 0..<rows { unpackRow(row, into: base + row * columns) }
    }
    return result
  }
}

extension Optional where Wrapped == [Int32] {
  fileprivate func withOptionalBuffer(_ body: (UnsafePointer<Int32>?) -> Void) {
    if let self { self.withUnsafeBufferPointer { body($0.baseAddress) } } else { body(nil) }
  }
}
