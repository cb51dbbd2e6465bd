// Texts of a corpus file to tokens. One JSON object a line: {"text": …} or {"messages": [{"role", "content"}, …]}.
// Refuses: a line that is neither, naming its number; an empty file.

import Diffing
import Foundation
import Inference

enum CorpusReader {
  private struct Line: Decodable {
    var text: String?
    var messages: [ChatMessage]?
  }

  /// All texts of a file, blank lines left out. A chat is cut to `limit` tokens, a plain text into pieces of so many.
  /// - Throws: `CommandError.inputInvalid` with the line, `InferenceError` for an unreadable file.
  static func read(_ path: String, corpus: Corpus, limit: Int, engine: Engine) throws -> [CorpusText] {
    let file = try MappedFile(path: path)
    let decoder = JSONDecoder()
    var texts: [CorpusText] = []
    for (number, line) in file.contents().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated() where !line.isEmpty
    {
      let rendered: RenderedChat
      do {
        let parsed = try decoder.decode(Line.self, from: Data(line))
        switch (parsed.text, parsed.messages) {
        case (let text?, nil):
          rendered = RenderedChat(plain: engine.tokenizer.encode(text, parseSpecial: false))
        case (nil, let messages?):
          guard let template = engine.chatTemplate else {
            throw InferenceError.unsupported(
              path: engine.modelPath, what: "a chat corpus with", found: "no chat template", supported: "one")
          }
          rendered = try template.encode(messages, addGenerationPrompt: false, tokenizer: engine.tokenizer)
        default:
          throw CommandError.inputInvalid(
            source: "\(path) line \(number + 1)", expected: "either text or messages", found: "both or neither")
        }
      } catch let error as DecodingError {
        throw CommandError.inputInvalid(
          source: "\(path) line \(number + 1)", expected: "{\"text\"} or {\"messages\": [{\"role\", \"content\"}]}",
          found: error.clause)
      }
      let whole = CorpusText(ids: rendered.ids, templateMask: rendered.templateMask, corpus: corpus)
      let pieces = corpus == .plain ? stride(from: 0, to: whole.ids.count, by: limit).map { $0 } : [0]
      // A piece of one token has no token that could be kept.
      texts += pieces.map { whole.piece(from: $0, count: limit) }.filter { $0.ids.count > 1 }
    }
    guard !texts.isEmpty else {
      throw CommandError.inputInvalid(source: path, expected: "at least one text", found: "none")
    }
    return texts
  }
}
