// What the command line itself refuses. The errors of the targets below pass through as they are; all end in what to do.

/// An error of the command line.
enum CommandError: Error, Equatable {
  /// A file that is to be written is there already.
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
