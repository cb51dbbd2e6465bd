// Reads the merges of a GGUF file: tokenizer.ggml.merges for a byte-level vocabulary, tokenizer.ggml.scores for a
// SentencePiece one.

extension BytePairEncoding {
  /// Reads `tokenizer.ggml.merges`: lines of "left right", of which the first has the lowest rank.
  /// - Throws: `InferenceError.fileMalformed` for a merge whose parts or result are not tokens.
  init(gguf: GGUFFile, vocabulary: Vocabulary, prefersWhole: Bool = false) throws(InferenceError) {
    let lines = try gguf.strings("tokenizer.ggml.merges")
    defer { withExtendedLifetime(lines.file) {} }
    var list = MergeList(names: vocabulary.names, capacity: lines.count)
    for rank in 0..<lines.count {
      guard list.add(line: lines.bytes(rank)) else {
        throw .fileMalformed(
          path: gguf.path, place: "tokenizer.ggml.merges, entry \(rank)", expected: "two tokens that make a third",
          found: InferenceError.excerpt(lines[rank]))
      }
    }
    self.init(vocabulary: vocabulary, rule: .pairs(PairTable(list.merges)), prefersWhole: prefersWhole)
  }

  /// Reads `tokenizer.ggml.scores`.
  /// - Throws: `InferenceError.fileMalformed` if the list has another length or a score is not finite.
  init(scoresOf gguf: GGUFFile, vocabulary: Vocabulary, unknown: Int32?) throws(InferenceError) {
    let key = "tokenizer.ggml.scores"
    let scores = try gguf.floats(key)
    guard scores.count == vocabulary.count else {
      throw .fileMalformed(
        path: gguf.path, place: key, expected: "\(vocabulary.count) entries", found: "\(scores.count)")
    }
    if let index = scores.firstIndex(where: { !$0.isFinite }) {
      throw .fileMalformed(
        path: gguf.path, place: "\(key), entry \(index)", expected: "a finite number", found: "\(scores[index])")
    }
    self.init(
      vocabulary: vocabulary, rule: .scores(MergeRule.keys(scores)), fallback: Fallback(toBytes: true, unknown: unknown)
    )
  }
}
