// Actions that are the same on every screen: copying, marks, the user's editor, saving the display. Going to screens,
// tags and notes are in ExplorerState+Keys.swift.

import TUI

extension ExplorerState {
  /// Performs an action of the shell; nil for one that belongs to a screen.
  mutating func performShell(_ action: Action) -> [Effect]? {
    switch action {
    case .setMark, .goToMark:
      pendingLetter = action == .setMark ? .setMark : .goToMark
      tell(
        action == .setMark
          ? "type a letter to mark this place"
          : marks.isEmpty ? "no mark is set: \" and a letter sets one" : "type the letter of a mark: \(listOfMarks)")
    case .placeBack, .placeForth: return travel(action)
    case .copy, .copyWhole:
      if let effects = copied(whole: action == .copyWhole) { return effects }
      tell("there is nothing to copy here")
    case .externalEditor: return editOutside()
    case .redraw: return [.redraw]
    case .saveDisplay: openExport(.display(draw().canvas.text))
    case .editConfiguration: return [.editConfiguration]
    case .keyBar:
      hidesKeyBar.toggle()
      return screen.definition.appear(&self)
    case .tour: return startTour()
    default: return nil
    }
    return []
  }

  /// The count that is being typed, for the status line.
  var pendingText: String { count.map { "\($0)… " } ?? "" }
}
