// Texts from which directions are made. A file is JSON lines with "text", "messages" or "prompt", or a plain text whose
// paragraphs, divided by empty lines, are the texts. Prompts are rendered up to the place where the answer begins.

import Diffing
import Experiments
import Foundation
import Inference

package enum DirectionTexts {
  /// The texts of some files, with the tokens that count. A text of which no token counts is left out.
  /// - Parameters:
  ///   - tokens: which tokens count; nil takes the last one of a prompt, an assistant's answer where a chat ends with
  ///     one, and all of a plain text.
  ///   - limit: at most so many texts of each file, evenly from it.
  ///   - longest: the number of tokens at which a text is cut.
  /// - Throws: `InputError.invalid` with file and line, also if nothing is left; `InferenceError` for an unreadable file.
  package static func read(
    _ paths: [String], counting tokens: CountedTokens?, limit: Int?, longest: Int, engine: Engine
  ) throws -> [ReadPositions] {
    let longest = min(longest, engine.model.configuration.contextLength)
    let texts = try paths.flatMap { path -> [ReadPositions] in
      let sources = try sources(path)
      return try sources.spread(limit ?? sources.count).compactMap { source in
        switch source {
        case .plain(let text):
          let ids = engine.beginning + engine.tokenizer.encode(text, parseSpecial: false)
          return ReadPositions(ids: Array(ids.prefix(longest)), counting: tokens ?? .all)
        case .chat(let messages):
          let isAnswered = messages.last?.role == .assistant
          let chat = try engine.encodeChat(messages, addGenerationPrompt: !isAnswered)
          guard isAnswered else {
            // The end of a prompt counts, so a longer one is left out rather than cut.
            return chat.ids.count > longest ? nil : ReadPositions(ids: chat.ids, counting: tokens ?? .last)
          }
          let kept = chat.prefix(longest)
          return ReadPositions(ids: kept.ids, answer: kept.lastAnswer, counting: tokens ?? .answer)
        }
      }
    }
    guard !texts.isEmpty else {
      throw InputError.invalid(
        source: paths.joined(separator: ", "), expected: "at least one text with a token that counts", found: "none")
    }
    return texts
  }

  private enum Source {
    case plain(String)
    case chat([ChatMessage])
  }

  private struct Line: Decodable {
    var text: String?
    var prompt: String?
    var messages: [ChatMessage]?
  }

  private static func sources(_ path: String) throws -> [Source] {
    let contents = try MappedFile(path: path).contents()
    let lines = JSONLine.lines(contents)
    guard lines.first?.content.first(where: { $0 != UInt8(ascii: " ") }) == UInt8(ascii: "{") else {
      return try paragraphs(of: contents, path: path).map { .plain($0) }
    }
    let decoder = JSONDecoder()
    return try lines.map { line in
      let place = "\(path) line \(line.number)"
      let expected = "{\"text\"}, {\"prompt\"} or {\"messages\": [{\"role\", \"content\"}]}"
      let found: Line
      do { found = try decoder.decode(Line.self, from: line.content) } catch let error as DecodingError {
        throw InputError.invalid(source: place, expected: expected, found: error.clause)
      }
      switch (found.text, found.prompt, found.messages) {
      case (let text?, nil, nil): return .plain(text)
      case (nil, let prompt?, nil): return .chat([ChatMessage(role: .user, content: prompt)])
      case (nil, nil, let messages?) where !messages.isEmpty: return .chat(messages)
      default: throw InputError.invalid(source: place, expected: expected, found: "none or several of them")
      }
    }
  }

  /// The paragraphs of a plain text, which empty lines divide.
  /// - Throws: `InputError.invalid` for text that is not UTF-8.
  package static func paragraphs(of contents: Data, path: String) throws -> [String] {
    guard let text = String(data: contents, encoding: .utf8) else {
      throw InputError.invalid(source: path, expected: "text in UTF-8 or JSON lines", found: "other bytes")
    }
    return text.replacing("\r\n", with: "\n").split(separator: "\n\n", omittingEmptySubsequences: true)
      .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
  }
}

extension RenderedChat {
  /// The tokens that the assistant wrote in its last turn.
  fileprivate var lastAnswer: Range<Int>? {
    guard let last = ids.indices.last(where: { roles[$0] == .assistant && !templateMask[$0] }) else { return nil }
    var first = last
    while first > 0, roles[first - 1] == .assistant, !templateMask[first - 1] { first -= 1 }
    return first..<last + 1
  }
}
