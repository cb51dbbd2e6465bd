// What the parts of a tokenizer.json mean, recognised by their structure: normalizer, pre_tokenizer, post_processor.
// Refuses: every part that no family here uses, by its content.

extension TokenizerFile {
  /// The changes to text and the way of cutting it.
  func textSettings() throws(InferenceError) -> (Normalizer, PreTokenizer) {
    guard model["type"] ?? .string("BPE") == .string("BPE") else {
      throw unsupported("the tokenizer's model", model["type"] ?? .null, "BPE")
    }
    for (key, plain) in [
      ("dropout", JSONValue.number(0)), ("continuing_subword_prefix", .string("")), ("end_of_word_suffix", .string("")),
    ] {
      let value = model[key] ?? .null
      guard value == .null || value == plain else { throw unsupported("the tokenizer's \(key)", value, "none") }
    }
    var normalizer = try normalizer(settings["normalizer"] ?? .null)
    let preTokenizer: PreTokenizer
    if vocabulary.alphabet == .bytes {
      guard normalizer.spacePrefix == .none, !normalizer.readsMarksAsSpaces else {
        throw unsupported("the normalizer", settings["normalizer"] ?? .null, "NFC or none for byte-level tokens")
      }
      preTokenizer = try byteLevel(settings["pre_tokenizer"] ?? .null)
    } else {
      preTokenizer = .none
      try readPieces(settings["pre_tokenizer"] ?? .null, &normalizer)
      guard normalizer.readsMarksAsSpaces else {
        throw unsupported("the normalizer", settings["normalizer"] ?? .null, "one that replaces \" \" by \"▁\"")
      }
    }
    return (normalizer, preTokenizer)
  }

  /// The members of a Sequence, or the part itself; a null part has none.
  private func sequence(_ part: JSONValue, _ key: String) -> [JSONValue] {
    if part == .null { return [] }
    guard part.type == "Sequence" else { return [part] }
    return part[key].array ?? [part]
  }

  private func normalizer(_ part: JSONValue) throws(InferenceError) -> Normalizer {
    var result = Normalizer()
    for step in sequence(part, "normalizers") {
      switch step.type {
      case "NFC": result.composes = true
      case "Prepend" where step["prepend"] == .string("▁") || step["prepend"] == .string(" "):
        result.spacePrefix = .eachStretch
      case "Replace" where step["pattern"]["String"] == .string(" ") && step["content"] == .string("▁"):
        result.readsMarksAsSpaces = true
      default: throw unsupported("the normalizer", step, "NFC, Prepend \"▁\" or Replace \" \" by \"▁\"")
      }
    }
    return result
  }

  private func byteLevel(_ part: JSONValue) throws(InferenceError) -> PreTokenizer {
    let steps = sequence(part, "pretokenizers")
    let supported = PreTokenizer.allCases.filter { $0 != .none }.map { "\($0)" }.joined(separator: ", ")
    guard let last = steps.last, last.type == "ByteLevel", last["add_prefix_space"] != .bool(true) else {
      throw unsupported("the pre-tokenizer", part, "that of \(supported)")
    }
    let cutsItself = last["use_regex"] != .bool(false)
    if steps.count == 1, cutsItself { return .gpt2 }
    guard steps.count == 2 else { throw unsupported("the pre-tokenizer", part, "that of \(supported)") }
    if steps[0].type == "Digits", steps[0]["individual_digits"] == .bool(true), cutsItself { return .smollm }
    if steps[0].type == "Split", steps[0]["behavior"] == .string("Isolated"), steps[0]["invert"] != .bool(true),
      !cutsItself, let pattern = steps[0]["pattern"]["Regex"].string,
      let found = PreTokenizer.allCases.first(where: { $0.pattern == pattern })
    {
      return found
    }
    throw unsupported("the pre-tokenizer", steps[0], "that of \(supported)")
  }

  private func readPieces(_ part: JSONValue, _ normalizer: inout Normalizer) throws(InferenceError) {
    for step in sequence(part, "pretokenizers") {
      switch step.type {
      // Gemma's: cuts at spaces, of which the normalizer has left none.
      case "Split"
      where step["pattern"]["String"] == .string(" ") && normalizer.readsMarksAsSpaces
        && normalizer.spacePrefix == .none:
        break
      case "Metaspace"
      where step["replacement"] == .string("▁") && step["split"] == .bool(false) && normalizer.spacePrefix == .none:
        normalizer.readsMarksAsSpaces = true
        switch step["prepend_scheme"].string ?? "always" {
        case "first": normalizer.spacePrefix = .firstUnlessSpaced
        case "always": normalizer.spacePrefix = .eachStretchUnlessSpaced
        case "never": break
        default: throw unsupported("the pre-tokenizer", step, "prepend_scheme first, always or never")
        }
      default: throw unsupported("the pre-tokenizer", step, "none, or Metaspace without split")
      }
    }
  }

  /// The token that the post-processor puts in front of a text, if it does.
  func prefixToken() -> String? {
    for step in sequence(settings["post_processor"] ?? .null, "processors") where step.type == "TemplateProcessing" {
      if let name = step["single"].array?.first?["SpecialToken"]["id"].string { return name }
    }
    return nil
  }

  private func unsupported(_ what: String, _ found: JSONValue, _ supported: String) -> InferenceError {
    .unsupported(path: path, what: what, found: found.summary, supported: supported)
  }
}
