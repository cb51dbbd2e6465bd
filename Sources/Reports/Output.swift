// Where the program's output goes: data to stdout, everything else to stderr, nothing of a model's or a corpus's text
// raw to a terminal.

import Experiments
import Foundation
import Glibc

/// Writes data to stdout at once. A reader that went away ends the program quietly, as other tools do.
package func writeOut(_ text: String) {
  write(text, to: STDOUT_FILENO)
}

/// Writes a line of progress or an error to stderr.
package func writeError(_ line: String, end: String = "\n") {
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
package func printJSON(_ value: some Encodable) throws { writeOut(try jsonText(value) + "\n") }
