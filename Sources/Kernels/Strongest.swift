// Finds the few largest of many values without sorting all of them.

/// The indices of the `count` largest values of sign·value, largest first; equal values in order of index. One pass.
public func strongestIndices(
  _ values: UnsafeBufferPointer<Float>, sign: Float, count: Int, excluding excluded: Int? = nil
) -> [Int] {
  var best: [(index: Int, value: Float)] = []
  guard count > 0 else { return [] }
  var bound = -Float.infinity
  for index in values.indices {
    let value = sign * values[index]
    guard value > bound || best.count < count, index != excluded else { continue }
    var place = best.count
    while place > 0, best[place - 1].value < value { place -= 1 }
    best.insert((index, value), at: place)
    if best.count > count { best.removeLast() }
    if best.count == count { bound = best[count - 1].value }
  }
  return best.map(\.index)
}
