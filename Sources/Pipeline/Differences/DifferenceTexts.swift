// The texts over which two models are compared: files of the user's, or those that ship with the program.

import CCorpus
import Diffing
import Experiments
import Foundation
import Inference

package struct DifferenceTexts {
  /// Plain texts before chats.
  package var texts: [DifferenceText] = []
  /// What was left out, in sentences.
  package var remarks: [String] = []

  /// Reads files. Without any, the texts that ship with the program are taken.
  /// - Parameters:
  ///   - plain: JSON lines with "text" or "messages", or plain texts whose paragraphs, divided by empty lines, are the texts.
  ///   - chats: JSON lines with "messages".
  ///   - tokens: the most tokens of a plain text; a chat may have four times as many.
  ///   - count: the most texts of each half.
  /// - Throws: `InputError.invalid` with file and line; `InferenceError` for an unreadable file.
  package init(plain: [String], chats: [String], tokens: Int, count: Int, engine: Engine) throws {
    var (written, talked): ([String], [[ChatMessage]]) = ([], [])
    for path in plain {
      let (chats, texts) = try Self.read(path)
      written += texts
      talked += chats
    }
    for path in chats { talked += try CorpusReader.readChats(path) }
    if plain.isEmpty, chats.isEmpty { written = try Self.shipped() }
    let vocabulary = engine.models.sharedVocabulary
    let context = engine.model.configuration.contextLength
    var (short, foreign) = (0, 0)
    func add(_ text: DifferenceText) {
      if text.ids.count < 2 {
        short += 1
      } else if text.ids.contains(where: { Int($0) >= vocabulary }) {
        foreign += 1
      } else {
        texts.append(text)
      }
    }
    for text in written.prefix(count) {
      // Nobody needs the tokens of a whole book for the first few of them; a token is at most some dozen characters.
      let start = String(text.prefix(max(1024, 64 * tokens)))
      let ids = engine.beginning + engine.tokenizer.encode(start, parseSpecial: false)
      add(DifferenceText(plain: Array(ids.prefix(min(tokens, context)))))
    }
    for chat in talked.prefix(count) {
      let rendered = try engine.encodeChat(chat, addGenerationPrompt: false)
      add(DifferenceText(chat: rendered, limit: min(4 * tokens, context)))
    }
    if short > 0 {
      remarks.append("The comparison leaves out \(counted(short, "text", "texts")) of fewer than two tokens.")
    }
    if foreign > 0 {
      remarks.append(
        "The comparison leaves out \(counted(foreign, "text", "texts")) with tokens that one of the models lacks.")
    }
    guard !texts.isEmpty else {
      throw InputError.invalid(
        source: (plain + chats).joined(separator: ", "), expected: "at least one text of two tokens", found: "none")
    }
  }

  /// The chats and texts of a file that is either JSON lines or plain.
  private static func read(_ path: String) throws -> (chats: [[ChatMessage]], texts: [String]) {
    let contents = try MappedFile(path: path).contents()
    let first = JSONLine.lines(contents.prefix(1 << 16)).first?.content.first { $0 != UInt8(ascii: " ") }
    if first == UInt8(ascii: "{") { return try CorpusReader.readAll(path) }
    return ([], try DirectionTexts.paragraphs(of: contents, path: path))
  }

  private struct Line: Decodable { let text: String }

  /// The texts inside the program.
  private static func shipped() throws -> [String] {
    var size = 0
    let start = crosscope_texts(&size)
    let bytes = Data(bytes: start, count: size)
    let decoder = JSONDecoder()
    return try JSONLine.lines(bytes).map { try decoder.decode(Line.self, from: $0.content).text }
  }
}
