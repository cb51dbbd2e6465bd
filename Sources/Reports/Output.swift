// The program's output: data goes to stdout, everything else to stderr, and text of a model or a corpus never reaches a
// terminal with its control characters.

import Experiments
import Foundation
import Glibc

/// Writes data to stdout at once. If the reader has gone away, the program ends quietly, as other tools do.
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
      // If stderr cannot be written, the work continues and its exit code stays as it is.
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
