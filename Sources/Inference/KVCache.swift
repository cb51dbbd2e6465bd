// Keys and values of one timeline, so that a token is computed once.
// Owns: the memory, which grows by doubling. Refuses: nothing; the model checks its context length.

/// The key–value cache of one stream of tokens: for each block, rows of `width` fp32 keys and values.
/// Identity matters and access is unsynchronised: whoever runs the model owns it.
public final class KVCache {
  /// Tokens held.
  public private(set) var count = 0
  /// The first position whose residual stream was not finite, if there is one: what follows it means nothing.
  public private(set) var overflow: Int?
  /// Values a row: key–value heads × head dimension.
  public let width: Int
  private var keyRows: [UnsafeMutablePointer<Float>]
  private var valueRows: [UnsafeMutablePointer<Float>]
  private var capacity: Int

  init(layers: Int, width: Int, capacity: Int = 128) {
    self.width = width
    self.capacity = capacity
    keyRows = (0..<layers).map { _ in .allocate(capacity: capacity * width) }
    valueRows = (0..<layers).map { _ in .allocate(capacity: capacity * width) }
  }

  deinit {
    for pointer in keyRows + valueRows { pointer.deallocate() }
  }

  /// Forgets all tokens from `count` on; 0 starts anew and keeps the memory.
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count, "cannot truncate \(self.count) tokens to \(count)")
    self.count = count
    if let overflow, overflow >= count { self.overflow = nil }
  }

  /// A position beyond those held overflowed in the pass that goes on.
  func overflowed(at position: Int) { overflow = min(overflow ?? position, position) }

  func keys(_ layer: Int) -> UnsafeMutablePointer<Float> { keyRows[layer] }
  func values(_ layer: Int) -> UnsafeMutablePointer<Float> { valueRows[layer] }

  /// Makes room for `more` tokens beyond those held.
  func reserve(_ more: Int) {
    let needed = count + more
    guard needed > capacity else { return }
    let larger = max(needed, capacity * 2)
    func grown(_ old: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> {
      let new = UnsafeMutablePointer<Float>.allocate(capacity: larger * width)
      new.update(from: old, count: count * width)
      old.deallocate()
      return new
    }
    keyRows = keyRows.map(grown)
    valueRows = valueRows.map(grown)
    capacity = larger
  }

  /// Takes over another timeline's rows of some blocks, as a pass that goes on above them needs; `count` stays.
  func adopt(_ layers: ClosedRange<Int>, of other: KVCache) {
    precondition(count == 0 && other.width == width, "only a new timeline takes over another's beginning")
    reserve(other.count)
    for layer in layers {
      keyRows[layer].update(from: other.keyRows[layer], count: other.count * width)
      valueRows[layer].update(from: other.valueRows[layer], count: other.count * width)
    }
  }

  /// A timeline of its own that holds this one's first `count` tokens. Rows of later ones are there too, for the blocks
  /// that a pass which goes on above them does not run.
  public func fork(at count: Int) -> KVCache {
    precondition((0...self.count).contains(count), "cannot fork \(self.count) tokens at \(count)")
    let result = KVCache(layers: keyRows.count, width: width, capacity: capacity)
    if !keyRows.isEmpty { result.adopt(0...keyRows.count - 1, of: self) }
    result.advance(count)
    if let overflow, overflow < count { result.overflow = overflow }
    return result
  }

  /// Bytes that the cache holds.
  public var byteCount: Int { 2 * keyRows.count * capacity * width * MemoryLayout<Float>.size }

  /// The tokens just written to every block now count.
  func advance(_ tokens: Int) { count += tokens }
}
