// Text for the clipboard. What `y` and `Y` copy on a screen is a part of its definition.

/// Text for the clipboard, and what it is in a few words.
struct CopiedText: Sendable, Equatable {
  var what: String
  var text: String
}

extension ExplorerState {
  /// Copies what is selected, or all that is shown of it.
  func copied(whole: Bool) -> [Effect]? {
    screen.definition.copy(self, whole).map { [.copy($0)] }
  }
}
