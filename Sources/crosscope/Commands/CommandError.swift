// Errors of the command line itself. Those of the targets below it pass unchanged; the text of every error ends in what to do.

/// An error of the command line.
enum CommandError: Error, Equatable {
  /// The file that would be written exists already.
  case fileExists(String)
}

extension CommandError: CustomStringConvertible {
  var description: String {
    switch self {
    case .fileExists(let path):
      "\(path) is there already; name another file, or give --force to replace it"
    }
  }
}
