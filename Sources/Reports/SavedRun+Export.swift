// Writes saved runs to new files in the format that the extension names.

import Experiments
import Foundation
import Inference

extension SavedRun {
  /// Writes the experiment to a new file in the format that the extension names.
  /// - Returns: the path, with `~` resolved.
  /// - Throws: `InputError` for another extension, `InferenceError.fileUnwritable` also if the file exists.
  package func export(to path: String) throws -> String {
    try exportDocument(to: path, markdown: markdown, json: ExperimentJSON(record: record))
  }

  /// Writes a comparison; the JSON form has both experiments, as `experiments --json` has them.
  /// - Returns, throws: as `export(to:)`.
  package static func export(comparing first: SavedRun, _ second: SavedRun, to path: String) throws -> String {
    try exportDocument(
      to: path, markdown: markdown(comparing: first, second),
      json: ["experiments": [first, second].map { ExperimentJSON(record: $0.record) }])
  }
}

private func exportDocument(to path: String, markdown: @autoclosure () -> String, json: some Encodable) throws -> String
{
  switch URL(filePath: path).pathExtension.lowercased() {
  case "md", "markdown": return try writeNew(markdown(), to: path)
  case "json":
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return try writeNew(String(decoding: try encoder.encode(json), as: UTF8.self) + "\n", to: path)
  default:
    throw InputError.invalid(
      source: path.isEmpty ? "the name of the file" : path, expected: "a name that ends in .md or .json",
      found: "another")
  }
}

/// Writes a new file; `~` is the home folder.
/// - Returns: the path, with `~` resolved.
/// - Throws: `InferenceError.fileUnwritable`, also if the file exists.
package func writeNew(_ text: String, to path: String) throws(InferenceError) -> String {
  let path = path.hasPrefix("~/") ? NSHomeDirectory() + path.dropFirst(1) : path
  let file = try AtomicFile(path: path)
  try file.write(Array(text.utf8))
  try file.commit(replacing: false)
  return path
}
