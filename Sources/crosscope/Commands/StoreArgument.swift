// How every command asks for a store: the same words in help, the same files offered by the shell's completion.

import ArgumentParser

extension CompletionKind {
  /// Store files, and the folders that lead to them.
  static var stores: CompletionKind { .file(extensions: ["crosscope"]) }
}

extension ArgumentHelp {
  /// A store that is there.
  static var store: ArgumentHelp { ArgumentHelp("The store, a .crosscope file.", valueName: "store") }
}
