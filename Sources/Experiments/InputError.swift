// The error for input that is refused before a model runs: it cannot be read, something needed is missing, or files do not
// belong together. Errors of other targets pass through unchanged; the text of every error ends in what to do.

/// Input that cannot be used.
package enum InputError: Error, Equatable {
  /// A file or an option does not hold what was expected.
  case invalid(source: String, expected: String, found: String)
  /// Something that is needed is neither recorded in the files nor given as an option.
  case notSaid(source: String, what: String, remedy: String)
  /// A file is not the one with which the store was made.
  case mismatch(store: String, what: String, expected: String, found: String)
}

extension InputError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .invalid(let source, let expected, let found):
      "\(source): expected \(expected), found \(found); correct the input"
    case .notSaid(let source, let what, let remedy):
      "\(source) does not say \(what); \(remedy)"
    case .mismatch(let store, let what, let expected, let found):
      "\(store) was made with another \(what): expected \(expected), found \(found); use the files of this store"
    }
  }
}
