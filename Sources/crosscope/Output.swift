// Where the program's output goes: data to stdout, everything else to stderr, nothing of a model's or a corpus's text
// raw to a terminal.

import Foundation
import Glibc
import TUI

/// Writes data to stdout at once. A reader that went away ends the program quietly, as other tools do.
func writeOut(_ text: String) {
  write(text, to: STDOUT_FILENO)
}

/// Writes a line of progress or an error to stderr.
func writeError(_ line: String, end: String = "\n") {
  write(line + end, to: STDERR_FILENO)
}

private func write(_ text: String, to descriptor: Int32) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 {
      if errno == EINTR || errno == EAGAIN { continue }
      // A message that nobody can read does not end the work, nor make it a success.
      if descriptor != STDOUT_FILENO { return }
      if errno == EPIPE { exit(0) }
      writeError("crosscope: standard output: \(String(cString: strerror(errno))); free some space or write elsewhere")
      exit(1)
    }
    bytes = bytes.dropFirst(count)
  }
}

/// Prints one JSON document.
func printJSON(_ value: some Encodable) throws { writeOut(try jsonText(value) + "\n") }

/// A JSON document with sorted keys, in one line. Controls and bidirectional marks of a model's or corpus's text are escaped:
/// they only occur inside strings, and a terminal would obey some of them.
func jsonText(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  var safe = String.UnicodeScalarView()
  for scalar in String(decoding: try encoder.encode(value), as: UTF8.self).unicodeScalars {
    if (0x20..<0x7F).contains(scalar.value) {
      safe.append(scalar)
      continue
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator:
      for unit in String(scalar).utf16 { safe += String(format: "\\u%04x", Int(unit)).unicodeScalars }
    default: safe.append(scalar)
    }
  }
  return String(safe)
}

/// Untrusted text of several lines, fit for a terminal: newlines stay, every other control becomes visible.
func termSafeLines(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { termSafe(String($0)) }.joined(separator: "\n")
}
