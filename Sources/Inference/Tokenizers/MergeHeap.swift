// The queue of pairs that wait to be merged.

/// A binary heap of integers with the smallest on top.
struct MergeHeap {
  private var items: [UInt64] = []

  mutating func removeAll() { items.removeAll(keepingCapacity: true) }

  mutating func insert(_ item: UInt64) {
    items.append(item)
    var index = items.count - 1
    while index > 0, case let parent = (index - 1) / 2, items[parent] > items[index] {
      items.swapAt(parent, index)
      index = parent
    }
  }

  mutating func removeMinimum() -> UInt64? {
    guard let minimum = items.first, let last = items.popLast() else { return nil }
    guard !items.isEmpty else { return minimum }
    items[0] = last
    var index = 0
    while case let left = 2 * index + 1, left < items.count {
      let right = left + 1
      let child = right < items.count && items[right] < items[left] ? right : left
      guard items[child] < items[index] else { break }
      items.swapAt(child, index)
      index = child
    }
    return minimum
  }
}
