// Reads a vocabulary from a GGUF file: tokenizer.ggml.tokens and .token_type, which must have the same length.

extension Vocabulary {
  /// Reads `tokenizer.ggml.tokens` and `.token_type`.
  /// - Throws: `InferenceError.keyMissing`, `.typeMismatch` or `.fileMalformed`.
  init(gguf: GGUFFile, alphabet: TokenAlphabet) throws(InferenceError) {
    let texts = try gguf.strings("tokenizer.ggml.tokens")
    guard !texts.isEmpty, texts.count < 1 << 30 else {
      throw .fileMalformed(
        path: gguf.path, place: "tokenizer.ggml.tokens", expected: "at least one token", found: "\(texts.count)")
    }
    let kinds = try Self.kinds(gguf, count: texts.count)
    var storage: [UInt8] = []
    storage.reserveCapacity(texts.count * 8)
    var ends: [Int] = []
    ends.reserveCapacity(texts.count)
    var byteTokens = [Int32](repeating: -1, count: 256)
    defer { withExtendedLifetime(texts.file) {} }
    for id in 0..<texts.count {
      let name = texts.bytes(id)
      storage.append(contentsOf: name)
      ends.append(storage.count)
      if kinds[id] == .byte, let byte = Self.byteValue(name), byteTokens[Int(byte)] < 0 {
        byteTokens[Int(byte)] = Int32(id)
      }
    }
    var names = ByteStrings(storage: storage, ends: ends)
    names.index { kinds[$0] != .unused }
    self.init(names: names, kinds: kinds, alphabet: alphabet, byteTokens: byteTokens, hidesMarkers: true)
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
}
