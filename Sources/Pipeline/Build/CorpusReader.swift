// Turns a corpus file into tokens. Each line is a JSON object: {"text": …} or {"messages": [{"role", "content"}, …]}. Another
// line is an error that names its number; so are an empty file, and plain text if only chats can be used.

import Diffing
import Experiments
import Foundation
import Inference

package enum CorpusReader {
  private struct Line: Decodable {
    var text: String?
    var messages: [ChatMessage]?
  }

  /// All texts of a file without blank lines. A chat is cut to `limit` tokens, a plain text into pieces of `limit`
  /// tokens.
  /// - Parameter first: how many of the file's lines are read; nil for all.
  /// - Throws: `InputError.invalid` with the line, `InferenceError` for an unreadable file.
  package static func read(
    _ path: String, corpus: Corpus, first: Int? = nil, limit: Int, engine: Engine
  ) throws -> [CorpusText] {
    var texts: [CorpusText] = []
    try forEachLine(path, first: first) { line in
      let rendered: RenderedChat
      switch (line.text, line.messages) {
      case (let text?, nil):
        rendered = RenderedChat(plain: engine.tokenizer.encode(text, parseSpecial: false))
      case (nil, let messages?):
        rendered = try engine.encodeChat(messages, addGenerationPrompt: false)
      default:
        throw Refusal(expected: "either text or messages", found: "both or neither")
      }
      let whole = CorpusText(ids: rendered.ids, templateMask: rendered.templateMask, corpus: corpus)
      // A model that expects a beginning-of-sequence token gets it before every piece; chats bring their own.
      let beginning = corpus == .plain ? engine.beginning : []
      let length = max(1, limit - beginning.count)
      let pieces = corpus == .plain ? stride(from: 0, to: whole.ids.count, by: length).map { $0 } : [0]
      // In a piece of one token no token could be kept.
      texts += pieces.map { whole.piece(from: $0, count: length).after(beginning) }.filter { $0.ids.count > 1 }
    }
    guard !texts.isEmpty else {
      throw InputError.invalid(source: path, expected: "at least one text", found: "none")
    }
    return texts
  }

  /// All chats of a file.
  /// - Throws: `InputError.invalid` with the line, also for a text that is not a chat and for a file without any.
  package static func readChats(_ path: String) throws -> [[ChatMessage]] {
    var chats: [[ChatMessage]] = []
    try forEachLine(path) { line in
      guard let messages = line.messages else { throw Refusal(expected: "messages", found: "none") }
      chats.append(messages)
    }
    guard !chats.isEmpty else {
      throw InputError.invalid(source: path, expected: "at least one chat", found: "none")
    }
    return chats
  }

  /// All chats and all plain texts of a file, as they are written.
  /// - Throws: `InputError.invalid` with the line, also for a file without any.
  package static func readAll(_ path: String) throws -> (chats: [[ChatMessage]], texts: [String]) {
    var (chats, texts): ([[ChatMessage]], [String]) = ([], [])
    try forEachLine(path) { line in
      switch (line.text, line.messages) {
      case (let text?, nil): texts.append(text)
      case (nil, let messages?): chats.append(messages)
      default: throw Refusal(expected: "either text or messages", found: "both or neither")
      }
    }
    guard !chats.isEmpty || !texts.isEmpty else {
      throw InputError.invalid(source: path, expected: "at least one text", found: "none")
    }
    return (chats, texts)
  }

  /// The fault of a line; its place is added later.
  private struct Refusal: Error {
    let expected, found: String
  }

  private static func forEachLine(_ path: String, first: Int? = nil, _ body: (Line) throws -> Void) throws {
    let file = try MappedFile(path: path)
    let decoder = JSONDecoder()
    for line in JSONLine.lines(try file.contents()).prefix(first ?? .max) {
      let place = "\(path) line \(line.number)"
      do {
        try body(try decoder.decode(Line.self, from: line.content))
      } catch let error as DecodingError {
        throw InputError.invalid(
          source: place, expected: "{\"text\"} or {\"messages\": [{\"role\", \"content\"}]}", found: error.clause)
      } catch InferenceError.settingInvalid(let name, let expected, let found) {
        // The template refused the chat.
        throw InputError.invalid(source: place, expected: "\(name) \(expected)", found: found)
      } catch let refusal as Refusal {
        throw InputError.invalid(source: place, expected: refusal.expected, found: refusal.found)
      }
    }
  }
}
