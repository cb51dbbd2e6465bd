// A file of prompts has one JSON object a line, with the text under "prompt" and optionally its kind under "kind" and what was
// said before it under "turns". A line that is something else is an error that names its number, and so is a file without any
// prompt.

import Foundation
import Inference

/// A prompt of a set.
package struct SetPrompt: Codable, Sendable, Equatable {
  package var prompt: String
  package var kind: String?
  /// The messages before the prompt; nil where it opens the chat.
  package var turns: [ChatMessage]?

  /// The chat that ends with the prompt.
  package var messages: [ChatMessage] { (turns ?? []) + [ChatMessage(role: .user, content: prompt)] }

  package init(prompt: String, kind: String? = nil, turns: [ChatMessage]? = nil) {
    (self.prompt, self.kind, self.turns) = (prompt, kind, turns)
  }

  private enum CodingKeys: CodingKey { case prompt, kind, turns, messages }

  /// A line says the prompt and maybe the turns before it, or the whole chat as `messages`, whose last one is the prompt.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    let kind = try fields.decodeIfPresent(String.self, forKey: .kind)
    guard let messages = try fields.decodeIfPresent([ChatMessage].self, forKey: .messages) else {
      self.init(
        prompt: try fields.decode(String.self, forKey: .prompt), kind: kind,
        turns: try fields.decodeIfPresent([ChatMessage].self, forKey: .turns))
      return
    }
    guard let last = messages.last, last.role == .user else {
      throw DecodingError.dataCorruptedError(
        forKey: .messages, in: fields, debugDescription: "the last message should be the user's")
    }
    let before = Array(messages.dropLast())
    self.init(prompt: last.content, kind: kind, turns: before.isEmpty ? nil : before)
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(prompt, forKey: .prompt)
    try fields.encodeIfPresent(kind, forKey: .kind)
    try fields.encodeIfPresent(turns, forKey: .turns)
  }

  /// Reads the prompts of a file and skips blank lines.
  /// - Throws: `InputError.invalid` with the number of the line, `InferenceError` for an unreadable file.
  package static func read(_ path: String) throws -> [SetPrompt] {
    let prompts = try JSONLine.lines(MappedFile(path: path).contents()).map { line in
      do {
        return try JSONDecoder().decode(SetPrompt.self, from: line.content)
      } catch {
        throw InputError.invalid(
          source: "\(path) line \(line.number)", expected: "a JSON object with \"prompt\"", found: "something else")
      }
    }
    guard !prompts.isEmpty else {
      throw InputError.invalid(source: path, expected: "at least one prompt", found: "none")
    }
    return prompts
  }
}

extension SetPrompt {
  /// The prompts of a file that are of one of these kinds; nil for all.
  /// - Throws: `InputError.invalid` also if there are none.
  package static func read(_ path: String, kinds: [String]?) throws -> [SetPrompt] {
    let all = try read(path)
    guard let kinds else { return all }
    let chosen = all.filter { $0.kind.map(kinds.contains) ?? false }
    guard !chosen.isEmpty else {
      throw InputError.invalid(
        source: path, expected: "prompts of the kind \(kinds.joined(separator: " or "))", found: "none")
    }
    return chosen
  }
}

extension Array {
  /// At most this many elements, spread evenly over the whole array.
  package func spread(_ most: Int) -> [Element] {
    let chosen = Swift.min(most, count)
    return (0..<chosen).map { self[$0 * count / chosen] }
  }
}

/// A file that holds a set of prompts.
package struct PromptSetFile: Sendable, Equatable {
  /// The file's name without folder and extension.
  package var name: String
  package var path: String
  package var count: Int

  /// The sets in folders named `prompts` in the store's folder or the one above it; other files are left out.
  package static func beside(store path: String) -> [PromptSetFile] {
    let folder = URL(filePath: path).deletingLastPathComponent()
    return [folder, folder.deletingLastPathComponent()].flatMap { place in
      let prompts = place.appending(path: "prompts").path
      let names = (try? FileManager.default.contentsOfDirectory(atPath: prompts)) ?? []
      return names.filter { $0.hasSuffix(".jsonl") }.sorted().compactMap { name -> PromptSetFile? in
        let path = prompts + "/" + name
        guard let prompts = try? SetPrompt.read(path) else { return nil }
        return PromptSetFile(name: String(name.dropLast(".jsonl".count)), path: path, count: prompts.count)
      }
    }
  }
}
