// The tokens of a model: the bytes each id stands for, its kind, and the way back from bytes to id.
// Owns: the translation out of the file's alphabet, once, at load; `Vocabulary+GGUF.swift` and `TokenizerFile.swift`
// fill it. Two alphabets are known: GPT-2's, of bytes, and SentencePiece's, of text with "▁" for a space.

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

/// How a vocabulary writes text.
enum TokenAlphabet: Sendable {
  /// GPT-2's: a printable scalar for each byte.
  case bytes
  /// SentencePiece's: text, in which "▁" is a space, and `<0xHH>` for single bytes.
  case pieces
}

/// All tokens, by id.
struct Vocabulary: Sendable {
  let alphabet: TokenAlphabet
  private var strings: ByteStrings
  private let kinds: [TokenKind]
  /// An id whose bytes another token had before, if there is one.
  let duplicate: Int?
  /// The tokens of single bytes by which unknown text is spelled; -1 where there is none.
  let byteTokens: [Int32]

  /// - Parameters:
  ///   - strings: the bytes each id stands for.
  ///   - kinds: as many.
  init(strings: ByteStrings, kinds: [TokenKind], alphabet: TokenAlphabet) {
    precondition(strings.count == kinds.count, "each token has a kind")
    var strings = strings
    // In a vocabulary of pieces the user's own ones are steps on the way to larger tokens, such as two newlines to four.
    duplicate = strings.index { kinds[$0] == .normal || kinds[$0] == .userDefined && alphabet == .pieces }
    var byteTokens = [Int32](repeating: -1, count: 256)
    for id in kinds.indices where kinds[id] == .byte {
      if let byte = strings[id].first, byteTokens[Int(byte)] < 0 { byteTokens[Int(byte)] = Int32(id) }
    }
    self.strings = strings
    self.kinds = kinds
    self.alphabet = alphabet
    self.byteTokens = byteTokens
  }

  /// The number of tokens.
  var count: Int { kinds.count }

  /// Whether there is a token `id`.
  func has(_ id: Int32) -> Bool { id >= 0 && id < kinds.count }

  /// The kind of token `id`, which must exist.
  func kind(_ id: Int) -> TokenKind { kinds[id] }

  /// The bytes of token `id`, which must exist.
  func bytes(_ id: Int) -> ArraySlice<UInt8> { strings[id] }

  /// The token that plain text of exactly these bytes may become.
  func id(of bytes: UnsafeBufferPointer<UInt8>) -> Int32? { strings.find(bytes).map(Int32.init) }

  /// The bytes that `text` stands for in a token's name.
  static func append(
    _ text: UnsafeRawBufferPointer, kind: TokenKind, alphabet: TokenAlphabet, to storage: inout [UInt8]
  ) {
    switch (alphabet, kind) {
    case (.bytes, .normal): ByteAlphabet.decode(text, into: &storage)
    case (.pieces, .byte):
      if let byte = byteValue(text) { storage.append(byte) } else { storage.append(contentsOf: text) }
    case (.pieces, .normal), (.pieces, .userDefined): PieceAlphabet.decode(text, into: &storage)
    default: storage.append(contentsOf: text)
    }
  }

  /// The byte that `<0xHH>` names.
  static func byteValue(_ text: UnsafeRawBufferPointer) -> UInt8? {
    guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">"),
      let high = hexadecimalDigit(text[3]), let low = hexadecimalDigit(text[4])
    else { return nil }
    return high << 4 | low
  }

  private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}
