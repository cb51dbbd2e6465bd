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
      guard descriptor == STDOUT_FILENO, errno != EPIPE else { exit(0) }
      writeError("crosscope: standard output: \(String(cString: strerror(errno))); free some space or write elsewhere")
      exit(1)
    }
    bytes = bytes.dropFirst(count)
  }
}

/// Prints one JSON document with sorted keys.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  writeOut(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
}

/// Untrusted text of several lines, fit for a terminal: newlines stay, every other control becomes visible.
func termSafeLines(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { termSafe(String($0)) }.joined(separator: "\n")
}
