// A tokenizer.json of Hugging Face's tokenizers library: the vocabulary, merges and added tokens of its BPE model, and
// the rest as JSON for `TokenizerFile+Settings.swift`.
// Refuses: models that are no BPE, ids that are negative, doubled or beyond 2^22, merges of what is no token.
// Source: the library's serialization (tokenizers/src/models/bpe/serialization.rs and tokenizer/serialization.rs).

/// The content of a tokenizer.json.
struct TokenizerFile {
  let path: String
  private(set) var vocabulary = Vocabulary(strings: ByteStrings(), kinds: [], alphabet: .bytes)
  private(set) var merges: [(pair: UInt64, result: Int32)] = []
  private(set) var addedTokens: [AddedToken] = []
  /// Small members of the model: byte_fallback, ignore_merges, unk_token and such.
  private(set) var model: [String: JSONValue] = [:]
  /// The other members of the file: normalizer, pre_tokenizer, post_processor, decoder.
  private(set) var settings: [String: JSONValue] = [:]

  private static let idLimit = 1 << 22
  /// Ids that no token has: models round their vocabularies up, to multiples of 1024 at most.
  private static let gapLimit = 1 << 16
  private static let contentLimit = 1024

  /// Reads the file.
  /// - Parameter vocabularySize: the number of ids of the model, if known: missing ones are filled up, and added tokens
  ///   beyond it, for which the model has no embedding, are left out.
  /// - Throws: `InferenceError.fileUnreadable`, `.fileMalformed`, `.keyMissing` or `.unsupported`.
  init(path: String, vocabularySize: Int?) throws(InferenceError) {
    self.path = path
    let file = try MappedFile(path: path)
    var reader = JSONReader(file.bytes, path: path)
    var parts: [String: Int]?
    var top = try Self.members(&reader) { (reader, key) throws(InferenceError) in
      // Nearly the whole file is the model, which is therefore passed over once only.
      if key == "model" { parts = try Self.members(&reader) } else { try reader.skip() }
    }
    try reader.end()
    top.removeValue(forKey: "model")
    guard var parts else { throw .keyMissing(path: path, key: "model") }
    let addedStart = top.removeValue(forKey: "added_tokens")
    for (key, offset) in top {
      var reader = reader.at(offset)
      settings[key] = try JSONValue(&reader)
    }
    guard let vocabStart = parts.removeValue(forKey: "vocab") else { throw .keyMissing(path: path, key: "model.vocab") }
    guard let mergeStart = parts.removeValue(forKey: "merges") else {
      throw .unsupported(path: path, what: "the tokenizer", found: "without merges", supported: "a BPE model")
    }
    for (key, offset) in parts {
      var reader = reader.at(offset)
      model[key] = try JSONValue(&reader)
    }
    let added: [(token: AddedToken, text: String)]
    if let addedStart {
      var reader = reader.at(addedStart)
      added = try Self.readAdded(&reader)
    } else {
      added = []
    }
    var vocabReader = reader.at(vocabStart)
    try readVocabulary(&vocabReader, added: added, vocabularySize: vocabularySize)
    var mergeReader = reader.at(mergeStart)
    try readMerges(&mergeReader)
    try file.check()
  }

  /// Where the value of each key of the object begins; moves past the object.
  /// - Parameter pass: moves past the value of a key.
  private static func members(
    _ reader: inout JSONReader,
    pass: (inout JSONReader, String) throws(InferenceError) -> Void = { (reader, _) throws(InferenceError) in
      try reader.skip()
    }
  ) throws(InferenceError) -> [String: Int] {
    var members: [String: Int] = [:]
    var text: [UInt8] = []
    try reader.object(&text) { (reader, text) throws(InferenceError) in
      let key = String(decoding: text, as: UTF8.self)
      guard members.updateValue(reader.offset, forKey: key) == nil else {
        throw reader.malformed("each key once", "\(InferenceError.excerpt(key)) twice")
      }
      try pass(&reader, key)
    }
    return members
  }

  private static func readAdded(
    _ reader: inout JSONReader
  ) throws(InferenceError) -> [(token: AddedToken, text: String)] {
    var tokens: [(token: AddedToken, text: String)] = []
    try reader.array { (reader) throws(InferenceError) in
      let value = try JSONValue(&reader)
      guard let text = value["content"].string, let id = value["id"].integer, (0..<idLimit).contains(id),
        text.utf8.count <= contentLimit
      else {
        throw reader.malformed(
          "an added token with content of at most \(contentLimit) bytes and an id from 0 to \(idLimit - 1)",
          value.summary)
      }
      let token = AddedToken(
        id: Int32(id), bytes: Array(text.utf8), isControl: value["special"].bool ?? false,
        stripsLeft: value["lstrip"].bool ?? false, stripsRight: value["rstrip"].bool ?? false,
        isSingleWord: value["single_word"].bool ?? false, isNormalized: value["normalized"].bool ?? false)
      tokens.append((token, text))
    }
    return tokens
  }

  /// Whether the vocabulary writes "▁" and `<0xHH>` rather than GPT-2's alphabet.
  private var isOfPieces: Bool {
    if model["byte_fallback"] == .bool(true) { return true }
    return !["pre_tokenizer", "decoder"].contains { settings[$0]?.holds(type: "ByteLevel") ?? false }
  }

  private mutating func readVocabulary(
    _ reader: inout JSONReader, added: [(token: AddedToken, text: String)], vocabularySize: Int?
  ) throws(InferenceError) {
    // Names by order of the file, then moved to the order of ids.
    var names: [UInt8] = []
    var entries: [(id: Int, end: Int)] = []
    var text: [UInt8] = []
    try reader.object(&text) { (reader, text) throws(InferenceError) in
      names.append(contentsOf: text)
      entries.append((try reader.index(below: Self.idLimit), names.count))
    }
    guard !entries.isEmpty else { throw reader.malformed("a vocabulary", "an empty one") }
    var count = entries.reduce(0) { max($0, $1.id + 1) }
    if let vocabularySize {
      guard count <= vocabularySize, vocabularySize - count <= Self.gapLimit else {
        throw .fileMalformed(
          path: path, place: "model.vocab", expected: "ids up to \(vocabularySize - 1), the vocab_size of config.json",
          found: "ids up to \(count - 1)")
      }
      count = vocabularySize
    }
    let kept = added.filter { vocabularySize == nil || Int($0.token.id) < count }
    count = kept.reduce(count) { max($0, Int($1.token.id) + 1) }
    guard count - entries.count - kept.count <= Self.gapLimit else {
      throw .fileMalformed(
        path: path, place: "model.vocab", expected: "ids without large gaps",
        found: "ids up to \(count - 1) for \(entries.count + kept.count) tokens")
    }
    let alphabet: TokenAlphabet = isOfPieces ? .pieces : .bytes
    var ranges = [Range<Int>?](repeating: nil, count: count)
    var kinds = [TokenKind](repeating: .unused, count: count)
    var start = 0
    for (id, end) in entries {
      defer { start = end }
      guard ranges[id] == nil else {
        throw .fileMalformed(path: path, place: "model.vocab", expected: "each id once", found: "\(id) twice")
      }
      ranges[id] = start..<end
      kinds[id] = .normal
    }
    for (token, _) in kept {
      let id = Int(token.id)
      // The library, too, takes an added token's text for its id.
      ranges[id] = names.count..<names.count + token.bytes.count
      names += token.bytes
      kinds[id] = token.isControl ? .control : .userDefined
    }
    addedTokens = kept.map(\.token)
    vocabulary = Self.vocabulary(
      names, ranges, kinds, alphabet: alphabet, byteFallback: model["byte_fallback"] == .bool(true))
    if let duplicate = vocabulary.duplicate, alphabet == .bytes {
      throw .fileMalformed(
        path: path, place: "model.vocab", expected: "each token once",
        found: "the bytes of id \(duplicate) a second time")
    }
  }

  private static func vocabulary(
    _ names: [UInt8], _ ranges: [Range<Int>?], _ kinds: [TokenKind], alphabet: TokenAlphabet, byteFallback: Bool
  ) -> Vocabulary {
    var kinds = kinds
    var storage: [UInt8] = []
    storage.reserveCapacity(names.count)
    var ends: [Int] = []
    ends.reserveCapacity(kinds.count)
    names.withUnsafeBytes { names in
      for (id, range) in ranges.enumerated() {
        if let range {
          let name = UnsafeRawBufferPointer(rebasing: names[range])
          if byteFallback, kinds[id] == .normal, Vocabulary.byteValue(name) != nil { kinds[id] = .byte }
          Vocabulary.append(name, kind: kinds[id], alphabet: alphabet, to: &storage)
        }
        ends.append(storage.count)
      }
    }
    return Vocabulary(strings: ByteStrings(storage: storage, ends: ends), kinds: kinds, alphabet: alphabet)
  }

  private mutating func readMerges(_ reader: inout JSONReader) throws(InferenceError) {
    var list = MergeList(vocabulary: vocabulary, capacity: vocabulary.count)
    var (left, right): ([UInt8], [UInt8]) = ([], [])
    var rank = 0
    try reader.array { (reader) throws(InferenceError) in
      left.removeAll(keepingCapacity: true)
      right.removeAll(keepingCapacity: true)
      let isMerge: Bool
      if reader.peek() == UInt8(ascii: "\"") {
        try reader.string(into: &left)
        isMerge = left.withUnsafeBytes { list.add(line: $0) }
      } else {
        var position = 0
        try reader.array { (reader) throws(InferenceError) in
          guard position < 2 else { throw reader.malformed("a merge of two tokens", "more") }
          if position == 0 { try reader.string(into: &left) } else { try reader.string(into: &right) }
          position += 1
        }
        isMerge = left.withUnsafeBytes { left in right.withUnsafeBytes { list.add(left, $0) } }
      }
      guard isMerge else {
        let merge = [left, right].map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        throw .fileMalformed(
          path: reader.path, place: "model.merges, entry \(rank)", expected: "two tokens that make a third",
          found: InferenceError.excerpt(merge))
      }
      rank += 1
    }
    merges = list.merges
  }
}
