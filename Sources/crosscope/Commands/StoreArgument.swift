// The argument for a store, which has the same help and the same shell completion in every command.

import ArgumentParser

extension CompletionKind {
  /// Completes store files and the folders that lead to them.
  static var stores: CompletionKind { .file(extensions: ["crosscope"]) }
}

extension ArgumentHelp {
  /// The help of an argument for an existing store.
  static var store: ArgumentHelp { ArgumentHelp("The store, a .crosscope file.", valueName: "store") }
}
