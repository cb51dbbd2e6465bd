// The fields of tokenizer.json that the tokenizers library writes and uses; `TokenizerFile` reads by these tables.
// Values that would change tokens and that no test covers are refused. FormatTable+TokenizerFolder.swift has the files
// beside it.

extension FormatTable {
  private static let library = "tokenizers 0.23.3"

  /// The table of the file itself.
  static let tokenizer = FormatTable(
    "tokenizer.json", reference: library, unknown: .alwaysRefused,
    [
      .refused("version", unlessExactly: [.string("1.0")], "version 1.0, the only one that the library knows"),
      .withoutEffect("truncation", "transformers turns it off unless a call asks for it."),
      .withoutEffect("padding", "transformers turns it off unless a call asks for it."),
      .honoured("added_tokens", "Texts that become one token as a whole."),
      .honoured("normalizer", "Changes to text before it is cut."),
      .honoured("pre_tokenizer", "How text is cut into pieces."),
      .honoured("post_processor", "The tokens in front of a raw text."),
      .honoured("decoder", "Which alphabet the vocabulary is written in; each token is decoded by itself."),
      .honoured("model", "Vocabulary and merges."),
    ])

  /// The table of the `model` of a tokenizer.json.
  static let tokenizerModel = FormatTable(
    "tokenizer.json, model", reference: "\(library), BPE", unknown: .ignored,
    [
      .refused("type", unlessExactly: [.string("BPE")], "BPE, byte-pair encoding"),
      .honoured("vocab", "Ids by name; if a name comes twice, its last id counts."),
      .honoured(
        "merges", "Pairs by rank, as lists of two or with one space; if a pair comes twice, its last rank counts."),
      .honoured("unk_token", "The token for text that the vocabulary cannot spell."),
      .honoured("fuse_unk", "Whether unknown tokens in a row become one."),
      .honoured("byte_fallback", "Whether unknown text becomes `<0xHH>` tokens where all its bytes have one."),
      .honoured("ignore_merges", "Whether a piece that is a token as a whole stays whole."),
      .refused("dropout", unlessExactly: [.number(0)], "null or 0, which leaves no merge out at random"),
      .refused(
        "continuing_subword_prefix", unlessExactly: [.string("")], "none, as in all models of the known families"),
      .refused("end_of_word_suffix", unlessExactly: [.string("")], "none, as in all models of the known families"),
    ])

  /// The table of a token that is added to a vocabulary.
  static let addedToken = FormatTable(
    "tokenizer.json, added_tokens; tokenizer_config.json, added_tokens_decoder", reference: "\(library), AddedToken",
    unknown: .alwaysRefused,
    [
      .honoured(
        "id",
        "The order of tokens; as in the library a token keeps its id in the vocabulary or gets the next one."),
      .honoured("content", "The text."),
      .honoured("special", "Whether it is a marker, which plain text never becomes."),
      .honoured("lstrip", "Whether it swallows the white space before it."),
      .honoured("rstrip", "Whether it swallows the white space after it."),
      .honoured("single_word", "Whether it must stand between words."),
      .honoured(
        "normalized",
        "Whether it is searched in normalized text; if absent, markers are not and other tokens are."),
      .withoutEffect("__type", "It says that the object is an added token."),
    ])

  /// The tables of normalizers, which change text, by type.
  static let normalizers = parts(
    "normalizer",
    [
      "NFC": [],
      "Prepend": [.honoured("prepend", "The text that is put in front of every stretch between added tokens.")],
      "Replace": [
        .honoured("pattern", "A `String`; a `Regex` is refused."),
        .honoured("content", "The text that replaces the pattern."),
      ],
      "Sequence": [.honoured("normalizers", "Normalizers one after another.")],
    ])

  /// The tables of pre-tokenizers, which cut text, by type.
  static let preTokenizers = parts(
    "pre_tokenizer",
    [
      "ByteLevel": [
        .honoured("add_prefix_space", "A space in front of every stretch that does not begin with one."),
        .honoured("use_regex", "Whether GPT-2's pattern cuts."),
        .withoutEffect("trim_offsets", "It changes offsets only."),
      ],
      "Digits": [
        .refused("individual_digits", unlessExactly: [.bool(true)], "true, as in SmolLM, where each digit is a piece")
      ],
      "Split": [
        .honoured("pattern", "A known family's `Regex`, or Gemma's `String` of one space."),
        .honoured("behavior", "Isolated, or Removed with invert, which is the same for the known patterns."),
        .honoured("invert", "See `behavior`."),
      ],
      "Metaspace": [
        .refused("replacement", unlessExactly: [.string("▁")], "\"▁\", as in all models of the known families"),
        .withoutEffect("str_rep", "The library ignores it, too."),
        .honoured("prepend_scheme", "Where \"▁\" is put in front: always, first or never."),
        .honoured("add_prefix_space", "An older name; false is accepted only with the scheme never."),
        .honoured("split", "Whether each \"▁\" begins a piece."),
      ],
      "Sequence": [.honoured("pretokenizers", "Digits or Split before ByteLevel, Split or Metaspace.")],
    ])

  /// The tables of post-processors, which add tokens to a text, by type.
  static let postProcessors = parts(
    "post_processor",
    [
      "TemplateProcessing": [
        .honoured(
          "single",
          "The special tokens before a raw text; those after it are left out, since a prompt is continued."),
        .withoutEffect("pair", "There are no pairs of texts here."),
        .honoured("special_tokens", "The ids of the tokens that `single` names."),
      ],
      "ByteLevel": [
        .withoutEffect("add_prefix_space", "It changes offsets only."),
        .withoutEffect("trim_offsets", "It changes offsets only."),
        .withoutEffect("use_regex", "It changes offsets only."),
      ],
      "Sequence": [.honoured("processors", "Processors one after another.")],
    ])

  private static func parts(_ part: String, _ types: [String: [Field]]) -> [String: FormatTable] {
    types.reduce(into: [:]) { tables, type in
      tables[type.key] = FormatTable(
        "tokenizer.json, \(part) of type \(type.key)", reference: library, unknown: .ignored,
        [.honoured("type", "The kind of the part.")] + type.value)
    }
  }
}
