// Keys that begin something: digits that count what comes next, and the letter that names a mark. A digit that has a
// binding of its own does not begin a count, and an action that does not count ignores the count.

import Inference
import Storage
import TUI

/// The meaning of the next letter.
enum PendingLetter: Sendable { case setMark, goToMark }

extension ExplorerState {
  /// The largest count that can be typed.
  private static let largestCount = 9_999_999
  /// The largest number of repetitions of an action. Going to a row is one step, whatever its number.
  private static let mostRepeats = 100

  /// Takes a digit of a count or the letter of a mark; nil for keys that are neither.
  mutating func takePrefix(_ key: Key) -> [Effect]? {
    if let pending = pendingLetter {
      pendingLetter = nil
      guard let letter = key.text, letter.isLetter || letter == "'" else {
        tell("a letter names a mark; nothing was done")
        return []
      }
      return pending == .setMark ? setMark(letter) : goToMark(letter)
    }
    guard let digit = key.text?.wholeNumberValue, key.text?.isASCII == true else { return nil }
    let isBound = keyMap.all(screen).contains { $0.keys.contains(key) }
    guard count != nil || (digit > 0 && !isBound) else { return nil }
    count = min((count ?? 0) * 10 + digit, Self.largestCount)
    return []
  }

  /// Performs an action as often as the count before it says.
  mutating func performCounted(_ action: Action) -> [Effect] {
    guard let times = count, !action.takesCount else { return perform(action) }
    count = nil
    if let cursor = screen.definition.cursor, let row = cursor.selected(self) {
      switch action {
      case .down: return cursor.select(row + times, &self)
      case .up: return cursor.select(max(0, row - times), &self)
      case .first, .last: return cursor.select(times - 1, &self)
      default: break
      }
    }
    guard action.isRepeatable else { return perform(action) }
    return (0..<min(times, Self.mostRepeats)).flatMap { _ in perform(action) }
  }
}

extension Action {
  /// Whether the action reads the count itself and does all of it in one step.
  fileprivate var takesCount: Bool {
    switch self {
    case .stronger, .weaker, .slightlyStronger, .slightlyWeaker, .deleteLatent: true
    default: false
    }
  }

  /// Whether a count before the action is the number of its repetitions.
  var isRepeatable: Bool {
    switch self {
    case .up, .down, .left, .right, .pageUp, .pageDown, .nextLatent, .previousLatent, .sortNext, .sortPrevious, .mark,
      .zoomIn, .zoomOut, .nextExperiment, .previousExperiment, .nextAnswer, .undo, .redo,
      .placeBack, .placeForth:
      true
    default: false
    }
  }
}
