import Foundation
import TestSupport
import Testing

@testable import Inference

/// A text with the ids that the tokenizers library gives it, markers read as text and as markers.
struct ReferenceText: Decodable {
  var text: String
  var plain: [Int32]
  var special: [Int32]
}

@Suite struct TokenizerFamilyTests {
  static func expectEqual(_ tokenizer: Tokenizer, _ texts: [ReferenceText], _ name: String) {
    #expect(texts.count > 90)
    for item in texts {
      #expect(tokenizer.encode(item.text, parseSpecial: false) == item.plain, "\(name): \(item.text.debugDescription)")
      #expect(tokenizer.encode(item.text, parseSpecial: true) == item.special, "\(name): \(item.text.debugDescription)")
    }
  }

  /// Small vocabularies with each family's own cutting and normalizing, and added tokens of every kind.
  @Test(arguments: ["gpt2", "smollm", "llama3", "qwen2", "qwen35", "gemma", "llama2", "metaspace"])
  func equalsTheTokenizersLibrary(name: String) throws {
    let tokenizer = try Tokenizer(folder: fixturePath("tokenizers/\(name)"))
    let texts = try JSONDecoder().decode([ReferenceText].self, from: fixture("tokenizers/\(name)/expected.json"))
    Self.expectEqual(tokenizer, texts, name)
  }

  @Test(arguments: ["gpt2", "smollm", "llama3", "gemma"])
  func decodesWhatItEncodes(name: String) throws {
    let tokenizer = try Tokenizer(folder: fixturePath("tokenizers/\(name)"))
    let texts = try JSONDecoder().decode([ReferenceText].self, from: fixture("tokenizers/\(name)/expected.json"))
    // Markers that swallow white space do not give it back; "▁" comes back as a space.
    let swallowing = ["<|start|>", "<mask>", "<both>", "▁"]
    for item in texts where !swallowing.contains(where: item.text.contains) {
      let ids = tokenizer.encode(item.text, parseSpecial: true)
      #expect(Array(tokenizer.decode(ids).utf8) == Array(item.text.utf8), "\(item.text.debugDescription)")
      var decoder = StreamingDecoder(tokenizer: tokenizer)
      let streamed = ids.map { decoder.append($0) }
      #expect(!streamed.contains { $0.unicodeScalars.contains("\u{FFFD}") })
      #expect(streamed.joined() + decoder.finish() == tokenizer.decode(ids))
    }
  }

  @Test func readsWhatStandsBesideTheTokenizer() throws {
    let gemma = try Tokenizer(folder: fixturePath("tokenizers/gemma"))
    #expect(gemma.beginningOfSequence == 1 && gemma.prefix == [1])
    #expect(gemma.endOfSequence == gemma.controlToken("<|end|>"))
    #expect(gemma.endOfTurnIDs == [1, 5, gemma.endOfSequence ?? -1])
    #expect(gemma.bytes(of: 2) == [0] && gemma.bytes(of: 257) == [0xFF])
    #expect(gemma.isSpecial(1) && !gemma.isSpecial(2))
    let llama = try Tokenizer(folder: fixturePath("tokenizers/llama3"))
    #expect(llama.beginningOfSequence == nil && llama.prefix == [])
    #expect(llama.controlToken("<tool>") == nil && llama.controlToken("<mask>") != nil)
  }

  @Test func fillsTheVocabularyUpToTheModels() throws {
    let folder = try TemporaryFolder(copying: "tokenizers/qwen2")
    let size = try Tokenizer(folder: folder.path).vocabularySize
    _ = try folder.file("config.json", Array(#"{"text_config":{"vocab_size":\#(size + 40)},"eos_token_id":3}"#.utf8))
    let filled = try Tokenizer(folder: folder.path)
    #expect(filled.vocabularySize == size + 40 && filled.endOfTurnIDs.contains(3))
    #expect(filled.bytes(of: Int32(size + 5)) == [])
    // Added tokens beyond the model's embeddings are no tokens of the model.
    _ = try folder.file("config.json", Array(#"{"vocab_size":\#(size - 1)}"#.utf8))
    #expect(try Tokenizer(folder: folder.path).vocabularySize == size - 1)
    _ = try folder.file("config.json", Array(#"{"vocab_size":100}"#.utf8))
    #expect(throws: InferenceError.self) { try Tokenizer(folder: folder.path) }
    _ = try folder.file("config.json", Array(#"{"vocab_size":1e15}"#.utf8))
    #expect(throws: InferenceError.self) { try Tokenizer(folder: folder.path) }
    _ = try folder.file("config.json", Array(#"{"eos_token_id":[-1]}"#.utf8))
    #expect(throws: InferenceError.self) { try Tokenizer(folder: folder.path) }
  }
}

/// Vocabularies of SentencePiece in GGUF files: merges by score, bytes, a space in front.
@Suite struct PieceTokenizerTests {
  let folder = TemporaryFolder()

  func tokenizer(prefix: Bool?, scores: [Float]? = nil) throws -> Tokenizer {
    let words = [
      "<unk>", "<s>", "</s>", "<0x0A>", "<0xC3>", "<0xA9>", "▁", "a", "b", "ab", "▁a", "aa", "▁▁", "<x>", "bb",
    ]
    let kinds: [Int32] = [2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1, 1, 4, 3, 1]
    var builder = GGUFBuilder()
    builder.metadata = [
      ("tokenizer.ggml.model", .string("llama")), ("tokenizer.ggml.tokens", .strings(words)),
      ("tokenizer.ggml.token_type", .int32s(kinds)),
      ("tokenizer.ggml.scores", .float32s(scores ?? [0, 0, 0, 0, 0, 0, -9, -9, -9, -1, -2, -1, -3, 0, -4])),
      ("tokenizer.ggml.bos_token_id", .uint32(1)), ("tokenizer.ggml.eos_token_id", .uint32(2)),
      ("tokenizer.ggml.unknown_token_id", .uint32(0)),
    ]
    if let prefix { builder.metadata.append(("tokenizer.ggml.add_space_prefix", .bool(prefix))) }
    return try Tokenizer(gguf: GGUFFile(path: folder.file("t.gguf", builder.file)))
  }

  @Test func mergesByScoreThenFromTheLeft() throws {
    let tokenizer = try tokenizer(prefix: false)
    #expect(tokenizer.encode("ab", parseSpecial: false) == [9])
    // Equal scores: the leftmost pair first.
    #expect(tokenizer.encode("aab", parseSpecial: false) == [11, 8])
    #expect(tokenizer.encode("a ab", parseSpecial: false) == [7, 6, 9])
    #expect(tokenizer.encode(" a  b▁a", parseSpecial: false) == [10, 12, 8, 10])
    #expect(
      tokenizer.encode(String(repeating: "ab", count: 60), parseSpecial: false) == [Int32](repeating: 9, count: 60))
    #expect(tokenizer.prefix == [1] && tokenizer.beginningOfSequence == 1)
    #expect(tokenizer.endOfTurnIDs == [2])
  }

  @Test func spellsWhatItDoesNotKnow() throws {
    let tokenizer = try tokenizer(prefix: false)
    #expect(tokenizer.encode("é\n", parseSpecial: false) == [4, 5, 3])
    #expect(tokenizer.decode([4, 5, 3]) == "é\n")
    #expect(tokenizer.encode("日", parseSpecial: false) == [0])
    // The names of bytes and markers are plain text.
    #expect(!tokenizer.encode("<0x0A><x>", parseSpecial: false).contains { $0 == 3 || $0 == 13 })
    #expect(tokenizer.encode("a<x>a", parseSpecial: true) == [7, 13, 7])
  }

  @Test func putsASpaceInFrontUnlessTold() throws {
    for prefix in [nil, true] {
      let tokenizer = try tokenizer(prefix: prefix)
      #expect(tokenizer.encode("ab", parseSpecial: false) == [6, 9])
      #expect(tokenizer.encode("a<x>a", parseSpecial: true) == [10, 13, 10])
      #expect(tokenizer.encode("", parseSpecial: true) == [])
    }
  }

  @Test func refusesScoresThatOrderNothing() throws {
    #expect(throws: InferenceError.self) { try tokenizer(prefix: nil, scores: [1]) }
    let error = #expect(throws: InferenceError.self) {
      try tokenizer(prefix: nil, scores: [Float](repeating: 0, count: 14) + [.nan])
    }
    #expect(error.map { "\($0)".contains("entry 14") } ?? false)
  }
}

/// Vocabularies of real models, where they are present.
@Suite struct RealVocabularyTests {
  @Test(.enabled(if: RealModel.gemma != nil, RealModel.gemmaMissing))
  func gemmaEqualsTheTokenizersLibrary() throws {
    let tokenizer = try Tokenizer(gguf: GGUFFile(path: #require(RealModel.gemma)))
    let texts = try JSONDecoder().decode([ReferenceText].self, from: fixture("gemma3-tokens.json"))
    // In a GGUF file the user's own tokens of several spaces are looked for as spaces, in tokenizer.json as "▁".
    TokenizerFamilyTests.expectEqual(tokenizer, texts.filter { !$0.text.contains("▁") }, "gemma")
    #expect(tokenizer.vocabularySize == 262_144)
    #expect(tokenizer.beginningOfSequence == 2 && tokenizer.prefix == [2])
    #expect(tokenizer.endOfTurnIDs == [1, 106])
    #expect(tokenizer.controlToken("<start_of_turn>") == 105)
    let chat = try ChatTemplate(
      text: #require(try knownTemplate("gemma3")), path: "", beginning: "<bos>", today: ChatTemplateFamilyTests.today
    )
    .encode([ChatMessage(role: .user, content: "Hi")], addGenerationPrompt: true, tokenizer: tokenizer)
    #expect(chat.ids == [2, 105, 2364, 107, 10979, 106, 107, 105, 4368, 107])
  }

  /// CROSSCOPE_VOCABULARIES: a folder with llama.cpp's ggml-vocab-*.gguf.
  @Test(
    .enabled(
      if: ProcessInfo.processInfo.environment["CROSSCOPE_VOCABULARIES"] != nil,
      "set CROSSCOPE_VOCABULARIES to the models folder of llama.cpp"),
    arguments: ["llama3": "llama-bpe", "qwen2": "qwen2", "gpt2": "gpt-2"])
  func othersEqualTheTokenizersLibrary(fixtureName: String, file: String) throws {
    let folder = try #require(ProcessInfo.processInfo.environment["CROSSCOPE_VOCABULARIES"])
    let tokenizer = try Tokenizer(gguf: GGUFFile(path: "\(folder)/ggml-vocab-\(file).gguf"))
    let texts = try JSONDecoder().decode([ReferenceText].self, from: fixture("\(fixtureName)-tokens.json"))
    TokenizerFamilyTests.expectEqual(tokenizer, texts, fixtureName)
  }
}

extension TemporaryFolder {
  /// A folder with a copy of the files of a fixture's folder.
  convenience init(copying name: String) throws {
    self.init()
    let from = fixturePath(name)
    for file in try FileManager.default.contentsOfDirectory(atPath: from) {
      try FileManager.default.copyItem(atPath: from + "/" + file, toPath: path + "/" + file)
    }
  }
}
