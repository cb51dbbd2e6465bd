// A tokenizer.json of Hugging Face's tokenizers library: the vocabulary, merges and added tokens of its BPE model, and
// the rest as JSON for `TokenizerFile+Settings.swift`, all by the tables of FormatTable+Tokenizer.swift. Other models
// than BPE, ids that are negative, doubled or beyond 2^22, and merges of parts that are not tokens are errors. Source:
// the library's serialization (tokenizers/src/models/bpe/serialization.rs and tokenizer/serialization.rs).

/// The content of a tokenizer.json.
struct TokenizerFile {
  let path: String
  /// The names of the model's own tokens, by id.
  private(set) var names = ByteStrings()
  private(set) var merges: [(pair: UInt64, result: Int32)] = []
  /// The added tokens as the file lists them, with the file's ids.
  private(set) var listed: [AddedToken] = []
  /// The tokens that the file adds to the model's; other files of a folder may add more.
  var added = AddedVocabulary(names: ByteStrings(), count: 0)
  /// The small members of the model: byte_fallback, ignore_merges, unk_token and others.
  let model: FieldReader
  /// The other members of the file: normalizer, pre_tokenizer, post_processor, decoder.
  let settings: FieldReader
  private var isName: [Bool] = []

  private static let idLimit = 1 << 22
  /// The most ids without a token: models round their vocabularies up, to multiples of 1024 at most.
  private static let gapLimit = 1 << 16
  private static let contentLimit = 1024

  /// Reads the file.
  /// - Throws: `InferenceError.fileUnreadable`, `.fileMalformed`, `.keyMissing` or `.unsupported`.
  init(path: String) throws(InferenceError) {
    self.path = path
    let file = try MappedFile(path: path)
    var reader = JSONReader(file.bytes, path: path)
    var parts: [String: Int]?
    var top = try Self.members(&reader) { (reader, key) throws(InferenceError) in
      // The model is nearly the whole file, so it is scanned only once.
      if key == "model" { parts = try Self.members(&reader) } else { try reader.skip() }
    }
    try reader.end()
    top.removeValue(forKey: "model")
    guard var parts else { throw .keyMissing(path: path, key: "model") }
    let addedStart = top.removeValue(forKey: "added_tokens")
    guard let vocabStart = parts.removeValue(forKey: "vocab") else { throw .keyMissing(path: path, key: "model.vocab") }
    guard let mergeStart = parts.removeValue(forKey: "merges") else {
      throw .unsupported(path: path, what: "the tokenizer", found: "without merges", supported: "a BPE model")
    }
    settings = try FormatTable.tokenizer.read(Self.values(top, reader), path: path)
    model = try FormatTable.tokenizerModel.read(Self.values(parts, reader), path: path, place: "model")
    var vocabReader = reader.at(vocabStart)
    let count = try readVocabulary(&vocabReader)
    added = AddedVocabulary(names: names, count: count)
    if let addedStart {
      var reader = reader.at(addedStart)
      let list = try JSONValue(&reader)
      guard let tokens = list == .null ? [] : list.array else {
        throw .fileMalformed(path: path, place: "added_tokens", expected: "a list", found: list.kind)
      }
      for token in tokens {
        listed.append(try Self.addedToken(token, path: path, place: "added_tokens"))
        added.add(listed[listed.count - 1])
      }
    }
    var mergeReader = reader.at(mergeStart)
    try readMerges(&mergeReader)
    try file.check()
  }

  private static func values(_ members: [String: Int], _ reader: JSONReader) throws(InferenceError) -> JSONValue {
    var values: [String: JSONValue] = [:]
    for (key, offset) in members {
      var reader = reader.at(offset)
      values[key] = try JSONValue(&reader)
    }
    return .object(values)
  }

  /// Finds where the value of each key of the object begins, and moves past the object.
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

  /// An added token as these files describe it.
  static func addedToken(
    _ value: JSONValue, path: String, place: String
  ) throws(InferenceError) -> AddedToken {
    let fields = try FormatTable.addedToken.read(value, path: path, place: place)
    guard let text = try fields.text("content"), text.utf8.count <= contentLimit else {
      throw fields.wrong("content", "a text of at most \(contentLimit) bytes")
    }
    let isControl = try fields.flag("special") ?? false
    return AddedToken(
      id: fields["id"].integer.flatMap(Int32.init(exactly:)) ?? -1, bytes: Array(text.utf8), isControl: isControl,
      stripsLeft: try fields.flag("lstrip") ?? false,
      stripsRight: try fields.flag("rstrip") ?? false, isSingleWord: try fields.flag("single_word") ?? false,
      isNormalized: try fields.flag("normalized") ?? !isControl)
  }

  /// Whether the vocabulary uses GPT-2's alphabet, or "▁" and `<0xHH>`.
  var alphabet: TokenAlphabet {
    ["pre_tokenizer", "decoder"].contains { settings[$0].holds(type: "ByteLevel") } ? .bytes : .pieces
  }

  /// Reads the names in the order of the file and sorts them by id.
  /// - Returns: the number of names.
  private mutating func readVocabulary(_ reader: inout JSONReader) throws(InferenceError) -> Int {
    var text: [UInt8] = []
    var storage: [UInt8] = []
    var entries: [(id: Int, end: Int)] = []
    try reader.object(&text) { (reader, text) throws(InferenceError) in
      storage.append(contentsOf: text)
      entries.append((try reader.index(below: Self.idLimit), storage.count))
    }
    var ranges: [(id: Int, range: Range<Int>)] = []
    ranges.reserveCapacity(entries.count)
    var start = 0
    for (id, end) in entries {
      ranges.append((id, start..<end))
      start = end
    }
    try arrange(storage, ranges)
    if names.index(where: { isName[$0] }) != nil {
      // If a name comes twice, it has the later id, as in the library.
      var last: [ArraySlice<UInt8>: Int] = [:]
      for (index, entry) in ranges.enumerated() { last[storage[entry.range]] = index }
      ranges = ranges.enumerated().filter { last[storage[$1.range]] == $0 }.map(\.element)
      try arrange(storage, ranges)
      names.index { isName[$0] }
    }
    guard !ranges.isEmpty else { throw reader.malformed("a vocabulary", "an empty one") }
    return ranges.count
  }

  private mutating func arrange(_ storage: [UInt8], _ entries: [(id: Int, range: Range<Int>)]) throws(InferenceError) {
    let count = entries.reduce(0) { max($0, $1.id + 1) }
    guard count - entries.count <= Self.gapLimit else {
      throw .fileMalformed(
        path: path, place: "model.vocab", expected: "ids without large gaps",
        found: "ids up to \(count - 1) for \(entries.count) tokens")
    }
    var ranges = [Range<Int>?](repeating: nil, count: count)
    for (id, range) in entries {
      guard ranges[id] == nil else {
        throw .fileMalformed(path: path, place: "model.vocab", expected: "each id once", found: "\(id) twice")
      }
      ranges[id] = range
    }
    var sorted: [UInt8] = []
    sorted.reserveCapacity(storage.count)
    var ends: [Int] = []
    ends.reserveCapacity(count)
    for range in ranges {
      if let range { sorted += storage[range] }
      ends.append(sorted.count)
    }
    names = ByteStrings(storage: sorted, ends: ends)
    isName = ranges.map { $0 != nil }
  }

  /// The vocabulary with the added tokens.
  /// - Parameter size: the model's number of ids, if known. Missing ids are filled up, and added tokens beyond it are
  ///   left out, because the model has no embedding for them.
  /// - Returns: the vocabulary and the remaining added tokens.
  func vocabulary(size: Int?) throws(InferenceError) -> (Vocabulary, [AddedToken]) {
    var count = names.count
    if let size {
      guard count <= size, size - count <= Self.gapLimit else {
        throw .fileMalformed(
          path: path, place: "model.vocab", expected: "ids up to \(size - 1), the vocab_size of config.json",
          found: "ids up to \(count - 1)")
      }
      count = size
    }
    let kept = added.tokens.filter { size == nil || Int($0.id) < count }
    count = kept.reduce(count) { max($0, Int($1.id) + 1) }
    let spellsBytes = try model.flag("byte_fallback") ?? false
    var kinds = [TokenKind](repeating: .unused, count: count)
    for id in isName.indices where isName[id] {
      let isByte = spellsBytes && names[id].count == 6 && names[id].withUnsafeBytes { Vocabulary.byteValue($0) != nil }
      kinds[id] = isByte ? .byte : .normal
    }
    var extra: [Int32: [UInt8]] = [:]
    var taken: Set<Int> = []
    for token in kept {
      let id = Int(token.id)
      guard taken.insert(id).inserted else {
        throw .fileMalformed(
          path: path, place: "added_tokens", expected: "an id of its own for each, which gaps in model.vocab prevent",
          found:
            "\(id) twice, the second time for \(InferenceError.excerpt(String(decoding: token.bytes, as: UTF8.self)))")
      }
      // A token that gets the id of another name stands for its own text, as in the library.
      if id >= names.count || !names[id].elementsEqual(token.bytes) { extra[token.id] = token.bytes }
      kinds[id] = token.isControl ? .control : .userDefined
    }
    let bytes = (0..<256).map { byte -> Int32 in
      let digits = String(byte, radix: 16, uppercase: true)
      let name = Array("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8)
      return name.withUnsafeBufferPointer { names.find($0) }.map { Int32($0) } ?? -1
    }
    let vocabulary = Vocabulary(names: names, kinds: kinds, alphabet: alphabet, byteTokens: bytes, added: extra)
    return (vocabulary, kept)
  }

  private mutating func readMerges(_ reader: inout JSONReader) throws(InferenceError) {
    var list = MergeList(names: names, capacity: names.count)
    var (left, right): ([UInt8], [UInt8]) = ([], [])
    var rank = 0
    try reader.array { (reader) throws(InferenceError) in
      left.removeAll(keepingCapacity: true)
      right.removeAll(keepingCapacity: true)
      let isMerge: Bool
      if reader.peek() == UInt8(ascii: "\"") {
        try reader.string(into: &left)
        // The library cuts at every space and expects two parts.
        isMerge = left.count { $0 == UInt8(ascii: " ") } == 1 && left.withUnsafeBytes { list.add(line: $0) }
      } else {
        var position = 0
        try reader.array { (reader) throws(InferenceError) in
          guard position < 2 else { throw reader.malformed("a merge of two tokens", "more") }
          if position == 0 { try reader.string(into: &left) } else { try reader.string(into: &right) }
          position += 1
        }
        isMerge = position == 2 && left.withUnsafeBytes { left in right.withUnsafeBytes { list.add(left, $0) } }
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
