// The options --json and --markdown of commands that print a report.

import ArgumentParser
import Reports

struct ReportFormOptions: ParsableArguments {
  @Flag(help: "Print one JSON document.") var json = false
  @Flag(help: "Print the tables in Markdown.") var markdown = false

  func validate() throws {
    guard !(json && markdown) else { throw ValidationError("--json and --markdown exclude each other") }
  }

  /// Prints a report in the form that was asked for.
  func write(_ report: some Encodable, text: String, markdown markdownText: String) throws {
    if json { try printJSON(report) } else { writeOut(markdown ? markdownText : text) }
  }
}
