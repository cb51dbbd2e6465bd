import Foundation
import TestSupport
import Testing

@testable import Inference

/// Random small tokenizer.json files, with the ids that the tokenizers library gives random texts: Fixtures/tokenizers/
/// make_random.py makes them, a line a file. CROSSCOPE_TOKENIZERS names a longer list of the same form.
@Suite struct TokenizerFuzzTests {
  struct Sample: Decodable {
    struct Text: Decodable {
      var text: String
      /// With markers as text and as tokens; nil where the library fails.
      var plain: [Int32]?
      var special: [Int32]?
    }
    var seed: Int
    /// The files by name.
    var files: [String: String]
    /// Whether the library reads them.
    var isRead: Bool
    var texts: [Text]
    var chats: [Chat]?
    struct Chat: Decodable {
      var messages: [ChatMessage]
      /// Nil where transformers refuses the chat.
      var ids: [Int32]?
    }
  }

  static var lists: [String] {
    [fixturePath("tokenizers/random.jsonl")]
      + [ProcessInfo.processInfo.environment["CROSSCOPE_TOKENIZERS"]].compactMap { $0 }
  }

  @Test(arguments: lists) func equalsTheLibraryOnRandomFiles(list: String) throws {
    let folder = TemporaryFolder()
    var (read, refused) = (0, 0)
    for line in try Data(contentsOf: URL(fileURLWithPath: list)).split(separator: UInt8(ascii: "\n")) {
      let sample = try JSONDecoder().decode(Sample.self, from: line)
      for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
        try FileManager.default.removeItem(atPath: folder.path + "/" + name)
      }
      for (name, text) in sample.files { _ = try folder.file(name, Array(text.utf8)) }
      let tokenizer: Tokenizer
      do {
        tokenizer = try Tokenizer(folder: folder.path)
      } catch {
        refused += 1
        // Two added tokens that get one id are told apart by chance in the library.
        #expect(!sample.isRead || "\(error)".contains("an id of its own"), "\(sample.seed): \(error)")
        continue
      }
      guard sample.isRead else { continue }
      read += 1
      for chat in sample.chats ?? [] {
        let ids = try? ChatTemplate(folder: folder.path)
          .encode(chat.messages, addGenerationPrompt: true, tokenizer: tokenizer).ids
        #expect(ids == chat.ids, "\(sample.seed), chat: \(chat.messages)")
      }
      for text in sample.texts {
        if let ids = text.plain {
          #expect(
            tokenizer.encode(text.text, parseSpecial: false) == ids,
            "\(sample.seed), plain: \(text.text.debugDescription)")
        }
        if let ids = text.special {
          #expect(
            tokenizer.encode(text.text, parseSpecial: true) == ids,
            "\(sample.seed), special: \(text.text.debugDescription)")
        }
      }
    }
    #expect(read > 70 && read > 20 * refused, "\(read) read, \(refused) refused")
  }
}
