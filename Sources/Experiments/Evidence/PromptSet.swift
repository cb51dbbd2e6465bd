// A file of prompts: one JSON object a line, its text under "prompt", perhaps what kind of prompt it is under "kind".
// Owns: reading one, choosing some of it, finding those beside a store. Refuses: a line that is something else, naming
// its number; a file without any prompt.

import Foundation
import Inference

/// A prompt of a set.
package struct SetPrompt: Codable, Sendable, Equatable {
  package var prompt: String
  package var kind: String?

  /// The prompts of a file, blank lines left out.
  /// - Throws: `InputError.invalid` with the line, `InferenceError` for an unreadable file.
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
  /// At most so many of them, evenly from the whole.
  package func spread(_ most: Int) -> [Element] {
    let chosen = Swift.min(most, count)
    return (0..<chosen).map { self[$0 * count / chosen] }
  }
}

/// A file that holds a set of prompts.
package struct PromptSetFile: Sendable, Equatable {
  /// Without folder and ending.
  package var name: String
  package var path: String
  package var count: Int

  /// The sets in folders named `prompts`, in the store's folder or the one above it; files that are none are left out.
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
