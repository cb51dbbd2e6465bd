// How the program ends: the one place that turns errors into a line on stderr and an exit code.
// 0 fine; 1 failed, one line `crosscope: …`; 2 usage, with the line of usage below. Help and version go to stdout.

import ArgumentParser
import Foundation
import Glibc
import Kernels
import Reports
import TUI

extension Crosscope {
  /// Parses the command line and runs the subcommand; does not return after an error.
  static func main() async {
    // A file beyond `ulimit -f` is then an error of the write, as a full disk is.
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

  /// What to print for an error, and the exit code. Code 0 is for help and version, whose text goes to stdout.
  static func ending(for error: any Error) -> (text: String, code: Int32) {
    if let code = error as? ExitCode { return ("", code.rawValue) }
    switch exitCode(for: error) {
    case .success: return (fullMessage(for: error), 0)
    case .validationFailure:
      // The parser's "Error: …" and "Usage: …"; the arguments in it may be anything.
      let lines = termSafeLines(fullMessage(for: error))
      return ("crosscope: " + (lines.hasPrefix("Error: ") ? String(lines.dropFirst(7)) : lines), 2)
    default:
      let text = (error as? CocoaError)?.localizedDescription ?? String(describing: error)
      let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
      return ("crosscope: " + termSafe(line), 1)
    }
  }
}
