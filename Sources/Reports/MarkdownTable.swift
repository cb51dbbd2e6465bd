// Tables in Markdown, in the same form for all reports.

import TUI

/// The line of these cells; what would end a cell or obey a terminal is written so that it does neither.
func markdownLine(_ cells: [String]) -> String {
  "| " + cells.map { termSafe($0).replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
}

/// A table of these rows under its heads.
func markdownTable(_ heads: [String], _ rows: [[String]]) -> String {
  markdownLine(heads) + markdownLine(heads.map { _ in "---" }) + rows.map(markdownLine).joined()
}
