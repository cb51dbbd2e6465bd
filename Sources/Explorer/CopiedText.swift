// Text for the clipboard. What `y` and `Y` copy on a screen is a part of its definition.

/// Text for the clipboard, and a description of it in a few words.
struct CopiedText: Sendable, Equatable {
  var what: String
  var text: String
}

extension ExplorerState {
  /// Copies the selected part of the screen, or everything that it shows.
  func copied(whole: Bool) -> [Effect]? {
    screen.definition.copy(self, whole).map { [.copy($0)] }
  }
}
