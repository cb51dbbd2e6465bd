// The tokens of a model: the name of each id, its kind, the bytes that it stands for, and the id of a name. Names stay
// as the file writes them, because the library looks them up in that form; bytes are translated from the file's
// alphabet, GPT-2's of bytes or SentencePiece's of text with "▁" for a space. `Vocabulary+GGUF.swift` and
// `TokenizerFile.swift` fill it.

/// The kind of a token, with the numbers of `tokenizer.ggml.token_type`.
enum TokenKind: UInt8 {
  case normal = 1
  case unknown = 2
  /// A marker of the model, such as `<|im_start|>`; plain text never becomes it.
  case control = 3
  /// An added token that is cut out of the text before all others.
  case userDefined = 4
  case unused = 5
  /// A single byte, in vocabularies that are not byte-level.
  case byte = 6
}

/// How a vocabulary writes text.
enum TokenAlphabet: Sendable {
  /// GPT-2's alphabet, which has a printable scalar for each byte.
  case bytes
  /// SentencePiece's alphabet: text in which "▁" is a space, and `<0xHH>` for single bytes.
  case pieces
}

/// All tokens, by id.
struct Vocabulary: Sendable {
  let alphabet: TokenAlphabet
  /// The names by id, empty for ids without a name.
  let names: ByteStrings
  private let kinds: [TokenKind]
  /// The names of added tokens that are missing in `names`.
  private let added: [Int32: [UInt8]]
  /// Whether plain text never becomes a marker or a byte token, even if it has its name.
  private let hidesMarkers: Bool
  /// The tokens of single bytes, which spell unknown text; -1 if there is none.
  let byteTokens: [Int32]

  /// - Parameters:
  ///   - names: the names by id, findable if text or merges may name them.
  ///   - kinds: the kinds of all tokens, added ones included; at least as many as names.
  ///   - byteTokens: 256 ids or -1.
  ///   - added: the names of added tokens that are not the model's own.
  ///   - hidesMarkers: whether `id(of:)` finds only normal and user-defined tokens.
  init(
    names: ByteStrings, kinds: [TokenKind], alphabet: TokenAlphabet, byteTokens: [Int32], added: [Int32: [UInt8]] = [:],
    hidesMarkers: Bool = false
  ) {
    precondition(names.count <= kinds.count && byteTokens.count == 256, "each token has a kind, each byte a place")
    self.names = names
    self.kinds = kinds
    self.alphabet = alphabet
    self.added = added
    self.hidesMarkers = hidesMarkers
    self.byteTokens = byteTokens
  }

  /// The number of tokens.
  var count: Int { kinds.count }

  /// Whether there is a token `id`.
  func has(_ id: Int32) -> Bool { id >= 0 && id < kinds.count }

  /// The kind of token `id`, which must exist.
  func kind(_ id: Int) -> TokenKind { kinds[id] }

  /// The name of token `id`, which must exist.
  func name(_ id: Int) -> ArraySlice<UInt8> {
    if let name = added[Int32(id)] { return name[...] }
    return id < names.count ? names[id] : []
  }

  /// The bytes of token `id`, which must exist.
  func bytes(_ id: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    name(id).withUnsafeBytes { Self.append($0, kind: kinds[id], alphabet: alphabet, to: &bytes) }
    return bytes
  }

  /// The token that plain text in the vocabulary's alphabet becomes as a whole.
  func id(of text: UnsafeBufferPointer<UInt8>) -> Int32? {
    guard let id = names.find(text) else { return nil }
    return hidesMarkers && kinds[id] != .normal && kinds[id] != .userDefined ? nil : Int32(id)
  }

  /// Appends the bytes that a token's name stands for.
  private static func append(
    _ text: UnsafeRawBufferPointer, kind: TokenKind, alphabet: TokenAlphabet, to storage: inout [UInt8]
  ) {
    switch (alphabet, kind) {
    case (.bytes, .normal): ByteAlphabet.decode(text, into: &storage)
    case (_, .byte):
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
