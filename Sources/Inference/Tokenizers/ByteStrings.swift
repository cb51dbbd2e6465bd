// A list of byte strings that also finds the index of a string: one buffer, offsets, and an open-addressing table. A
// dictionary of Swift strings takes seconds for a vocabulary of 262,144; this takes some ten milliseconds.

import Glibc

/// Byte strings by index, and indices by byte string.
struct ByteStrings: Sendable {
  /// All strings, one after the other, and the end of each.
  private(set) var storage: [UInt8] = []
  private(set) var ends: [Int] = []
  /// The upper half of a slot is a part of the hash, the lower half the index. Empty slots are all ones.
  private var slots: [UInt64] = [Self.emptySlot]

  private static let emptySlot = UInt64.max
  /// It differs from run to run, so that no file can be made to cause collisions.
  private static let secret = UInt64.random(in: .min ... .max) | 1

  init() {}

  /// Takes strings that lie one after the other in `storage` and end at `ends`. They cannot be found yet.
  init(storage: [UInt8], ends: [Int]) {
    self.storage = storage
    self.ends = ends
  }

  var count: Int { ends.count }

  /// The string at `index`, which must exist.
  subscript(index: Int) -> ArraySlice<UInt8> { storage[range(index)] }

  private func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

  /// Makes the strings for which `isWanted` is true findable; of equal strings the first is found.
  /// - Returns: the first index whose string had already occurred.
  @discardableResult
  mutating func index(where isWanted: (Int) -> Bool) -> Int? {
    var capacity = 16
    while capacity < ends.count * 2 { capacity *= 2 }
    var slots = [UInt64](repeating: Self.emptySlot, count: capacity)
    var duplicate: Int?
    storage.withUnsafeBufferPointer { storage in
      var start = 0
      for (index, end) in ends.enumerated() {
        defer { start = end }
        guard isWanted(index) else { continue }
        let bytes = UnsafeBufferPointer(rebasing: storage[start..<end])
        let hash = Self.hash(bytes)
        var slot = Int(truncatingIfNeeded: hash) & (capacity - 1)
        var isNew = true
        while slots[slot] != Self.emptySlot {
          if slots[slot] >> 32 == hash >> 32, isEqual(Int(slots[slot] & 0xFFFF_FFFF), bytes, storage) {
            isNew = false
            break
          }
          slot = (slot + 1) & (capacity - 1)
        }
        if isNew { slots[slot] = hash & 0xFFFF_FFFF_0000_0000 | UInt64(index) } else { duplicate = duplicate ?? index }
      }
    }
    self.slots = slots
    return duplicate
  }

  /// The index of exactly these bytes, if they can be found.
  func find(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    let hash = Self.hash(bytes)
    return storage.withUnsafeBufferPointer { storage in
      var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
      while slots[slot] != Self.emptySlot {
        let index = Int(slots[slot] & 0xFFFF_FFFF)
        if slots[slot] >> 32 == hash >> 32, isEqual(index, bytes, storage) { return index }
        slot = (slot + 1) & (slots.count - 1)
      }
      return nil
    }
  }

  private func isEqual(_ index: Int, _ bytes: UnsafeBufferPointer<UInt8>, _ storage: UnsafeBufferPointer<UInt8>) -> Bool
  {
    let range = range(index)
    guard range.count == bytes.count else { return false }
    guard let left = storage.baseAddress, let right = bytes.baseAddress, !range.isEmpty else { return true }
    return memcmp(left + range.lowerBound, right, range.count) == 0
  }

  /// Hashes eight bytes at a time by folded products with a secret factor.
  private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    let raw = UnsafeRawBufferPointer(bytes)
    var hash = UInt64(raw.count) ^ secret
    var offset = 0
    while offset + 8 <= raw.count {
      hash = fold(hash ^ raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    var rest: UInt64 = 0
    while offset < raw.count {
      rest = rest << 8 | UInt64(raw[offset])
      offset += 1
    }
    return fold(fold(hash ^ rest) ^ 0x9E37_79B9_7F4A_7C15)
  }

  private static func fold(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: secret)
    return product.high ^ product.low
  }
}
