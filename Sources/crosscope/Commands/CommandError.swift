// What the program itself refuses, before any module is asked: input that is not what a subcommand reads.
// The modules' own errors pass through as they are; all end in what to do.

/// An error of the command line.
enum CommandError: Error, Equatable {
  /// Standard input or a file given as input does not hold what the subcommand reads.
  case inputInvalid(source: String, expected: String, found: String)
  /// Something that a command needs is neither in the files nor on the command line.
  case notSaid(source: String, what: String, remedy: String)
  /// A file is not the one that a store was made with.
  case mismatch(store: String, what: String, expected: String, found: String)
  /// A service has other files than the store that is open here.
  case otherEngine(address: String, what: String)
  /// A file that is to be written is there already.
  case fileExists(String)
}

extension CommandError: CustomStringConvertible {
  var description: String {
    switch self {
    case .inputInvalid(let source, let expected, let found):
      "\(source): expected \(expected), found \(found); correct the input"
    case .notSaid(let source, let what, let remedy):
      "\(source) does not say \(what); \(remedy)"
    case .mismatch(let store, let what, let expected, let found):
      "\(store) was made with another \(what): expected \(expected), found \(found); use the files of this store"
    case .otherEngine(let address, let what):
      "\(address) has another \(what) than this store; serve a copy of this store there"
    case .fileExists(let path):
      "\(path) is there already; name another file, or give --force to replace it"
    }
  }
}
