// The tokenizer of a Hugging Face folder. It is read from tokenizer.json, the files that `TokenizerFolder` reads,
// generation_config.json and config.json (ends of turns, number of ids), as far as they exist.

import Foundation

extension Tokenizer {
  /// Reads the tokenizer of a folder. This takes some hundred milliseconds for 262,144 tokens and half a million
  /// merges.
  /// - Throws: `InferenceError.fileUnreadable` if tokenizer.json is missing; `.fileMalformed`, `.keyMissing` or
  ///   `.unsupported`, which name the part.
  public init(folder: String) throws(InferenceError) {
    try self.init(folder: folder, file: folder + "/tokenizer.json")
  }

  /// Reads a tokenizer without a model: that of a GGUF file, of a folder, or a tokenizer.json of any name with the
  /// files beside it.
  /// - Throws: the errors of `init(folder:)` and `init(gguf:)`.
  public init(path: String) throws(InferenceError) {
    if path.hasSuffix(".json") {
      try self.init(folder: URL(fileURLWithPath: path).deletingLastPathComponent().path, file: path)
    } else {
      self = try ModelSource(path: path).tokenizer()
    }
  }

  /// The text of the token that begins a sequence, if the folder's files name one.
  static func beginning(folder: String) throws(InferenceError) -> String? {
    try TokenizerFolder(path: folder).beginning.map { String(decoding: $0, as: UTF8.self) }
  }

  private init(folder: String, file path: String) throws(InferenceError) {
    let config = try TokenizerFolder.optional(folder, "config.json")
    let generation = try FormatTable.generationConfig.read(
      try TokenizerFolder.optional(folder, "generation_config.json"), path: folder + "/generation_config.json")
    let size = config["vocab_size"].integer ?? config["text_config"]["vocab_size"].integer
    var file = try TokenizerFile(path: path)
    let beside = try TokenizerFolder(path: folder)
    beside.add(to: &file)
    let (normalizer, cutter) = try file.textSettings()
    let (vocabulary, added) = try file.vocabulary(size: size)
    func id(_ name: [UInt8]?) -> Int32? {
      name.flatMap { file.added.id(of: $0) }.flatMap { vocabulary.has($0) ? $0 : nil }
    }
    let end = id(beside.end)
    var ends = Set([end].compactMap { $0 })
    for (value, name) in [
      (generation["eos_token_id"], "generation_config.json"), (config["eos_token_id"], "config.json"),
      (config["text_config"]["eos_token_id"], "config.json"),
    ] {
      for id in value.array ?? [value] where id != .null {
        guard let number = id.integer.flatMap(Int32.init(exactly:)), vocabulary.has(number) else {
          throw .fileMalformed(
            path: folder + "/" + name, place: "eos_token_id", expected: "ids below \(vocabulary.count)",
            found: id.summary)
        }
        ends.insert(number)
      }
    }
    let prefix = try file.prefix()
    if let id = prefix.first(where: { !vocabulary.has($0) }) {
      throw .fileMalformed(
        path: path, place: "post_processor.special_tokens", expected: "ids below \(vocabulary.count)", found: "\(id)")
    }
    self.init(
      vocabulary: vocabulary, encoding: try Self.encoding(file, vocabulary),
      settings: Settings(
        cutter: cutter, normalizer: normalizer, addedTokens: added, beginningOfSequence: id(beside.beginning),
        endOfSequence: end ?? ends.min(), prefix: prefix, endOfTurnIDs: ends))
  }

  private static func encoding(
    _ file: TokenizerFile, _ vocabulary: Vocabulary
  ) throws(InferenceError) -> BytePairEncoding {
    let name = try file.model.text("unk_token")
    // Only the model's own vocabulary is searched, as in the library.
    let unknown = name.flatMap { Array($0.utf8).withUnsafeBufferPointer { vocabulary.id(of: $0) } }
    let encoding = BytePairEncoding(
      vocabulary: vocabulary, rule: .pairs(PairTable(file.merges)),
      fallback: BytePairEncoding.Fallback(
        toBytes: try file.model.flag("byte_fallback") ?? false, unknown: unknown,
        fusesUnknown: try file.model.flag("fuse_unk") ?? false),
      prefersWhole: try file.model.flag("ignore_merges") ?? false)
    guard name == nil || unknown != nil || encoding.spellsEverything else {
      throw file.model.wrong("unk_token", "a token of model.vocab")
    }
    return encoding
  }
}
