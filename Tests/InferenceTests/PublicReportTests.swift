import Foundation
import TestSupport
import Testing

@testable import Inference

/// Public reports of tokenizers and chat templates gone wrong elsewhere, with the ids that the libraries give:
/// Fixtures/make_reports.py writes them, and Tests/reports-tokenizers.md is the log.
@Suite struct PublicReportTests {
  struct Report: Decodable, CustomTestStringConvertible {
    var report: String
    var what: String
    var before: String
    var files: [String: String]
    var text: String?
    var ids: [Int32]?
    var prefix: [Int32]?
    var messages: [ChatMessage]?
    var chat: [Int32]?
    var testDescription: String { report }
  }

  static let reports: [Report] =
    (try? JSONDecoder().decode([Report].self, from: fixture("reports.json"))) ?? []

  @Test func areRead() { #expect(Self.reports.count == 21) }

  @Test(arguments: reports) func equalsTheLibraries(report: Report) throws {
    let folder = TemporaryFolder()
    for (name, text) in report.files { _ = try folder.file(name, Array(text.utf8)) }
    let tokenizer = try Tokenizer(folder: folder.path)
    if let text = report.text {
      #expect(tokenizer.encode(text, parseSpecial: true) == report.ids)
      #expect(tokenizer.prefix == report.prefix)
    }
    if let messages = report.messages {
      let chat = try ChatTemplate(folder: folder.path)
        .encode(messages, addGenerationPrompt: true, tokenizer: tokenizer)
      #expect(chat.ids == report.chat)
    }
  }

  /// The log has a row for each. CROSSCOPE_RECORD=1 writes it anew.
  @Test func areLogged() throws {
    let rows = Self.reports.map { report in
      let right = report.chat.map { "\($0.count) ids of the chat" } ?? (report.ids.map { "`\($0)`" } ?? "")
      let text = report.text.map { "`\($0.replacing("\n", with: "\\n"))`" } ?? "a chat"
      return "| \(report.report) | \(report.what) | \(text) | \(right) | \(report.before) |"
    }
    let head = """
      # Public reports on tokenizers and chat templates

      Each was tried with small files; the right values are those of tokenizers 0.23 and transformers 5.24
      (Tests/InferenceTests/Fixtures/make_reports.py). All hold now (`PublicReportTests`).

      | report | what | input | right | when first tried |
      |---|---|---|---|---|

      """
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../reports-tokenizers.md").standardized
    let log = head + rows.joined(separator: "\n") + "\n"
    if ProcessInfo.processInfo.environment["CROSSCOPE_RECORD"] == "1" {
      try log.write(to: url, atomically: true, encoding: .utf8)
    } else {
      #expect(try String(contentsOf: url, encoding: .utf8) == log)
    }
  }
}
