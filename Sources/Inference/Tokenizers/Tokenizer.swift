// A model's tokenizer: text to ids and back.
// Owns: vocabulary, merges, added tokens, read from a GGUF file (`Tokenizer+GGUF.swift`) or a Hugging Face folder
// (`Tokenizer+Folder.swift`). Refuses: kinds and cuts of text that no test here covers, by name.
// Byte-level BPE (GPT-2, SmolLM2, Llama 3, Qwen) and SentencePiece-style BPE (Gemma, Llama 2).

/// Translates between text and token ids.
public struct Tokenizer: Sendable {
  /// The number of ids.
  public var vocabularySize: Int { vocabulary.count }
  /// The token that begins a sequence, if the file names one.
  public let beginningOfSequence: Int32?
  /// The token that ends a sequence, if the file names one.
  public let endOfSequence: Int32?
  /// Whether the model was trained on raw text that begins with `beginningOfSequence`; `encode` does not add it.
  public let addsBeginningOfSequence: Bool
  /// Every token after which a model has nothing more to say: the end of a sequence or of a turn.
  public let endOfTurnIDs: Set<Int32>

  let vocabulary: Vocabulary
  private let preTokenizer: PreTokenizer
  private let normalizer: Normalizer
  private let encoding: BytePairEncoding
  /// Added tokens that are looked for in the text as it came, and those looked for in normalized text, themselves
  /// normalized.
  private let special: SpecialTokens
  private let normalizedSpecial: SpecialTokens
  /// Control tokens by name.
  private let control: SpecialTokens

  /// What files say about a tokenizer, beyond its vocabulary and merges.
  struct Settings {
    var preTokenizer: PreTokenizer
    var normalizer = Normalizer()
    var addedTokens: [AddedToken]
    var beginningOfSequence: Int32?
    var endOfSequence: Int32?
    var addsBeginningOfSequence: Bool
    /// Ends that the file names itself.
    var endOfTurnIDs: Set<Int32>
  }

  /// Names under which models know the end of a turn or of a text.
  private static let endNames = [
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "</s>",
  ]

  init(vocabulary: Vocabulary, encoding: BytePairEncoding, settings: Settings) {
    self.vocabulary = vocabulary
    self.encoding = encoding
    preTokenizer = settings.preTokenizer
    normalizer = settings.normalizer
    special = SpecialTokens(settings.addedTokens.filter { !$0.isNormalized })
    normalizedSpecial = SpecialTokens(
      settings.addedTokens.filter(\.isNormalized).map { token in
        var token = token
        let bytes = token.bytes
        bytes.withUnsafeBufferPointer { settings.normalizer.normalize($0) { token.bytes = Array($0) } }
        return token
      })
    control = SpecialTokens(settings.addedTokens.filter(\.isControl))
    beginningOfSequence = settings.beginningOfSequence
    endOfSequence = settings.endOfSequence
    addsBeginningOfSequence = settings.addsBeginningOfSequence && settings.beginningOfSequence != nil
    var ends = settings.endOfTurnIDs
    for name in Self.endNames {
      if let token = control.named(name) { ends.insert(token.id) }
    }
    endOfTurnIDs = ends
  }

  /// The ids of `text`, without a beginning of sequence.
  /// - Parameter parseSpecial: whether names of control tokens (`<|im_end|>`) in the text become these tokens; without
  ///   it they are plain text, which is right for whatever users write.
  public func encode(_ text: String, parseSpecial: Bool) -> [Int32] {
    var ids: [Int32] = []
    var workspace = BytePairEncoding.Workspace()
    var text = text
    text.withUTF8 { bytes in
      special.split(
        bytes, control: parseSpecial,
        plain: { stretch, start in
          normalizer.normalize(stretch) { text in
            normalizedSpecial.split(
              text, control: parseSpecial,
              plain: { encode($0, isFirst: start + $1 == 0, into: &ids, &workspace) },
              special: { ids.append($0) })
          }
        },
        special: { ids.append($0) })
    }
    return ids
  }

  /// Encodes normalized text without added tokens.
  private func encode(
    _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, into ids: inout [Int32],
    _ workspace: inout BytePairEncoding.Workspace
  ) {
    normalizer.prefix(text, isFirst: isFirst) { text in
      preTokenizer.split(text) { piece in
        encoding.encode(UnsafeBufferPointer(rebasing: text[piece]), into: &ids, &workspace)
      }
    }
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
    control.named(name)?.id
  }

  /// Whether `id` is a marker of the model rather than text.
  public func isSpecial(_ id: Int32) -> Bool {
    vocabulary.has(id) && [.control, .unknown].contains(vocabulary.kind(Int(id)))
  }
}
