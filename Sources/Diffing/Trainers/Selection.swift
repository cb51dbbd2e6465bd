// Finds the n-th largest of many positive numbers without sorting: positive fp32 values have the order of their bits.

/// The `rank`-th largest (from 1) of the values of `columns`, which count as one list and are positive and finite.
func largest(rank: Int, of columns: [[Float]]) -> Float {
  precondition(rank >= 1)
  // The 31 bits are read in three steps from the highest: 10, 11, 10.
  var (prefix, rest) = (UInt32(0), rank)
  for (shift, width) in [(21, 10), (10, 11), (0, 10)] as [(UInt32, UInt32)] {
    var counts = [Int](repeating: 0, count: 1 << width)
    counts.withUnsafeMutableBufferPointer { counts in
      for column in columns {
        column.withUnsafeBufferPointer { column in
          for value in column where value.bitPattern >> (shift + width) == prefix {
            counts[Int(value.bitPattern >> shift & (1 << width - 1))] += 1
          }
        }
      }
    }
    var bin = counts.count - 1
    while bin > 0, counts[bin] < rest {
      rest -= counts[bin]
      bin -= 1
    }
    prefix = prefix << width | UInt32(bin)
  }
  return Float(bitPattern: prefix)
}

/// Reorders `values[0..<count]` and `indices` so that the `n` largest come first. Ties go to the lower index.
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
