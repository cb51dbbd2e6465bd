// A model's tokenizer, which turns text into ids and back: byte-level BPE (GPT-2, SmolLM2, Llama 3, Qwen) and
// SentencePiece-style BPE (Gemma, Llama 2). It is read from a GGUF file (`Tokenizer+GGUF.swift`) or a Hugging Face
// folder (`Tokenizer+Folder.swift`). Kinds of tokenizers that no test covers are refused by name.

/// Translates between text and token ids.
public struct Tokenizer: Sendable {
  /// The number of ids.
  public var vocabularySize: Int { vocabulary.count }
  /// The token that begins a sequence, if the file names one.
  let beginningOfSequence: Int32?
  /// The token that ends a sequence, if the file names one.
  let endOfSequence: Int32?
  /// The tokens that the model was trained to see before raw text: mostly `beginningOfSequence`, or none; `encode` does
  /// not add them.
  public let prefix: [Int32]
  /// The tokens after which a model has nothing more to say: the end of a sequence or of a turn.
  public let endOfTurnIDs: Set<Int32>

  let vocabulary: Vocabulary
  private let cutter: Cutter
  private let normalizer: Normalizer
  private let encoding: BytePairEncoding
  /// Added tokens that are searched in the original text, and those searched in normalized text, which are normalized
  /// themselves.
  private let special: SpecialTokens
  private let normalizedSpecial: SpecialTokens
  /// The control tokens by name.
  private let control: SpecialTokens

  /// What files say about a tokenizer besides its vocabulary and merges.
  struct Settings {
    var cutter: Cutter
    var normalizer = Normalizer()
    var addedTokens: [AddedToken]
    var beginningOfSequence: Int32?
    var endOfSequence: Int32?
    var prefix: [Int32]
    /// The ends that the file itself names.
    var endOfTurnIDs: Set<Int32>
  }

  /// The names that models use for the end of a turn or of a text.
  private static let endNames = [
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "</s>",
  ]

  init(vocabulary: Vocabulary, encoding: BytePairEncoding, settings: Settings) {
    self.vocabulary = vocabulary
    self.encoding = encoding
    cutter = settings.cutter
    normalizer = settings.normalizer
    // If two tokens look alike once normalized, a marker wins, and otherwise the one that was added first.
    let added = settings.addedTokens.filter(\.isControl) + settings.addedTokens.filter { !$0.isControl }
    special = SpecialTokens(added.filter { !$0.isNormalized })
    normalizedSpecial = SpecialTokens(
      added.filter(\.isNormalized).map { token in
        var token = token
        token.bytes = settings.normalizer.normalized(token.bytes)
        return token
      })
    control = SpecialTokens(settings.addedTokens.filter(\.isControl))
    beginningOfSequence = settings.beginningOfSequence
    endOfSequence = settings.endOfSequence
    prefix = settings.prefix
    var ends = settings.endOfTurnIDs
    for name in Self.endNames {
      if let token = control.named(name) { ends.insert(token.id) }
    }
    endOfTurnIDs = ends
  }

  /// The ids of `text`, without a beginning of sequence.
  /// - Parameter parseSpecial: whether names of control tokens (`<|im_end|>`) in the text become these tokens. If false
  ///   they stay plain text, which is right for text of users.
  public func encode(_ text: String, parseSpecial: Bool) -> [Int32] {
    var ids: [Int32] = []
    encode(
      text, reading: { token, _ in parseSpecial || !token.isControl ? .token : .text }, { id, _ in ids.append(id) })
    return ids
  }

  /// Passes the ids of `text` to `token`, in order, with the offset in its UTF-8 at which each begins.
  /// - Parameter reading: says what happens to an added token at a range of the UTF-8.
  func encode(
    _ text: String, reading: (AddedToken, Range<Int>) -> SpecialTokens.Reading, _ token: (Int32, Int) -> Void
  ) {
    var workspace = BytePairEncoding.Workspace()
    var text = text
    text.withUTF8 { bytes in
      special.split(
        bytes, reading: reading,
        plain: { range in
          normalizer.normalize(UnsafeBufferPointer(rebasing: bytes[range])) { text, origins in
            encode(text, TextOrigin(base: range.lowerBound, places: origins), reading, token, &workspace)
          }
        },
        special: token)
    }
  }

  /// Encodes a stretch of normalized text.
  /// - Parameter origin: where in the original text the stretch comes from.
  private func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ origin: TextOrigin,
    _ reading: (AddedToken, Range<Int>) -> SpecialTokens.Reading, _ token: (Int32, Int) -> Void,
    _ workspace: inout BytePairEncoding.Workspace
  ) {
    normalizedSpecial.split(
      text, reading: { reading($0, origin[$1.lowerBound]..<origin[$1.upperBound - 1] + 1) },
      plain: { range in
        cutter.cut(UnsafeBufferPointer(rebasing: text[range]), origin: origin.from(range.lowerBound)) { piece, origin in
          encoding.encode(piece, &workspace) { id, start in token(id, origin[start]) }
        }
      },
      special: { token($0, origin[min($1, text.count - 1)]) })
  }

  /// The text of `ids`, in which added tokens appear by name; bytes that are not UTF-8 become U+FFFD.
  public func decode(_ ids: [Int32]) -> String {
    String(decoding: ids.flatMap { bytes(of: $0) }, as: UTF8.self)
  }

  /// The bytes that token `id` stands for, often less than a character. An id outside the vocabulary stands for U+FFFD,
  /// because ids come from stores and files of others.
  public func bytes(of id: Int32) -> [UInt8] {
    guard vocabulary.has(id) else { return Array("\u{FFFD}".utf8) }
    return vocabulary.bytes(Int(id))
  }

  /// The id of the control token with a name such as `<|im_start|>`.
  func controlToken(_ name: String) -> Int32? {
    control.named(name)?.id
  }

  /// Whether `id` is a marker of the model and not text.
  public func isSpecial(_ id: Int32) -> Bool {
    vocabulary.has(id) && [.control, .unknown].contains(vocabulary.kind(Int(id)))
  }
}
