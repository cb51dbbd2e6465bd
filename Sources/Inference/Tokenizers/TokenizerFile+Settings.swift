// Interprets the parts of a tokenizer.json by their structure: normalizer, pre_tokenizer, post_processor. A part that
// no known family uses is an error that shows its content.

extension TokenizerFile {
  /// The changes to text, and the way of cutting it.
  func textSettings() throws(InferenceError) -> (Normalizer, Cutter) {
    let part = settings["normalizer"]
    let normalizer = try normalizer(part)
    if alphabet == .bytes { return (normalizer, try byteLevel(settings["pre_tokenizer"])) }
    let cutter = try pieces(settings["pre_tokenizer"], normalizer)
    guard cutter.marksSpaces || normalizer.marksSpaces else {
      throw unsupported("the normalizer", part, "one that replaces \" \" by \"▁\"")
    }
    return (normalizer, cutter)
  }

  /// The tokens that the post-processor puts in front of a text.
  func prefix() throws(InferenceError) -> [Int32] {
    let part = settings["post_processor"]
    var prefix: [Int32] = []
    for step in try steps(part, "post_processor", "processors", FormatTable.postProcessors) {
      guard step.type == "TemplateProcessing" else { continue }
      prefix = []
      for item in try step.fields.list("single") ?? [] {
        guard let name = item["SpecialToken"]["id"].string else { break }
        let ids = step.fields["special_tokens"][name]["ids"].array ?? []
        guard !ids.isEmpty else {
          throw .fileMalformed(
            path: path, place: "post_processor.special_tokens", expected: "the ids of \(InferenceError.excerpt(name))",
            found: step.fields["special_tokens"].summary)
        }
        for id in ids {
          guard let id = id.integer.flatMap(Int32.init(exactly:)), id >= 0 else {
            throw .fileMalformed(
              path: path, place: "post_processor.special_tokens", expected: "ids", found: id.summary)
          }
          prefix.append(id)
        }
      }
    }
    return prefix
  }

  /// A part, or one member of a Sequence.
  private struct Step {
    let type: String
    let fields: FieldReader
  }

  /// The members of a Sequence, or the part itself; a null part has none.
  private func steps(
    _ part: JSONValue, _ place: String, _ key: String, _ tables: [String: FormatTable]
  ) throws(InferenceError) -> [Step] {
    if part == .null { return [] }
    guard let type = part.type, let table = tables[type] else {
      throw unsupported("the \(place.replacing("_", with: "-"))", part, tables.keys.sorted().joined(separator: ", "))
    }
    let fields = try table.read(part, path: path, place: place)
    guard type == "Sequence" else { return [Step(type: type, fields: fields)] }
    var result: [Step] = []
    for (index, step) in (try fields.list(key) ?? []).enumerated() {
      guard step != .null else {
        throw unsupported("the \(place.replacing("_", with: "-"))", part, "parts with a type")
      }
      result += try steps(step, "\(place).\(key)[\(index)]", key, tables)
    }
    return result
  }

  private func normalizer(_ part: JSONValue) throws(InferenceError) -> Normalizer {
    var result = Normalizer()
    for step in try steps(part, "normalizer", "normalizers", FormatTable.normalizers) {
      switch step.type {
      case "NFC": result.steps.append(.compose)
      case "Prepend":
        guard let text = try step.fields.text("prepend") else { throw step.fields.wrong("prepend", "a text") }
        result.steps.append(.prepend(Array(text.utf8)))
      default:
        guard let pattern = step.fields["pattern"]["String"].string, !pattern.isEmpty,
          let content = try step.fields.text("content")
        else { throw step.fields.wrong("pattern", "{\"String\": a text that is not empty} and a content") }
        result.steps.append(.replace(Array(pattern.utf8), by: Array(content.utf8)))
      }
    }
    return result
  }

  private func byteLevel(_ part: JSONValue) throws(InferenceError) -> Cutter {
    let steps = try steps(part, "pre_tokenizer", "pretokenizers", FormatTable.preTokenizers)
    let supported = PreTokenizer.allCases.filter { $0 != .none }.map { "\($0)" }.joined(separator: ", ")
    guard let last = steps.last, last.type == "ByteLevel", steps.count <= 2 else {
      throw unsupported("the pre-tokenizer", part, "that of \(supported)")
    }
    let cutsItself = try last.fields.flag("use_regex") ?? true
    let hasPrefix = try last.fields.flag("add_prefix_space") ?? false
    guard steps.count == 2 else {
      return Cutter(pattern: cutsItself ? .gpt2 : .none, prefix: hasPrefix ? .always : .never)
    }
    guard !hasPrefix else {
      throw unsupported("the pre-tokenizer", part, "add_prefix_space false where text is cut before")
    }
    if steps[0].type == "Digits", steps[0].fields["individual_digits"] == .bool(true), cutsItself {
      return Cutter(pattern: .smollm)
    }
    if steps[0].type == "Split", !cutsItself, try keepsAll(steps[0].fields),
      let pattern = steps[0].fields["pattern"]["Regex"].string,
      let found = PreTokenizer.allCases.first(where: { $0.pattern.map { $0.utf8.elementsEqual(pattern.utf8) } ?? false }
      )
    {
      return Cutter(pattern: found)
    }
    throw unsupported("the pre-tokenizer", part, "that of \(supported)")
  }

  /// Whether a Split whose pattern matches everything keeps all matches.
  private func keepsAll(_ fields: FieldReader) throws(InferenceError) -> Bool {
    let isInverted = try fields.flag("invert") ?? false
    return switch try fields.text("behavior") {
    case "Isolated": true
    case "Removed": isInverted
    default: false
    }
  }

  private func pieces(_ part: JSONValue, _ normalizer: Normalizer) throws(InferenceError) -> Cutter {
    var cutter = Cutter(pattern: .none)
    for step in try steps(part, "pre_tokenizer", "pretokenizers", FormatTable.preTokenizers) {
      switch step.type {
      // This is Gemma's: it cuts at spaces, none of which are left after the normalizer.
      case "Split" where step.fields["pattern"]["String"] == .string(" ") && normalizer.leavesNoSpace: break
      case "Metaspace" where !cutter.marksSpaces:
        let scheme = try step.fields.text("prepend_scheme") ?? Cutter.Prefix.always.rawValue
        guard let prefix = Cutter.Prefix(rawValue: scheme) else {
          throw step.fields.wrong("prepend_scheme", Cutter.Prefix.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard try step.fields.flag("add_prefix_space") ?? true || prefix == .never else {
          throw step.fields.wrong("add_prefix_space", "true, or prepend_scheme never beside it")
        }
        cutter.marksSpaces = true
        cutter.prefix = prefix
        cutter.cutsAtMarks = try step.fields.flag("split") ?? true
      default: throw unsupported("the pre-tokenizer", part, "none, or one Metaspace")
      }
    }
    return cutter
  }

  private func unsupported(_ what: String, _ found: JSONValue, _ supported: String) -> InferenceError {
    .unsupported(path: path, what: what, found: found.summary, supported: supported)
  }
}
