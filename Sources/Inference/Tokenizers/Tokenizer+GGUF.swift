// The tokenizer in a GGUF file, under tokenizer.ggml.*. Its model must be "gpt2" (byte-level BPE) or "llama"
// (SentencePiece), with a known pre-tokenizer.

extension Tokenizer {
  /// Reads the tokenizer of a GGUF file. This takes some ten milliseconds for 50,000 tokens.
  /// - Throws: `InferenceError.unsupported` for another kind of tokenizer, `.keyMissing`, `.typeMismatch` or
  ///   `.fileMalformed`.
  public init(gguf: GGUFFile) throws(InferenceError) {
    let model = try gguf.string("tokenizer.ggml.model")
    switch model {
    case "gpt2": try self.init(byteLevel: gguf)
    case "llama": try self.init(pieces: gguf)
    default:
      throw .unsupported(
        path: gguf.path, what: "the tokenizer", found: InferenceError.excerpt(model),
        supported: "gpt2 (byte-level BPE) or llama (SentencePiece)")
    }
  }

  private init(byteLevel gguf: GGUFFile) throws(InferenceError) {
    let pre = try gguf.string("tokenizer.ggml.pre")
    guard let preTokenizer = PreTokenizer.allCases.first(where: { $0.ggufNames.contains(pre) }) else {
      throw .unsupported(
        path: gguf.path, what: "the pre-tokenizer", found: InferenceError.excerpt(pre),
        supported: PreTokenizer.allCases.flatMap(\.ggufNames).joined(separator: ", "))
    }
    let vocabulary = try Vocabulary(gguf: gguf, alphabet: .bytes)
    let encoding = try BytePairEncoding(gguf: gguf, vocabulary: vocabulary, prefersWhole: preTokenizer == .llama3)
    // GGUF files do not mention normalization; Qwen's own tokenizers compose.
    let normalizer = Normalizer(steps: preTokenizer == .qwen2 || preTokenizer == .qwen35 ? [.compose] : [])
    let settings = try Self.settings(
      gguf, vocabulary, preTokenizer, normalizer, addsBeginning: preTokenizer == .llama3)
    self.init(vocabulary: vocabulary, encoding: encoding, settings: settings)
  }

  private init(pieces gguf: GGUFFile) throws(InferenceError) {
    let vocabulary = try Vocabulary(gguf: gguf, alphabet: .pieces)
    let unknown = try Self.id(gguf, "tokenizer.ggml.unknown_token_id", vocabulary)
    let encoding = try BytePairEncoding(scoresOf: gguf, vocabulary: vocabulary, unknown: unknown)
    let key = "tokenizer.ggml.add_space_prefix"
    let hasPrefix = gguf.contains(key) ? try gguf.bool(key) : true
    let marks = Normalizer.Step.replace(Normalizer.space, by: Normalizer.mark)
    let normalizer = Normalizer(steps: hasPrefix ? [.prepend(Normalizer.mark), marks] : [marks])
    let settings = try Self.settings(gguf, vocabulary, .none, normalizer, addsBeginning: true)
    self.init(vocabulary: vocabulary, encoding: encoding, settings: settings)
  }

  /// - Parameter addsBeginning: the value to use if the file has none.
  private static func settings(
    _ gguf: GGUFFile, _ vocabulary: Vocabulary, _ preTokenizer: PreTokenizer, _ normalizer: Normalizer,
    addsBeginning: Bool
  ) throws(InferenceError) -> Settings {
    var ends: Set<Int32> = []
    for key in ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
      if let id = try id(gguf, key, vocabulary) { ends.insert(id) }
    }
    let key = "tokenizer.ggml.add_bos_token"
    var added: [AddedToken] = []
    for id in 0..<vocabulary.count {
      let kind = vocabulary.kind(id)
      guard kind == .control || kind == .userDefined || kind == .unknown else { continue }
      added.append(AddedToken(id: Int32(id), bytes: vocabulary.bytes(id), isControl: kind != .userDefined))
    }
    let beginning = try id(gguf, "tokenizer.ggml.bos_token_id", vocabulary)
    let addsBeginning = gguf.contains(key) ? try gguf.bool(key) : addsBeginning
    return Settings(
      cutter: Cutter(pattern: preTokenizer), normalizer: normalizer, addedTokens: added, beginningOfSequence: beginning,
      endOfSequence: try id(gguf, "tokenizer.ggml.eos_token_id", vocabulary),
      prefix: addsBeginning ? [beginning].compactMap { $0 } : [], endOfTurnIDs: ends)
  }

  /// The text of the token that begins a sequence, if the file names one.
  static func beginning(gguf: GGUFFile) throws(InferenceError) -> String? {
    let key = "tokenizer.ggml.bos_token_id"
    guard gguf.contains(key) else { return nil }
    let (id, texts) = (try gguf.int(key), try gguf.strings("tokenizer.ggml.tokens"))
    guard (0..<texts.count).contains(id) else {
      throw .fileMalformed(
        path: gguf.path, place: key, expected: "an id below \(texts.count)", found: "\(id)")
    }
    return texts[id]
  }

  private static func id(
    _ gguf: GGUFFile, _ key: String, _ vocabulary: Vocabulary
  ) throws(InferenceError) -> Int32? {
    guard gguf.contains(key) else { return nil }
    let number = try gguf.int(key)
    guard let id = Int32(exactly: number), vocabulary.has(id) else {
      throw .fileMalformed(
        path: gguf.path, place: key, expected: "an id below \(vocabulary.count)", found: "\(number)")
    }
    return id
  }
}
