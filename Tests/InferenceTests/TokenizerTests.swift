import Foundation
import TestSupport
import Testing

@testable import Inference

/// A text with the ids that a reference gives it.
struct TokenisedText: Decodable {
  var text: String
  var ids: [Int32]
}

@Suite(.enabled(if: RealModel.path != nil, RealModel.missing))
struct TokenizerParityTests {
  struct Reference: Decodable {
    var plain: [TokenisedText]
    var chat: [TokenisedText]
  }
  struct More: Decodable {
    var plain: [TokenisedText]
    var special: [TokenisedText]
  }

  static let real: Result<Tokenizer, any Error> = Result {
    try Tokenizer(gguf: GGUFFile(path: RealModel.path ?? ""))
  }
  let tokenizer: Tokenizer

  init() throws { tokenizer = try Self.real.get() }

  @Test func equalsTransformersAndLlamaCppOnEveryText() throws {
    let reference = try JSONDecoder().decode(Reference.self, from: fixture("smollm2-tokens.json"))
    #expect(reference.plain.count == 74 && reference.chat.count == 2)
    for item in reference.plain {
      #expect(tokenizer.encode(item.text, parseSpecial: false) == item.ids, "\(item.text.debugDescription)")
      #expect(Array(tokenizer.decode(item.ids).utf8) == Array(item.text.utf8))
    }
    for item in reference.chat {
      #expect(tokenizer.encode(item.text, parseSpecial: true) == item.ids, "\(item.text.debugDescription)")
    }
  }

  @Test func equalsTheTokenizersLibraryOnMoreTexts() throws {
    let more = try JSONDecoder().decode(More.self, from: fixture("smollm2-tokens-more.json"))
    for item in more.plain {
      #expect(tokenizer.encode(item.text, parseSpecial: false) == item.ids, "\(item.text.debugDescription)")
    }
    for item in more.special {
      #expect(tokenizer.encode(item.text, parseSpecial: true) == item.ids, "\(item.text.debugDescription)")
    }
  }

  @Test func knowsItsSpecialTokens() {
    #expect(tokenizer.vocabularySize == 49_152)
    #expect(tokenizer.beginningOfSequence == 1)
    #expect(tokenizer.endOfSequence == 2)
    #expect(tokenizer.endOfTurnIDs == [0, 2])
    #expect(tokenizer.isSpecial(2) && tokenizer.isSpecial(16) && !tokenizer.isSpecial(17))
    #expect(!tokenizer.isSpecial(-1) && !tokenizer.isSpecial(49_152))
    #expect(tokenizer.controlToken("<|im_start|>") == 1)
    #expect(tokenizer.controlToken("user") == nil)
    #expect(tokenizer.decode([1, -5, .max]) == "<|im_start|>\u{FFFD}\u{FFFD}")
  }

  @Test func leavesSpecialTokensInPlainTextAlone() {
    let ids = tokenizer.encode("<|im_end|>", parseSpecial: false)
    #expect(!ids.contains { tokenizer.isSpecial($0) })
    #expect(tokenizer.decode(ids) == "<|im_end|>")
    #expect(tokenizer.encode("<|im_end|>", parseSpecial: true) == [2])
    #expect(tokenizer.encode("", parseSpecial: true) == [])
  }

  @Test func decodesWhatItEncodes() {
    var generator = SeededGenerator(11)
    // Bytes that SmolLM2 has no token for: some control characters, and the lead bytes of planes 4 to 11.
    let missing: Set<UInt32> = [0x04, 0x06, 0x13, 0x14, 0x16, 0x1D]
    for _ in 0..<400 {
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...60, using: &generator) {
        let limit: UInt32 = [0x80, 0x800, 0x3000, 0x10000, 0x3FFFF].randomElement(using: &generator) ?? 0x80
        guard let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) else { continue }
        if !missing.contains(scalar.value) { text.append(scalar) }
      }
      let string = String(text)
      for parseSpecial in [false, true] {
        let decoded = tokenizer.decode(tokenizer.encode(string, parseSpecial: parseSpecial))
        #expect(Array(decoded.utf8) == Array(string.utf8), "\(string.debugDescription)")
      }
    }
  }

  @Test func leavesOutBytesThatTheVocabularyLacks() {
    #expect(tokenizer.encode("\u{4}", parseSpecial: false) == [])
    #expect(tokenizer.decode(tokenizer.encode("a\u{4}b", parseSpecial: false)) == "ab")
  }

  @Test func streamsWholeCharacters() {
    let text = "Grüße, 日本 👩‍👩‍👧 ok"
    var decoder = StreamingDecoder(tokenizer: tokenizer)
    var streamed: [UInt8] = []
    for id in tokenizer.encode(text, parseSpecial: false) {
      let piece = decoder.append(id)
      #expect(!piece.unicodeScalars.contains("\u{FFFD}"))
      streamed += Array(piece.utf8)
    }
    #expect(decoder.finish() == "")
    #expect(streamed == Array(text.utf8))
  }
}

@Suite struct TokenizerTests {
  let folder = TemporaryFolder()

  /// A vocabulary of all bytes, a few merges, one control and one user-defined token.
  static var small: GGUFBuilder {
    var builder = GGUFBuilder()
    let letters = ["a", "b", "c", "Ġ", "1", "!", "Ċ"]
    let merges = ["a b", "ab c", "Ġ a", "a a", "aa aa", "b c"]
    let merged = ["ab", "abc", "Ġa", "aa", "aaaa", "bc"]
    let added = ["<|x|>", "<tool>", "<tool>s"]
    let tokens = letters + merged + added
    builder.metadata = [
      ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.pre", .string("smollm")),
      ("tokenizer.ggml.tokens", .strings(tokens)),
      ("tokenizer.ggml.token_type", .int32s([Int32](repeating: 1, count: 13) + [3, 4, 4])),
      ("tokenizer.ggml.merges", .strings(merges)), ("tokenizer.ggml.eos_token_id", .uint32(13)),
    ]
    return builder
  }

  func tokenizer(_ builder: GGUFBuilder) throws -> Tokenizer {
    try Tokenizer(gguf: GGUFFile(path: folder.file("t.gguf", builder.file)))
  }

  func refusal(_ key: String, _ value: GGUFBuilder.Value?) throws -> String {
    var builder = Self.small
    builder.metadata.removeAll { $0.0 == key }
    if let value { builder.metadata.append((key, value)) }
    let error = #expect(throws: InferenceError.self) { try tokenizer(builder) }
    return error.map(String.init(describing:)) ?? "accepted"
  }

  @Test func mergesByRankThenFromTheLeft() throws {
    let tokenizer = try tokenizer(Self.small)
    #expect(tokenizer.encode("abc", parseSpecial: false) == [8])
    #expect(tokenizer.encode("bc", parseSpecial: false) == [12])
    #expect(tokenizer.encode("aab", parseSpecial: false) == [0, 7])
    #expect(tokenizer.encode("aaa", parseSpecial: false) == [10, 0])
    #expect(tokenizer.encode("c a", parseSpecial: false) == [2, 9])
    #expect(tokenizer.beginningOfSequence == nil)
    #expect(tokenizer.endOfTurnIDs == [13])
  }

  /// Long pieces go through another algorithm than short ones.
  @Test func mergesLongPiecesAsTheDefinitionSays() throws {
    let gguf = try GGUFFile(path: folder.file("t.gguf", Self.small.file))
    let vocabulary = try Vocabulary(gguf: gguf, alphabet: .bytes)
    let encoding = try BytePairEncoding(gguf: gguf, vocabulary: vocabulary)
    let merges: [[Int32]] = [[0, 1, 7], [7, 2, 8], [3, 0, 9], [0, 0, 10], [10, 10, 11], [1, 2, 12]]
    func byDefinition(_ text: String) -> [Int32] {
      var ids = text.utf8.map { Int32($0 - UInt8(ascii: "a")) }
      for _ in 0..<ids.count {
        for merge in merges {
          guard let at = ids.indices.dropLast().first(where: { ids[$0] == merge[0] && ids[$0 + 1] == merge[1] })
          else { continue }
          ids.replaceSubrange(at...at + 1, with: [merge[2]])
          break
        }
      }
      return ids
    }
    var generator = SeededGenerator(5)
    var workspace = BytePairEncoding.Workspace()
    for length in Array(0...70) + [200, 333] {
      let text = String((0..<length).map { _ in ["a", "b", "c"].randomElement(using: &generator) ?? "a" })
      var ids: [Int32] = []
      Array(text.utf8).withUnsafeBufferPointer { encoding.encode($0, &workspace) { id, _ in ids.append(id) } }
      #expect(ids == byDefinition(text), "\(text)")
    }
  }

  @Test func cutsOutAddedTokensLongestFirst() throws {
    let tokenizer = try tokenizer(Self.small)
    #expect(tokenizer.encode("a<|x|>b", parseSpecial: true) == [0, 13, 1])
    #expect(tokenizer.encode("a<|x|>b", parseSpecial: false) == [0, 1])
    #expect(tokenizer.encode("<tool>s<tool>a", parseSpecial: false) == [15, 14, 0])
    #expect(tokenizer.encode("<tool>s<tool>a", parseSpecial: true) == [15, 14, 0])
  }

  @Test func refusesTokenizersItDoesNotKnow() throws {
    #expect(try refusal("tokenizer.ggml.model", .string("t5")).contains("tokenizer t5 is not supported"))
    #expect(
      try refusal("tokenizer.ggml.pre", .string("command-r")).contains("pre-tokenizer command-r is not supported"))
    #expect(try refusal("tokenizer.ggml.model", nil).contains("no metadata key tokenizer.ggml.model"))
    #expect(try refusal("tokenizer.ggml.tokens", nil).contains("no metadata key tokenizer.ggml.tokens"))
    #expect(try refusal("tokenizer.ggml.tokens", .strings([])).contains("at least one token"))
    #expect(try refusal("tokenizer.ggml.token_type", .int32s([1])).contains("expected 16 entries, found 1"))
    #expect(try refusal("tokenizer.ggml.token_type", .int32s([Int32](repeating: 9, count: 16))).contains("1 to 6"))
    #expect(try refusal("tokenizer.ggml.merges", .strings(["a x"])).contains("entry 0"))
    #expect(try refusal("tokenizer.ggml.merges", .strings(["a b", "ab"])).contains("entry 1"))
    #expect(try refusal("tokenizer.ggml.merges", .strings(["a c"])).contains("entry 0"))
    #expect(try refusal("tokenizer.ggml.merges", .strings([" "])).contains("entry 0"))
    #expect(try refusal("tokenizer.ggml.eos_token_id", .uint32(16)).contains("an id below 16, found 16"))
  }

  @Test func cutsTextAsThePatternDoes() {
    func pieces(_ text: String) -> [String] {
      var result: [String] = []
      let bytes = Array(text.utf8)
      bytes.withUnsafeBufferPointer { buffer in
        PreTokenizer.smollm.split(buffer) { result.append(String(decoding: bytes[$0], as: UTF8.self)) }
      }
      return result
    }
    #expect(pieces("") == [])
    #expect(pieces("I'm we'll 'tis don'T") == ["I", "'m", " we", "'ll", " '", "tis", " don", "'", "T"])
    #expect(pieces("a  b") == ["a", " ", " b"])
    #expect(pieces("a  1 2") == ["a", "  ", "1", " ", "2"])
    #expect(pieces("a \n\n b ") == ["a", " \n\n", " b", " "])
    #expect(pieces("\n\nx") == ["\n", "\n", "x"])
    #expect(pieces("x²½Ⅷ") == ["x", "²", "½", "Ⅷ"])
    #expect(pieces("…“a”é") == ["…“", "a", "”", "é"])
    #expect(pieces("'") == ["'"])
    #expect(pieces("'r") == ["'", "r"])
  }
}

@Suite struct StreamingDecoderTests {
  let folder = TemporaryFolder()

  /// Any way of cutting any bytes, valid or not, gives what decoding the whole gives.
  @Test func anySplitEqualsTheWhole() throws {
    let tokenizer = try Tokenizer(gguf: GGUFFile(path: folder.file("t.gguf", TokenizerTests.small.file)))
    var generator = SeededGenerator(3)
    let parts: [[UInt8]] = [
      Array("a".utf8), Array("é".utf8), Array("日".utf8), Array("😀".utf8), [0xF0], [0x9F], [0xE2, 0x82], [0xC0, 0x80],
      [0xED, 0xA0, 0x80], [0xF4, 0x90], [0xF5], [0xE0, 0x9F], [0xFF], [0x80], [0xF0, 0x80], [0xF1, 0x80, 0x80],
    ]
    for _ in 0..<3000 {
      let bytes = (0..<Int.random(in: 0...6, using: &generator)).flatMap { _ in
        parts.randomElement(using: &generator) ?? []
      }
      var decoder = StreamingDecoder(tokenizer: tokenizer)
      var streamed: [UInt8] = []
      var start = 0
      while start < bytes.count {
        let end = Int.random(in: start + 1...min(bytes.count, start + 4), using: &generator)
        streamed += Array(decoder.append(bytes: Array(bytes[start..<end])).utf8)
        start = end
      }
      streamed += Array(decoder.finish().utf8)
      #expect(streamed == Array(String(decoding: bytes, as: UTF8.self).utf8), "\(bytes)")
    }
  }

  @Test func holdsBackUnfinishedCharactersOnly() throws {
    let tokenizer = try Tokenizer(gguf: GGUFFile(path: folder.file("t.gguf", TokenizerTests.small.file)))
    var decoder = StreamingDecoder(tokenizer: tokenizer)
    #expect(decoder.append(bytes: [0x61, 0xF0, 0x9F]) == "a")
    #expect(decoder.append(bytes: [0x98]) == "")
    #expect(decoder.append(bytes: [0x80]) == "😀")
    #expect(decoder.append(bytes: [0xE6, 0x97]) == "")
    #expect(decoder.finish() == "\u{FFFD}")
    #expect(decoder.finish() == "")
  }
}
