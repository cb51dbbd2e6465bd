// The tokenizer of a Hugging Face folder: tokenizer.json, and beside it, where present, tokenizer_config.json (the
// beginning and end of a sequence), generation_config.json and config.json (every end of a turn, number of ids).
// Refuses: settings that name tokens which are none.

import Foundation

extension Tokenizer {
  /// Reads the tokenizer of a folder. Costs some hundred milliseconds for 262,144 tokens and half a million merges.
  /// - Throws: `InferenceError.fileUnreadable` without tokenizer.json; `.fileMalformed`, `.keyMissing` or
  ///   `.unsupported`, naming the part.
  public init(folder: String) throws(InferenceError) {
    try self.init(folder: folder, file: folder + "/tokenizer.json")
  }

  /// Reads a tokenizer by itself: a GGUF file's, a folder's, or a tokenizer.json of any name with what lies beside it.
  /// - Throws: as `init(folder:)` and `init(gguf:)`.
  public init(path: String) throws(InferenceError) {
    if path.hasSuffix(".json") {
      try self.init(folder: URL(fileURLWithPath: path).deletingLastPathComponent().path, file: path)
    } else {
      self = try ModelSource(path: path).tokenizer()
    }
  }

  private init(folder: String, file path: String) throws(InferenceError) {
    let config = try Self.optional(folder, "config.json")
    let tokenizerConfig = try Self.optional(folder, "tokenizer_config.json")
    let generation = try Self.optional(folder, "generation_config.json")
    let size = config["vocab_size"].integer ?? config["text_config"]["vocab_size"].integer
    let file = try TokenizerFile(path: path, vocabularySize: size)
    let (normalizer, preTokenizer) = try file.textSettings()
    let vocabulary = file.vocabulary
    func token(_ name: String?, _ path: String, _ key: String) throws(InferenceError) -> Int32? {
      guard let name else { return nil }
      let bytes = Array(name.utf8)
      if let added = file.addedTokens.first(where: { $0.bytes == bytes }) { return added.id }
      if let id = bytes.withUnsafeBufferPointer({ vocabulary.id(of: $0) }) { return id }
      throw .fileMalformed(
        path: path, place: key, expected: "a token of tokenizer.json", found: InferenceError.excerpt(name))
    }
    func name(_ key: String) -> String? {
      tokenizerConfig[key].string ?? tokenizerConfig[key]["content"].string
    }
    let configPath = folder + "/tokenizer_config.json"
    let beginning = try token(
      name("bos_token") ?? file.prefixToken(), configPath, "bos_token")
    let end = try token(name("eos_token"), configPath, "eos_token")
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
    let unknown = try token(file.model["unk_token"]?.string, file.path, "model.unk_token")
    let encoding = BytePairEncoding(
      vocabulary: vocabulary, rule: .pairs(PairTable(file.merges)),
      fallback: BytePairEncoding.Fallback(
        toBytes: file.model["byte_fallback"] == .bool(true), unknown: unknown,
        fusesUnknown: file.model["fuse_unk"] == .bool(true)),
      prefersWhole: file.model["ignore_merges"] == .bool(true))
    self.init(
      vocabulary: vocabulary, encoding: encoding,
      settings: Settings(
        preTokenizer: preTokenizer, normalizer: normalizer, addedTokens: file.addedTokens,
        beginningOfSequence: beginning, endOfSequence: end ?? ends.min(),
        addsBeginningOfSequence: tokenizerConfig["add_bos_token"].bool ?? (file.prefixToken() != nil),
        endOfTurnIDs: ends))
  }

  /// A file of the folder that may be absent.
  private static func optional(_ folder: String, _ name: String) throws(InferenceError) -> JSONValue {
    let path = folder + "/" + name
    return FileManager.default.fileExists(atPath: path) ? try JSONValue(path: path) : .null
  }
}
