// The tokens of a model: the bytes each id stands for, its kind, and the way back from bytes to id.
// Owns: the translation out of the file's alphabet, once, at load. Refuses: a type list of another length.

/// What a token is, by the numbers of `tokenizer.ggml.token_type`.
enum TokenKind: UInt8 {
  case normal = 1
  case unknown = 2
  /// A marker of the model, such as `<|im_start|>`; never made from plain text.
  case control = 3
  /// An added piece of text that is cut out before all others.
  case userDefined = 4
  case unused = 5
  /// A single byte, in vocabularies that are not byte-level.
  case byte = 6
}

/// All tokens, by id.
struct Vocabulary: Sendable {
  /// The bytes of all tokens, one after another, and where each ends.
  private let storage: [UInt8]
  private let ends: [Int]
  private let kinds: [TokenKind]
  /// Ids of the normal tokens by a hash of their bytes, open addressing; -1 is empty.
  private let slots: [Int32]

  /// Reads `tokenizer.ggml.tokens` and `.token_type` of a byte-level vocabulary.
  /// - Throws: `InferenceError.keyMissing`, `.typeMismatch` or `.fileMalformed`.
  init(gguf: GGUFFile) throws(InferenceError) {
    let texts = try gguf.strings("tokenizer.ggml.tokens")
    guard !texts.isEmpty, texts.count < 1 << 30 else {
      throw .fileMalformed(
        path: gguf.path, place: "tokenizer.ggml.tokens", expected: "at least one token", found: "\(texts.count)")
    }
    let kinds = try Self.kinds(gguf, count: texts.count)
    var storage: [UInt8] = []
    var ends: [Int] = []
    ends.reserveCapacity(texts.count)
    defer { withExtendedLifetime(texts.file) {} }
    for id in 0..<texts.count {
      let text = texts.bytes(id)
      if kinds[id] == .normal {
        ByteAlphabet.decode(text, into: &storage)
      } else {
        storage.append(contentsOf: text)
      }
      ends.append(storage.count)
    }
    self.kinds = kinds
    self.storage = storage
    self.ends = ends
    slots = Self.slots(storage: storage, ends: ends, kinds: kinds)
  }

  /// The number of tokens.
  var count: Int { ends.count }

  /// Whether there is a token `id`.
  func has(_ id: Int32) -> Bool { id >= 0 && id < ends.count }

  /// The kind of token `id`, which must exist.
  func kind(_ id: Int) -> TokenKind { kinds[id] }

  /// The bytes of token `id`, which must exist.
  func bytes(_ id: Int) -> ArraySlice<UInt8> { storage[(id == 0 ? 0 : ends[id - 1])..<ends[id]] }

  /// The normal token that stands for exactly these bytes.
  func id(of bytes: UnsafeBufferPointer<UInt8>) -> Int32? {
    var slot = Self.hash(bytes) & (slots.count - 1)
    while slots[slot] >= 0 {
      let candidate = self.bytes(Int(slots[slot]))
      if candidate.count == bytes.count && candidate.elementsEqual(bytes) { return slots[slot] }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  private static func kinds(_ gguf: GGUFFile, count: Int) throws(InferenceError) -> [TokenKind] {
    let key = "tokenizer.ggml.token_type"
    guard gguf.contains(key) else { return [TokenKind](repeating: .normal, count: count) }
    let numbers = try gguf.ints(key)
    guard numbers.count == count else {
      throw .fileMalformed(path: gguf.path, place: key, expected: "\(count) entries", found: "\(numbers.count)")
    }
    var kinds: [TokenKind] = []
    kinds.reserveCapacity(count)
    for number in numbers {
      guard let kind = UInt8(exactly: number).flatMap(TokenKind.init) else {
        throw .fileMalformed(path: gguf.path, place: key, expected: "numbers from 1 to 6", found: "\(number)")
      }
      kinds.append(kind)
    }
    return kinds
  }

  private static func slots(storage: [UInt8], ends: [Int], kinds: [TokenKind]) -> [Int32] {
    var capacity = 16
    while capacity < ends.count * 2 { capacity *= 2 }
    var slots = [Int32](repeating: -1, count: capacity)
    storage.withUnsafeBufferPointer { storage in
      var start = 0
      for (id, end) in ends.enumerated() {
        defer { start = end }
        guard kinds[id] == .normal else { continue }
        var slot = hash(UnsafeBufferPointer(rebasing: storage[start..<end])) & (capacity - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (capacity - 1) }
        slots[slot] = Int32(id)
      }
    }
    return slots
  }

  /// Hasher's seed differs from run to run, so that a file cannot be made to collide.
  private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
    return hasher.finalize() & .max
  }
}
