// Byte-pair encoding: from a piece's bytes to ids, by merging the adjacent pair of lowest rank until none is left;
// among equal ranks the leftmost goes first.
// Owns: the table of merges. Cost: n log n for a piece of n bytes, whatever its length.
// Source: Sennrich et al., arXiv 1508.07909; the order of merges as in GPT-2's encoder.py.

/// The merges of a vocabulary.
struct BytePairEncoding: Sendable {
  /// Ids of single bytes; -1 where the vocabulary has none.
  private let idOfByte: [Int32]
  /// Open addressing: pairs of ids, and rank and resulting id for each.
  private let pairs: [UInt64]
  private let results: [UInt64]

  private static let empty = UInt64.max
  private static let noMerge = UInt64.max

  /// Reads `tokenizer.ggml.merges`: lines of "left right", the first of lowest rank.
  /// - Throws: `InferenceError.fileMalformed` for a merge whose parts or whole are no tokens.
  init(gguf: GGUFFile, vocabulary: Vocabulary) throws(InferenceError) {
    idOfByte = (0..<256).map { byte in
      withUnsafeBytes(of: UInt8(byte)) { vocabulary.id(of: $0.bindMemory(to: UInt8.self)) } ?? -1
    }
    let merges = try gguf.strings("tokenizer.ggml.merges")
    defer { withExtendedLifetime(merges.file) {} }
    var capacity = 16
    while capacity < merges.count * 2 { capacity *= 2 }
    var pairs = [UInt64](repeating: Self.empty, count: capacity)
    var results = [UInt64](repeating: Self.noMerge, count: capacity)
    var scratch: [UInt8] = []
    for rank in 0..<merges.count {
      guard let (pair, result) = Self.parse(merges.bytes(rank), vocabulary, &scratch) else {
        throw .fileMalformed(
          path: gguf.path, place: "tokenizer.ggml.merges, entry \(rank)", expected: "two tokens that make a third",
          found: InferenceError.excerpt(merges[rank]))
      }
      var slot = Self.slot(pair, capacity)
      while pairs[slot] != Self.empty && pairs[slot] != pair { slot = (slot + 1) & (capacity - 1) }
      // A pair listed twice keeps its first rank.
      if pairs[slot] == Self.empty {
        pairs[slot] = pair
        results[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: result))
      }
    }
    self.pairs = pairs
    self.results = results
  }

  private static func parse(
    _ line: UnsafeRawBufferPointer, _ vocabulary: Vocabulary, _ scratch: inout [UInt8]
  ) -> (pair: UInt64, result: Int32)? {
    // A token may itself begin with a space only where the alphabet is not used, so the first byte is never the gap.
    guard line.count > 2, let gap = line.dropFirst().firstIndex(of: UInt8(ascii: " ")) else { return nil }
    scratch.removeAll(keepingCapacity: true)
    ByteAlphabet.decode(UnsafeRawBufferPointer(rebasing: line[..<gap]), into: &scratch)
    let middle = scratch.count
    ByteAlphabet.decode(UnsafeRawBufferPointer(rebasing: line[(gap + 1)...]), into: &scratch)
    return scratch.withUnsafeBufferPointer { bytes in
      guard let left = vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[..<middle])),
        let right = vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[middle...])),
        let whole = vocabulary.id(of: bytes)
      else { return nil }
      return (pair(left, right), whole)
    }
  }

  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private static func slot(_ pair: UInt64, _ capacity: Int) -> Int {
    let product = pair &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: product ^ product >> 32) & (capacity - 1)
  }

  /// Rank and result of merging two ids, the rank in the upper half; `noMerge` if they do not merge.
  private func merge(_ left: Int32, _ right: Int32) -> UInt64 {
    let pair = Self.pair(left, right)
    var slot = Self.slot(pair, pairs.count)
    while pairs[slot] != Self.empty {
      if pairs[slot] == pair { return results[slot] }
      slot = (slot + 1) & (pairs.count - 1)
    }
    return Self.noMerge
  }

  /// Working memory of `encode`, kept from piece to piece.
  struct Workspace {
    fileprivate var symbols: [Symbol] = []
    fileprivate var heap = MinimumHeap()
  }

  /// A token in the making, in a doubly linked list by position.
  fileprivate struct Symbol {
    var id: Int32
    var previous: Int32
    var next: Int32
    /// What merging with the next one gives, or `noMerge`.
    var merge: UInt64
  }

  /// Above this length the heap beats looking at every pair again.
  private static let scanLimit = 32

  /// Appends the ids of one piece. Bytes for which the vocabulary has no token are left out, as transformers and
  /// llama.cpp do (in SmolLM2: six control characters, and the planes of Unicode that nobody uses).
  func encode(_ bytes: UnsafeBufferPointer<UInt8>, into ids: inout [Int32], _ workspace: inout Workspace) {
    workspace.symbols.removeAll(keepingCapacity: true)
    for byte in bytes where idOfByte[Int(byte)] >= 0 {
      let position = Int32(workspace.symbols.count)
      workspace.symbols.append(
        Symbol(id: idOfByte[Int(byte)], previous: position - 1, next: position + 1, merge: Self.noMerge))
    }
    let count = workspace.symbols.count
    guard count > 0 else { return }
    workspace.symbols[count - 1].next = -1
    workspace.symbols.withUnsafeMutableBufferPointer { symbols in
      for position in 0..<count - 1 {
        symbols[position].merge = merge(symbols[position].id, symbols[position + 1].id)
      }
      if count <= Self.scanLimit {
        mergeByScanning(symbols)
      } else {
        mergeByHeap(symbols, &workspace.heap)
      }
      var position = 0
      while position >= 0 {
        ids.append(symbols[position].id)
        position = Int(symbols[position].next)
      }
    }
  }

  private func mergeByScanning(_ symbols: UnsafeMutableBufferPointer<Symbol>) {
    while true {
      var best = Self.noMerge
      var bestPosition = -1
      var position = 0
      while position >= 0 {
        if symbols[position].merge < best {
          best = symbols[position].merge
          bestPosition = position
        }
        position = Int(symbols[position].next)
      }
      guard bestPosition >= 0 else { return }
      join(bestPosition, symbols)
    }
  }

  private func mergeByHeap(_ symbols: UnsafeMutableBufferPointer<Symbol>, _ heap: inout MinimumHeap) {
    heap.removeAll()
    for position in symbols.indices where symbols[position].merge != Self.noMerge {
      heap.insert(Self.entry(symbols[position].merge, position))
    }
    while let entry = heap.removeMinimum() {
      let position = Int(entry & 0xFFFF_FFFF)
      // An entry whose pair has changed since is stale; a rank names one pair only.
      guard symbols[position].merge != Self.noMerge, symbols[position].merge >> 32 == entry >> 32 else { continue }
      join(position, symbols)
      if symbols[position].merge != Self.noMerge { heap.insert(Self.entry(symbols[position].merge, position)) }
      let previous = Int(symbols[position].previous)
      if previous >= 0, symbols[previous].merge != Self.noMerge {
        heap.insert(Self.entry(symbols[previous].merge, previous))
      }
    }
  }

  /// Rank above, position below: the order in which pairs are merged.
  private static func entry(_ merge: UInt64, _ position: Int) -> UInt64 {
    merge & 0xFFFF_FFFF_0000_0000 | UInt64(UInt32(truncatingIfNeeded: position))
  }

  /// Merges the symbol at `position` with the next one, and looks up its new pairs.
  private func join(_ position: Int, _ symbols: UnsafeMutableBufferPointer<Symbol>) {
    let removed = Int(symbols[position].next)
    let next = symbols[removed].next
    symbols[position].id = Int32(truncatingIfNeeded: symbols[position].merge & 0xFFFF_FFFF)
    symbols[position].next = next
    symbols[removed].merge = Self.noMerge
    if next >= 0 {
      symbols[Int(next)].previous = Int32(position)
      symbols[position].merge = merge(symbols[position].id, symbols[Int(next)].id)
    } else {
      symbols[position].merge = Self.noMerge
    }
    let previous = Int(symbols[position].previous)
    if previous >= 0 { symbols[previous].merge = merge(symbols[previous].id, symbols[position].id) }
  }
}

/// A binary heap of integers, the smallest on top.
private struct MinimumHeap {
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
