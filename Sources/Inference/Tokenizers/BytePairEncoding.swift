// Byte-pair encoding turns the text of a piece into ids: the adjacent pair of lowest rank is merged until no pair is
// left; of equal ranks the leftmost goes first. The cost is n log n for a piece of n bytes, whatever its length.
// Source: Sennrich et al., arXiv 1508.07909; the order of merges is that of GPT-2's encoder.py and, for scores, of
// SentencePiece (bpe_model.cc).

/// Merges the tokens of a vocabulary.
struct BytePairEncoding: Sendable {
  /// What happens to text that no token spells.
  struct Fallback: Sendable {
    /// Whether its bytes become byte tokens, if the vocabulary has all of them.
    var toBytes: Bool
    /// Otherwise it becomes this unknown token, or nothing.
    var unknown: Int32?
    /// Whether adjacent unknown tokens become one.
    var fusesUnknown = false
  }

  private let vocabulary: Vocabulary
  private let rule: MergeRule
  private let fallback: Fallback
  /// Whether a piece that is a token becomes that token, whatever its merges would give (Llama 3).
  private let prefersWhole: Bool
  /// The id of the spelling of each byte in the vocabulary's alphabet; -1 if that is not a token. In an alphabet of
  /// pieces these are the ASCII characters.
  private let idOfByte: [Int32]

  init(
    vocabulary: Vocabulary, rule: MergeRule, fallback: Fallback = Fallback(toBytes: false), prefersWhole: Bool = false
  ) {
    self.vocabulary = vocabulary
    self.rule = rule
    self.fallback = fallback
    self.prefersWhole = prefersWhole
    idOfByte = (0..<256).map { byte in
      guard vocabulary.alphabet == .bytes || byte < 0x80 else { return -1 }
      let name = vocabulary.alphabet == .bytes ? ByteAlphabet.spelling[byte] : [UInt8(byte)]
      return name.withUnsafeBufferPointer { vocabulary.id(of: $0) } ?? -1
    }
  }

  /// Whether the vocabulary spells every byte, so that no text is unknown.
  var spellsEverything: Bool { vocabulary.alphabet == .bytes && !idOfByte.contains(-1) }

  /// Working memory of `encode`, which is reused for the next piece.
  struct Workspace {
    fileprivate var symbols: [Symbol] = []
    fileprivate var heap = MergeHeap()
    fileprivate var name: [UInt8] = []
    /// Where the text of an unknown token begins that has not been written yet.
    fileprivate var unknown: Int?
  }

  /// A part of a piece before it becomes a token; the parts form a doubly linked list by position.
  fileprivate struct Symbol {
    var id: Int32
    var previous: Int32
    var next: Int32
    /// The place of its text in the piece.
    var start: Int32
    var end: Int32
    /// The result of merging it with the next one, or `noMerge`.
    var merge = MergeRule.noMerge
  }

  /// Above this length a heap is faster than looking at every pair again.
  private static let scanLimit = 32
  /// Longer pieces are cut here, so that positions fit into 32 bits.
  private static let pieceLimit = 1 << 30

  /// Passes the ids of one piece to `token`, in order, with the place in the piece where each begins. Without an
  /// unknown token, text that no token spells is left out, as in transformers and llama.cpp (for SmolLM2: six control
  /// characters and unused planes of Unicode).
  func encode(
    _ bytes: UnsafeBufferPointer<UInt8>, _ workspace: inout Workspace, _ token: (Int32, Int) -> Void
  ) {
    guard bytes.count <= Self.pieceLimit else {
      encode(UnsafeBufferPointer(rebasing: bytes[..<Self.pieceLimit]), &workspace, token)
      return encode(UnsafeBufferPointer(rebasing: bytes[Self.pieceLimit...]), &workspace) {
        token($0, Self.pieceLimit + $1)
      }
    }
    if prefersWhole, let id = whole(bytes, &workspace) { return token(id, 0) }
    workspace.symbols.removeAll(keepingCapacity: true)
    switch vocabulary.alphabet {
    case .bytes: spellBytes(bytes, &workspace)
    case .pieces: spellCharacters(bytes, &workspace)
    }
    flushUnknown(&workspace)
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
        token(symbols[position].id, Int(symbols[position].start))
        position = Int(symbols[position].next)
      }
    }
  }

  /// The token that equals the whole piece, if there is one.
  private func whole(_ bytes: UnsafeBufferPointer<UInt8>, _ workspace: inout Workspace) -> Int32? {
    guard vocabulary.alphabet == .bytes else { return vocabulary.id(of: bytes) }
    workspace.name.removeAll(keepingCapacity: true)
    for byte in bytes { workspace.name += ByteAlphabet.spelling[Int(byte)] }
    return workspace.name.withUnsafeBufferPointer { vocabulary.id(of: $0) }
  }

  private func spellBytes(_ bytes: UnsafeBufferPointer<UInt8>, _ workspace: inout Workspace) {
    for (offset, byte) in bytes.enumerated() {
      let known = idOfByte[Int(byte)]
      if known >= 0 {
        flushUnknown(&workspace)
        Self.append(known, offset..<offset + 1, to: &workspace.symbols)
      } else {
        ByteAlphabet.spelling[Int(byte)].withUnsafeBufferPointer { spellUnknown($0, at: offset, &workspace) }
      }
    }
  }

  private func spellCharacters(_ bytes: UnsafeBufferPointer<UInt8>, _ workspace: inout Workspace) {
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + UTF8Cursor.length(bytes[start]))
      defer { start = end }
      let character = UnsafeBufferPointer(rebasing: bytes[start..<end])
      let known = character.count == 1 ? idOfByte[Int(character[0])] : vocabulary.id(of: character) ?? -1
      if known >= 0 {
        flushUnknown(&workspace)
        Self.append(known, start..<end, to: &workspace.symbols)
      } else {
        spellUnknown(character, at: start, &workspace)
      }
    }
  }

  /// Spells a character that is not a token. As in the library, an unknown token is written only when the next known or
  /// unknown one, or the end, comes; so it follows bytes that come after its text.
  private func spellUnknown(_ character: UnsafeBufferPointer<UInt8>, at start: Int, _ workspace: inout Workspace) {
    if fallback.toBytes, character.allSatisfy({ vocabulary.byteTokens[Int($0)] >= 0 }) {
      // The ranges are empty, so that the text of a byte token is never looked up together with its neighbours'.
      for byte in character { Self.append(vocabulary.byteTokens[Int(byte)], start..<start, to: &workspace.symbols) }
    } else if fallback.unknown != nil {
      if !fallback.fusesUnknown { flushUnknown(&workspace) }
      if workspace.unknown == nil { workspace.unknown = start }
    }
  }

  private func flushUnknown(_ workspace: inout Workspace) {
    guard let start = workspace.unknown, let unknown = fallback.unknown else { return }
    Self.append(unknown, start..<start, to: &workspace.symbols)
    workspace.unknown = nil
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
        // Only ranks are compared: of two tokens with equal scores the left one is merged first.
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
      // An entry is stale if its pair has changed since, unless the new pair has the same rank.
      guard symbols[position].merge != MergeRule.noMerge, symbols[position].merge >> 32 == entry >> 32 else { continue }
      join(position, symbols, bytes)
      if symbols[position].merge != MergeRule.noMerge { heap.insert(Self.entry(symbols[position].merge, position)) }
      let previous = Int(symbols[position].previous)
      if previous >= 0, symbols[previous].merge != MergeRule.noMerge {
        heap.insert(Self.entry(symbols[previous].merge, previous))
      }
    }
  }

  /// Rank in the upper half, position in the lower: pairs are merged in this order.
  private static func entry(_ merge: UInt64, _ position: Int) -> UInt64 {
    merge & 0xFFFF_FFFF_0000_0000 | UInt64(UInt32(truncatingIfNeeded: position))
  }

  /// Merges the symbol at `position` with the next one and looks up the new pairs.
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
