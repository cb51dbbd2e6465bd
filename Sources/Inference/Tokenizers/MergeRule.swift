// Which adjacent tokens become one, and in which order. Hugging Face and byte-level GGUF files list pairs;
// SentencePiece scores the results and lists no pairs: any two tokens merge if their joined text is a token.

/// The merges of a vocabulary.
enum MergeRule: Sendable {
  /// The pairs of a list, the first of which has the lowest rank.
  case pairs(PairTable)
  /// For each id a key that orders tokens by falling score.
  case scores([UInt32])

  /// The value that stands for "these do not merge".
  static let noMerge = UInt64.max

  /// The keys of scores, which are finite: a higher score has a lower key, and equal scores have equal keys.
  static func keys(_ scores: [Float]) -> [UInt32] {
    scores.map { score in
      // -0 and 0 are the same score.
      let bits = (score + 0).bitPattern
      let rising = bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
      return ~rising
    }
  }
}

/// Pairs of ids with rank and resulting id, in an open-addressing table.
struct PairTable: Sendable {
  private let pairs: [UInt64]
  private let results: [UInt64]

  private static let empty = UInt64.max

  /// - Parameter merges: pairs by rank with their results; if a pair comes twice, the last rank counts, as in the
  ///   library.
  init(_ merges: [(pair: UInt64, result: Int32)]) {
    var capacity = 16
    while capacity < merges.count * 2 { capacity *= 2 }
    var pairs = [UInt64](repeating: Self.empty, count: capacity)
    var results = [UInt64](repeating: MergeRule.noMerge, count: capacity)
    for (rank, merge) in merges.enumerated() {
      var slot = Self.slot(merge.pair, capacity)
      while pairs[slot] != Self.empty && pairs[slot] != merge.pair { slot = (slot + 1) & (capacity - 1) }
      pairs[slot] = merge.pair
      results[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merge.result))
    }
    self.pairs = pairs
    self.results = results
  }

  /// Puts two ids into one number.
  static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private static func slot(_ pair: UInt64, _ capacity: Int) -> Int {
    let product = pair &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: product ^ product >> 32) & (capacity - 1)
  }

  /// The rank (upper half) and result (lower half) of merging two ids.
  func merge(_ left: Int32, _ right: Int32) -> UInt64 {
    let pair = Self.pair(left, right)
    var slot = Self.slot(pair, pairs.count)
    while pairs[slot] != Self.empty {
      if pairs[slot] == pair { return results[slot] }
      slot = (slot + 1) & (pairs.count - 1)
    }
    return MergeRule.noMerge
  }
}

/// Collects the merges of a file, in which each is given by the names of two tokens.
struct MergeList {
  private(set) var merges: [(pair: UInt64, result: Int32)] = []
  private let names: ByteStrings
  private var scratch: [UInt8] = []

  /// - Parameter names: the names of the model's tokens, by id.
  init(names: ByteStrings, capacity: Int) {
    self.names = names
    merges.reserveCapacity(capacity)
  }

  /// Adds a merge written as "left right", with one space.
  /// - Returns: false unless these are two tokens that make a third.
  mutating func add(line: UnsafeRawBufferPointer) -> Bool {
    guard let gap = line.firstIndex(of: UInt8(ascii: " ")) else { return false }
    return add(UnsafeRawBufferPointer(rebasing: line[..<gap]), UnsafeRawBufferPointer(rebasing: line[(gap + 1)...]))
  }

  /// Adds a merge of two tokens' names.
  mutating func add(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    scratch.removeAll(keepingCapacity: true)
    scratch.append(contentsOf: left)
    scratch.append(contentsOf: right)
    let merge = scratch.withUnsafeBufferPointer { bytes -> (UInt64, Int32)? in
      guard let first = names.find(UnsafeBufferPointer(rebasing: bytes[..<left.count])),
        let second = names.find(UnsafeBufferPointer(rebasing: bytes[left.count...])), let whole = names.find(bytes)
      else { return nil }
      return (PairTable.pair(Int32(first), Int32(second)), Int32(whole))
    }
    guard let merge else { return false }
    merges.append(merge)
    return true
  }
}
