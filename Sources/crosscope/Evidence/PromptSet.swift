// A file of prompts: one JSON object a line, its text under "prompt", perhaps what kind of prompt it is under "kind".
// Refuses: a line that is something else, naming its number; a file without any prompt.

import Foundation
import Inference

/// A prompt of a set.
struct SetPrompt: Codable, Sendable, Equatable {
  var prompt: String
  var kind: String?

  /// The prompts of a file, blank lines left out.
  /// - Throws: `CommandError.inputInvalid` with the line, `InferenceError` for an unreadable file.
  static func read(_ path: String) throws -> [SetPrompt] {
    let lines = try MappedFile(path: path).contents().split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let prompts = try lines.enumerated().filter { !$0.element.isEmpty }.map { number, line in
      do {
        return try JSONDecoder().decode(SetPrompt.self, from: Data(line))
      } catch {
        throw CommandError.inputInvalid(
          source: "\(path) line \(number + 1)", expected: "a JSON object with \"prompt\"", found: "something else")
      }
    }
    guard !prompts.isEmpty else {
      throw CommandError.inputInvalid(source: path, expected: "at least one prompt", found: "none")
    }
    return prompts
  }
}
