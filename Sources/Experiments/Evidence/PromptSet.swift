// A file of prompts has one JSON object a line, with the text under "prompt" and optionally its kind under "kind". A line that
// is something else is an error that names its number, and so is a file without any prompt.

import Foundation
import Inference

/// A prompt of a set.
package struct SetPrompt: Codable, Sendable, Equatable {
  package var prompt: String
  package var kind: String?

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
