// The file of finished prompts lies beside the report that is being made, so that a run that was killed can resume. It has one
// JSON line for each prompt with the hash of all settings, so that prompts of other settings are never mixed in.

import Foundation
import Glibc
import Inference

/// The finished prompts of a run. If a kill cut off the last line, that line is removed from the file.
package final class FinishedPrompts {
  /// The prompts that the file held when it was opened.
  package let outcomes: [PromptOutcome]
  private let path: String
  private let descriptor: Int32

  /// - Throws: `InferenceError` if the file cannot be read or written.
  package init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw InferenceError.fileUnwritable(path: path, reason: String(cString: strerror(errno)))
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw InferenceError.fileUnreadable(path: path, reason: "it was removed")
    }
    var (outcomes, whole): ([PromptOutcome], Int) = ([], 0)
    for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
      guard !JSONLine.isBlank(line) else {
        whole += line.count + 1
        continue
      }
      guard let outcome = try? JSONDecoder().decode(PromptOutcome.self, from: Data(line)) else { break }
      outcomes.append(outcome)
      whole += line.count + 1
    }
    self.outcomes = outcomes
    guard ftruncate(descriptor, off_t(whole)) == 0 else {
      throw InferenceError.fileUnwritable(path: path, reason: String(cString: strerror(errno)))
    }
  }

  deinit { close(descriptor) }

  /// Makes sure that the prompts were finished under the same settings.
  /// - Throws: `InputError.invalid` if they were not.
  package func check(settings: String) throws {
    guard outcomes.allSatisfy({ $0.settings == settings }) else {
      throw InputError.invalid(
        source: path, expected: "finished prompts of these settings and files (remove it to begin anew)",
        found: "those of others")
    }
  }

  /// Writes a prompt to the file at once.
  package func append(_ outcome: PromptOutcome) throws {
    let line = Array((storedJSON(outcome) + "\n").utf8)
    guard line.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) == line.count else {
      throw InferenceError.fileUnwritable(path: path, reason: String(cString: strerror(errno)))
    }
  }
}
