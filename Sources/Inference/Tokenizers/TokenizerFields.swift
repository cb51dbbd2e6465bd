// Every field of a Hugging Face tokenizer on which the tokenizers library (0.23) or transformers (5.24) acts, and what
// it does here. `TokenizerFile` and `TokenizerFolder` read by these tables, and docs/formats.md prints them.
// Refuses: values that would change tokens and that no test here covers.

/// The tables of tokenizer.json.
enum TokenizerFields {
  static let file = FieldTable(
    object: "tokenizer.json",
    fields: [
      ("version", .refused(unless: [.string("1.0")], "the library knows one version")),
      ("truncation", .withoutEffect("transformers turns it off unless a call asks for it")),
      ("padding", .withoutEffect("transformers turns it off unless a call asks for it")),
      ("added_tokens", .honoured("texts that become one token as a whole")),
      ("normalizer", .honoured("changes to text before it is cut")),
      ("pre_tokenizer", .honoured("how text is cut into pieces")),
      ("post_processor", .honoured("the tokens in front of a raw text")),
      ("decoder", .honoured("which alphabet the vocabulary is written in; each token is decoded by itself")),
      ("model", .honoured("vocabulary and merges")),
    ], refusesOthers: true)

  static let model = FieldTable(
    object: "tokenizer.json, model",
    fields: [
      ("type", .refused(unless: [.string("BPE")], "only byte-pair encoding is known")),
      ("vocab", .honoured("ids by name; of a name twice the last id counts")),
      ("merges", .honoured("pairs by rank, as lists of two or with one space; of a pair twice the last rank counts")),
      ("unk_token", .honoured("the token of text that the vocabulary cannot spell")),
      ("fuse_unk", .honoured("whether unknown tokens in a row become one")),
      ("byte_fallback", .honoured("whether unknown text becomes `<0xHH>` tokens where all its bytes have one")),
      ("ignore_merges", .honoured("whether a piece that is a token as a whole stays whole")),
      ("dropout", .refused(unless: [.number(0)], "merges are not left out at random")),
      ("continuing_subword_prefix", .refused(unless: [.string("")], "no model of a known family has one")),
      ("end_of_word_suffix", .refused(unless: [.string("")], "no model of a known family has one")),
    ])

  static let addedToken = FieldTable(
    object: "tokenizer.json, added_tokens; tokenizer_config.json, added_tokens_decoder",
    fields: [
      (
        "id",
        .honoured("the order of tokens; as in the library a token keeps its id in the vocabulary or gets the next one")
      ),
      ("content", .honoured("the text")),
      ("special", .honoured("whether it is a marker, which plain text never becomes")),
      ("lstrip", .honoured("whether it swallows the white space before it")),
      ("rstrip", .honoured("whether it swallows the white space after it")),
      ("single_word", .honoured("whether it must stand between words")),
      (
        "normalized",
        .honoured("whether it is looked for in normalized text; without it, markers are not and others are")
      ),
      ("__type", .withoutEffect("it says that the object is an added token")),
    ], refusesOthers: true)

  static let normalizers: [String: FieldTable] = tables(
    "normalizer",
    [
      "NFC": [],
      "Prepend": [("prepend", .honoured("the text that is put in front of every stretch between added tokens"))],
      "Replace": [
        ("pattern", .honoured("a `String`; a `Regex` is refused")), ("content", .honoured("what takes its place")),
      ],
      "Sequence": [("normalizers", .honoured("normalizers one after another"))],
    ])

  static let preTokenizers: [String: FieldTable] = tables(
    "pre_tokenizer",
    [
      "ByteLevel": [
        ("add_prefix_space", .honoured("a space in front of every stretch that does not begin with one")),
        ("use_regex", .honoured("whether GPT-2's pattern cuts")),
        ("trim_offsets", .withoutEffect("it changes offsets only")),
      ],
      "Digits": [
        ("individual_digits", .refused(unless: [.bool(true)], "SmolLM's digits stand alone"))
      ],
      "Split": [
        ("pattern", .honoured("a known family's `Regex`, or Gemma's `String` of one space")),
        ("behavior", .honoured("Isolated, or Removed with invert, which is the same for the known patterns")),
        ("invert", .honoured("as above")),
      ],
      "Metaspace": [
        ("replacement", .refused(unless: [.string("▁")], "no model of a known family has another")),
        ("str_rep", .withoutEffect("the library ignores it, too")),
        ("prepend_scheme", .honoured("where \"▁\" is put in front: always, first or never")),
        ("add_prefix_space", .honoured("an older name: false goes with never only")),
        ("split", .honoured("whether each \"▁\" begins a piece")),
      ],
      "Sequence": [("pretokenizers", .honoured("Digits or Split before ByteLevel, Split or Metaspace"))],
    ])

  static let postProcessors: [String: FieldTable] = tables(
    "post_processor",
    [
      "TemplateProcessing": [
        (
          "single",
          .honoured("the special tokens in front of a raw text; a prompt goes on, so those behind it are left out")
        ),
        ("pair", .withoutEffect("there are no pairs of texts here")),
        ("special_tokens", .honoured("the ids of the tokens that `single` names")),
      ],
      "ByteLevel": [
        ("add_prefix_space", .withoutEffect("it changes offsets only")),
        ("trim_offsets", .withoutEffect("it changes offsets only")),
        ("use_regex", .withoutEffect("it changes offsets only")),
      ],
      "Sequence": [("processors", .honoured("processors one after another"))],
    ])

  private static func tables(
    _ part: String, _ types: [String: [(String, FieldTable.Use)]]
  ) -> [String: FieldTable] {
    Dictionary(
      uniqueKeysWithValues: types.map { type, fields in
        let head: [(name: String, use: FieldTable.Use)] = [("type", .honoured("what the part is"))]
        return (
          type,
          FieldTable(
            object: "tokenizer.json, \(part) of type \(type)", fields: head + fields.map { (name: $0.0, use: $0.1) })
        )
      })
  }
}
