// Byte-pair encoding: from a piece's text to ids, by merging the adjacent pair of lowest rank until none is left;
// among equal ranks the leftmost goes first.
// Owns: the symbols a piece begins as, and the order of merges. Cost: n log n for a piece of n bytes, whatever its
// length. Source: Sennrich et al., arXiv 1508.07909; the order of merges as in GPT-2's encoder.py and, by scores, as in
// SentencePiece (bpe_model.cc).

/// The merging of a vocabulary's tokens.
struct BytePairEncoding: Sendable {
  /// What text that no token spells becomes.
  struct Fallback: Sendable {
    /// Whether its bytes become byte tokens, where the vocabulary has all of them.
    var toBytes: Bool
    /// Else the unknown token, or nothing.
    var unknown: Int32?
    /// Whether unknown tokens in a row become one.
    var fusesUnknown = false
  }

  private let vocabulary: Vocabulary
  private let rule: MergeRule
  private let fallback: Fallback
  /// Whether a piece that is a token as a whole is that token, whatever its merges would give (Llama 3).
  private let prefersWhole: Bool
  /// Ids of single bytes that are whole characters or, in a byte-level vocabulary, of all bytes; -1 where none.
  private let idOfByte: [Int32]

  init(
    vocabulary: Vocabulary, rule: MergeRule, fallback: Fallback = Fallback(toBytes: false), prefersWhole: Bool = false
  ) {
    self.vocabulary = vocabulary
    self.rule = rule
    self.fallback = fallback
    self.prefersWhole = prefersWhole
    idOfByte = (0..<256).map { byte in
      withUnsafeBytes(of: UInt8(byte)) { vocabulary.id(of: $0.bindMemory(to: UInt8.self)) } ?? -1
    }
  }

  /// Working memory of `encode`, kept from piece to piece.
  struct Workspace {
    fileprivate var symbols: [Symbol] = []
    fileprivate var heap = MergeHeap()
  }

  /// A token in the making, in a doubly linked list by position.
  fileprivate struct Symbol {
    var id: Int32
    var previous: Int32
    var next: Int32
    /// Where its text lies in the piece.
    var start: Int32
    var end: Int32
    /// What merging with the next one gives, or `noMerge`.
    var merge = MergeRule.noMerge
  }

  /// Above this length the heap beats looking at every pair again.
  private static let scanLimit = 32
  /// Longer pieces are cut here, so that positions fit into 32 bits.
  private static let pieceLimit = 1 << 30

  /// Appends the ids of one piece. In a byte-level vocabulary, bytes without a token are left out, as transformers and
  /// llama.cpp do (in SmolLM2: six control characters, and the planes of Unicode that nobody uses).
  func encode(_ bytes: UnsafeBufferPointer<UInt8>, into ids: inout [Int32], _ workspace: inout Workspace) {
    guard bytes.count <= Self.pieceLimit else {
      encode(UnsafeBufferPointer(rebasing: bytes[..<Self.pieceLimit]), into: &ids, &workspace)
      return encode(UnsafeBufferPointer(rebasing: bytes[Self.pieceLimit...]), into: &ids, &workspace)
    }
    if prefersWhole, let id = vocabulary.id(of: bytes) { return ids.append(id) }
    workspace.symbols.removeAll(keepingCapacity: true)
    switch vocabulary.alphabet {
    case .bytes: spellBytes(bytes, &workspace.symbols)
    case .pieces: spellCharacters(bytes, &workspace.symbols)
    }
    let count = workspace.symbols.count
    guard count > 0 else { return }
    workspace.symbols[count - 1].next = -1
    workspace.symbols.withUnsafeMutableBufferPointer { symbols in
      for position in 0..<count - 1 { symbols[position].merge = merge(symbols[position], symbols[position + 1], bytes) }
      if count <= Self.scanLimit {
        mergeByScanning(symbols, bytes)
      } else {
        mergeByHeap(symbols, bytes, &workspace.heap)
      }
      var position = 0
      while position >= 0 {
        ids.append(symbols[position].id)
        position = Int(symbols[position].next)
      }
    }
  }

  private func spellBytes(_ bytes: UnsafeBufferPointer<UInt8>, _ symbols: inout [Symbol]) {
    for (offset, byte) in bytes.enumerated() where idOfByte[Int(byte)] >= 0 {
      Self.append(idOfByte[Int(byte)], offset..<offset + 1, to: &symbols)
    }
  }

  private func spellCharacters(_ bytes: UnsafeBufferPointer<UInt8>, _ symbols: inout [Symbol]) {
    var start = 0
    var followsUnknown = false
    while start < bytes.count {
      let end = min(bytes.count, start + UTF8Cursor.length(bytes[start]))
      defer { start = end }
      let character = UnsafeBufferPointer(rebasing: bytes[start..<end])
      let known = character.count == 1 ? idOfByte[Int(character[0])] : vocabulary.id(of: character) ?? -1
      if known >= 0 {
        Self.append(known, start..<end, to: &symbols)
        followsUnknown = false
      } else if fallback.toBytes, character.allSatisfy({ vocabulary.byteTokens[Int($0)] >= 0 }) {
        // Empty ranges: no text of a byte token is looked up together with its neighbours'.
        for byte in character { Self.append(vocabulary.byteTokens[Int(byte)], end..<end, to: &symbols) }
        followsUnknown = false
      } else if let unknown = fallback.unknown {
        if !followsUnknown || !fallback.fusesUnknown { Self.append(unknown, end..<end, to: &symbols) }
        followsUnknown = true
      }
    }
  }

  private static func append(_ id: Int32, _ range: Range<Int>, to symbols: inout [Symbol]) {
    let position = Int32(symbols.count)
    symbols.append(
      Symbol(
        id: id, previous: position - 1, next: position + 1, start: Int32(range.lowerBound), end: Int32(range.upperBound)
      ))
  }

  private func merge(_ left: Symbol, _ right: Symbol, _ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    switch rule {
    case .pairs(let table): return table.merge(left.id, right.id)
    case .scores(let keys):
      guard left.start < left.end, right.start < right.end, left.end == right.start,
        let id = vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[Int(left.start)..<Int(right.end)]))
      else { return MergeRule.noMerge }
      return UInt64(keys[Int(id)]) << 32 | UInt64(UInt32(bitPattern: id))
    }
  }

  private func mergeByScanning(_ symbols: UnsafeMutableBufferPointer<Symbol>, _ bytes: UnsafeBufferPointer<UInt8>) {
    while true {
      var best = MergeRule.noMerge
      var bestPosition = -1
      var position = 0
      while position >= 0 {
        // Ranks alone: two tokens of equal score are merged from the left.
        if symbols[position].merge >> 32 < best >> 32 {
          best = symbols[position].merge
          bestPosition = position
        }
        position = Int(symbols[position].next)
      }
      guard bestPosition >= 0 else { return }
      join(bestPosition, symbols, bytes)
    }
  }

  private func mergeByHeap(
    _ symbols: UnsafeMutableBufferPointer<Symbol>, _ bytes: UnsafeBufferPointer<UInt8>, _ heap: inout MergeHeap
  ) {
    heap.removeAll()
    for position in symbols.indices where symbols[position].merge != MergeRule.noMerge {
      heap.insert(Self.entry(symbols[position].merge, position))
    }
    while let entry = heap.removeMinimum() {
      let position = Int(entry & 0xFFFF_FFFF)
      // An entry whose pair has changed since is stale, unless the new pair's turn has come just as well.
      guard symbols[position].merge != MergeRule.noMerge, symbols[position].merge >> 32 == entry >> 32 else { continue }
      join(position, symbols, bytes)
      if symbols[position].merge != MergeRule.noMerge { heap.insert(Self.entry(symbols[position].merge, position)) }
      let previous = Int(symbols[position].previous)
      if previous >= 0, symbols[previous].merge != MergeRule.noMerge {
        heap.insert(Self.entry(symbols[previous].merge, previous))
      }
    }
  }

  /// Rank above, position below: the order in which pairs are merged.
  private static func entry(_ merge: UInt64, _ position: Int) -> UInt64 {
    merge & 0xFFFF_FFFF_0000_0000 | UInt64(UInt32(truncatingIfNeeded: position))
  }

  /// Merges the symbol at `position` with the next one, and looks up its new pairs.
  private func join(
    _ position: Int, _ symbols: UnsafeMutableBufferPointer<Symbol>, _ bytes: UnsafeBufferPointer<UInt8>
  ) {
    let removed = Int(symbols[position].next)
    let next = symbols[removed].next
    symbols[position].id = Int32(truncatingIfNeeded: symbols[position].merge & 0xFFFF_FFFF)
    symbols[position].end = symbols[removed].end
    symbols[position].next = next
    symbols[removed].merge = MergeRule.noMerge
    symbols[position].merge = MergeRule.noMerge
    if next >= 0 {
      symbols[Int(next)].previous = Int32(position)
      symbols[position].merge = merge(symbols[position], symbols[Int(next)], bytes)
    }
    let previous = Int(symbols[position].previous)
    if previous >= 0 { symbols[previous].merge = merge(symbols[previous], symbols[position], bytes) }
  }
}
