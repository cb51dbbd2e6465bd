// docs/formats.md is what the tables say, and clients' fields all have a row. CROSSCOPE_RECORD=1 writes the document's
// sections anew.

import Foundation
import Inference
import Testing

@testable import Experiments
@testable import Explorer
@testable import Pipeline
@testable import Remote
@testable import Reports
@testable import crosscope

@Suite struct FormatsDocumentTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let path = root.appending(path: "docs/formats.md")

  @Test func theDocumentIsWhatTheTablesSay() throws {
    var text = try String(contentsOf: Self.path, encoding: .utf8)
    for section in FileFormats.sections {
      let wanted = FileFormats.markdown(section)
      guard let start = text.range(of: "## \(section.heading)\n") else {
        Issue.record("docs/formats.md has no section \(section.heading)")
        continue
      }
      let rest = text[start.upperBound...]
      let end = rest.range(of: "\n## ")?.lowerBound ?? text.endIndex
      let found = text[start.lowerBound..<end]
      if ProcessInfo.processInfo.environment["CROSSCOPE_RECORD"] == "1" {
        text.replaceSubrange(start.lowerBound..<end, with: wanted)
      } else {
        #expect(
          found.trimmingCharacters(in: .newlines) == wanted.trimmingCharacters(in: .newlines), "CROSSCOPE_RECORD=1")
      }
    }
    if ProcessInfo.processInfo.environment["CROSSCOPE_RECORD"] == "1" {
      try text.write(to: Self.path, atomically: true, encoding: .utf8)
    }
  }

  /// Fixtures/fields.json of InferenceTests is made by make_fields.py there.
  @Test func everyFieldOfTheClientsHasARow() throws {
    let path = Self.root.appending(path: "Tests/InferenceTests/Fixtures/fields.json")
    let fields = try JSONDecoder().decode([String: [String]].self, from: Data(contentsOf: path))
    for (table, library) in [
      (FormatTable.chatCompletion, "chat.completions"), (.chatMessage, "messages"), (.contentPart, "parts"),
      (.streamOptions, "stream_options"),
    ] {
      let names = try #require(fields[library])
      #expect(!names.isEmpty)
      #expect(names.filter { table[$0] == nil } == [], "\(table.title)")
    }
  }
}
