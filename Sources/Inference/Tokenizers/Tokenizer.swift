// A model's tokenizer, as its GGUF file carries it: text to ids and back.
// Owns: vocabulary, merges, added tokens. Refuses: kinds and cuts of text that no test here covers, by name.
// Byte-level BPE (tokenizer.ggml.model "gpt2"); another kind of vocabulary would be another file in this folder.

/// Translates between text and token ids.
public struct Tokenizer: Sendable {
  /// The number of ids.
  public var vocabularySize: Int { vocabulary.count }
  /// The token that begins a sequence, if the file names one.
  public let beginningOfSequence: Int32?
  /// The token that ends a sequence, if the file names one.
  public let endOfSequence: Int32?
  /// Every token after which a model has nothing more to say: the end of a sequence or of a turn.
  public let endOfTurnIDs: Set<Int32>

  private let vocabulary: Vocabulary
  private let preTokenizer: PreTokenizer
  private let encoding: BytePairEncoding
  private let special: SpecialTokens

  /// Names under which models know the end of a turn or of a text.
  private static let endNames: Set<String> = [
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "</s>",
  ]

  /// Reads the tokenizer of a GGUF file. Costs some ten milliseconds for 50,000 tokens.
  /// - Throws: `InferenceError.unsupported` for another kind of tokenizer, `.keyMissing`, `.typeMismatch` or
  ///   `.fileMalformed`.
  public init(gguf: GGUFFile) throws(InferenceError) {
    let model = try gguf.string("tokenizer.ggml.model")
    guard model == "gpt2" else {
      throw .unsupported(
        path: gguf.path, what: "the tokenizer", found: InferenceError.excerpt(model),
        supported: "gpt2 (byte-level BPE)")
    }
    let pre = try gguf.string("tokenizer.ggml.pre")
    guard let preTokenizer = PreTokenizer(rawValue: pre) else {
      throw .unsupported(
        path: gguf.path, what: "the pre-tokenizer", found: InferenceError.excerpt(pre),
        supported: PreTokenizer.allCases.map(\.rawValue).joined(separator: ", "))
    }
    self.preTokenizer = preTokenizer
    vocabulary = try Vocabulary(gguf: gguf)
    encoding = try BytePairEncoding(gguf: gguf, vocabulary: vocabulary)
    special = SpecialTokens(vocabulary)
    beginningOfSequence = try Self.id(gguf, "tokenizer.ggml.bos_token_id", vocabulary)
    endOfSequence = try Self.id(gguf, "tokenizer.ggml.eos_token_id", vocabulary)
    var ends: Set<Int32> = []
    for key in ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
      if let id = try Self.id(gguf, key, vocabulary) { ends.insert(id) }
    }
    for id in 0..<vocabulary.count where vocabulary.kind(id) == .control {
      if Self.endNames.contains(String(decoding: vocabulary.bytes(id), as: UTF8.self)) { ends.insert(Int32(id)) }
    }
    endOfTurnIDs = ends
  }

  private static func id(
    _ gguf: GGUFFile, _ key: String, _ vocabulary: Vocabulary
  ) throws(InferenceError) -> Int32? {
    guard gguf.contains(key) else { return nil }
    let id = try gguf.int(key)
    guard (0..<vocabulary.count).contains(id) else {
      throw .fileMalformed(
        path: gguf.path, place: key, expected: "an id below \(vocabulary.count)", found: "\(id)")
    }
    return Int32(id)
  }

  /// The ids of `text`; none is added in front or behind. Bytes that the vocabulary lacks are left out: in SmolLM2
  /// six control characters and the unassigned planes of Unicode.
  /// - Parameter parseSpecial: whether `<|im_start|>` and its like in the text become control tokens, or stay plain
  ///   text that cannot end a turn. Text from a user: `false`.
  public func encode(_ text: String, parseSpecial: Bool) -> [Int32] {
    var ids: [Int32] = []
    var workspace = BytePairEncoding.Workspace()
    var text = text
    text.withUTF8 { bytes in
      special.split(
        bytes, control: parseSpecial,
        plain: { plain in
          preTokenizer.split(plain) { piece in
            encoding.encode(UnsafeBufferPointer(rebasing: plain[piece]), into: &ids, &workspace)
          }
        },
        special: { ids.append($0) })
    }
    return ids
  }

  /// The text of `ids`, added tokens by their names; bytes that are no UTF-8 become U+FFFD.
  public func decode(_ ids: [Int32]) -> String {
    String(decoding: ids.flatMap { bytes(of: $0) }, as: UTF8.self)
  }

  /// The bytes that token `id` stands for, often less than a character. An id outside the vocabulary stands for
  /// U+FFFD: ids come from stores and files of others.
  public func bytes(of id: Int32) -> [UInt8] {
    guard vocabulary.has(id) else { return Array("\u{FFFD}".utf8) }
    return Array(vocabulary.bytes(Int(id)))
  }

  /// The id of the control token with that name, such as `<|im_start|>`.
  public func controlToken(_ name: String) -> Int32? {
    special.control(named: name)
  }

  /// Whether `id` is a marker of the model rather than text.
  public func isSpecial(_ id: Int32) -> Bool {
    vocabulary.has(id) && [.control, .unknown].contains(vocabulary.kind(Int(id)))
  }
}
