// The keys and values of one timeline, so that each token is computed only once. The memory grows by doubling; the
// model, not this file, checks the context length.

/// The key–value cache of one stream of tokens: for each block, rows of `width` fp32 keys and values. It is not
/// synchronised: the code that runs the model owns it.
public final class KVCache {
  /// The number of tokens held.
  public private(set) var count = 0
  /// The first position whose residual stream was NaN or infinite; values after it have no meaning.
  public private(set) var overflow: Int?
  /// The values of a row: key–value heads × head dimension.
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
    clearOverflow()
  }

  /// Forgets an overflow at a position beyond those held, which a pass that failed leaves behind.
  func clearOverflow() { if let overflow, overflow >= count { self.overflow = nil } }

  /// Records that a position beyond those held overflowed in the present pass.
  func overflowed(at position: Int) { overflow = min(overflow ?? position, position) }

  func keys(_ layer: Int) -> UnsafeMutablePointer<Float> { keyRows[layer] }
  func values(_ layer: Int) -> UnsafeMutablePointer<Float> { valueRows[layer] }

  /// Makes room for `more` further tokens.
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

  /// Copies another timeline's rows of some blocks, for a pass that starts above them; `count` does not change.
  func adopt(_ layers: ClosedRange<Int>, of other: KVCache) {
    precondition(count == 0 && other.width == width, "only a new timeline takes over another's beginning")
    reserve(other.count)
    for layer in layers {
      keyRows[layer].update(from: other.keyRows[layer], count: other.count * width)
      valueRows[layer].update(from: other.valueRows[layer], count: other.count * width)
    }
  }

  /// Makes a new timeline that holds this one's first `count` tokens. It also has rows of later tokens, for the blocks
  /// that a pass which starts above them does not run.
  public func fork(at count: Int) -> KVCache {
    precondition((0...self.count).contains(count), "cannot fork \(self.count) tokens at \(count)")
    let result = KVCache(layers: keyRows.count, width: width, capacity: capacity)
    if !keyRows.isEmpty { result.adopt(0...keyRows.count - 1, of: self) }
    result.advance(count)
    if let overflow, overflow < count { result.overflow = overflow }
    return result
  }

  /// The bytes that the cache holds.
  public var byteCount: Int { 2 * keyRows.count * capacity * width * MemoryLayout<Float>.size }

  /// Counts the tokens that were just written to every block.
  func advance(_ tokens: Int) { count += tokens }
}
