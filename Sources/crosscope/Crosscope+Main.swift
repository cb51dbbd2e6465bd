// Ends the program: errors become lines on stderr and an exit code only here. The code is 0 for success, 1 for a failure with
// one line `crosscope: …`, and 2 for wrong usage, with a line about usage. Help and version go to stdout.

import ArgumentParser
import Foundation
import Glibc
import Kernels
import Reports
import TUI

extension Crosscope {
  /// Parses the command line and runs the subcommand; does not return after an error.
  static func main() async {
    // Ignored, a file beyond `ulimit -f` is an error of the write, as a full disk is.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      let (text, code) = ending(for: error)
      switch code {
      case 0: writeOut(text + "\n")
      default: if !text.isEmpty { writeError(text) }
      }
      Foundation.exit(code)
    }
  }

  /// The text to print for an error, and the exit code. Code 0 is for help and version, whose text goes to stdout.
  static func ending(for error: any Error) -> (text: String, code: Int32) {
    if let code = error as? ExitCode { return ("", code.rawValue) }
    switch exitCode(for: error) {
    case .success: return (fullMessage(for: error), 0)
    case .validationFailure:
      // The text begins with the parser's "Error: …" and "Usage: …" and may quote arguments with any characters.
      let lines = termSafeLines(fullMessage(for: error))
      return ("crosscope: " + (lines.hasPrefix("Error: ") ? String(lines.dropFirst(7)) : lines), 2)
    default:
      let text = (error as? CocoaError)?.localizedDescription ?? String(describing: error)
      let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
      return ("crosscope: " + termSafe(line), 1)
    }
  }
}
