// The n-th largest of many positive numbers, exactly and without sorting them.
// Owns: the selection by bit patterns (positive fp32 values order like their bits). Refuses (precondition): nothing
// to choose from.

/// The `rank`-th largest (from 1) of the values of `columns`, which are positive and finite; the columns count as one
/// list.
func largest(rank: Int, of columns: [[Float]]) -> Float {
  precondition(rank >= 1)
  let high = bin(rank: rank, of: columns, of: 1 << 16) { Int($0 >> 16) }
  let low = bin(rank: high.rest, of: columns, of: 1 << 16) {
    Int($0 >> 16) == high.bin ? Int($0 & 0xFFFF) : nil
  }
  return Float(bitPattern: UInt32(high.bin) << 16 | UInt32(low.bin))
}

/// The bin that holds the `rank`-th largest, and its rank within that bin.
private func bin(
  rank: Int, of columns: [[Float]], of bins: Int, _ index: (UInt32) -> Int?
) -> (bin: Int, rest: Int) {
  var counts = [Int](repeating: 0, count: bins)
  counts.withUnsafeMutableBufferPointer { counts in
    for column in columns {
      column.withUnsafeBufferPointer { column in
        for value in column { if let bin = index(value.bitPattern) { counts[bin] += 1 } }
      }
    }
  }
  var rest = rank
  for bin in stride(from: bins - 1, through: 0, by: -1) {
    if counts[bin] >= rest { return (bin, rest) }
    rest -= counts[bin]
  }
  preconditionFailure("rank \(rank) of fewer values")
}

/// Reorders `values[0..<count]`, with `indices` alongside, so that the `n` largest come first; ties go to the lower
/// index.
func moveLargestFirst(
  _ n: Int, _ values: UnsafeMutablePointer<Float>, _ indices: UnsafeMutablePointer<Int32>, count: Int
) {
  func precedes(_ a: Int, _ b: (value: Float, index: Int32)) -> Bool {
    values[a] != b.value ? values[a] > b.value : indices[a] < b.index
  }
  func follows(_ a: Int, _ b: (value: Float, index: Int32)) -> Bool {
    values[a] != b.value ? values[a] < b.value : indices[a] > b.index
  }
  var (low, high) = (0, count - 1)
  while low < high {
    let middle = low + (high - low) / 2
    let pivot = (value: values[middle], index: indices[middle])
    var (i, j) = (low, high)
    while i <= j {
      while precedes(i, pivot) { i += 1 }
      while follows(j, pivot) { j -= 1 }
      if i <= j {
        (values[i], values[j]) = (values[j], values[i])
        (indices[i], indices[j]) = (indices[j], indices[i])
        i += 1
        j -= 1
      }
    }
    if n - 1 <= j {
      high = j
    } else if n - 1 >= i {
      low = i
    } else {
      return
    }
  }
}
