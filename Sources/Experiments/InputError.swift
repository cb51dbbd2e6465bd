// What is refused before any model is asked: input that is not what is read, something that nothing says, or files that do
// not belong together. The errors of other targets pass through as they are; all of them end in what to do.

/// Input that cannot be used.
package enum InputError: Error, Equatable {
  /// A file or an option does not hold what is read from it.
  case invalid(source: String, expected: String, found: String)
  /// Something that is needed is neither in the files nor given.
  case notSaid(source: String, what: String, remedy: String)
  /// A file is not the one that a store was made with.
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
