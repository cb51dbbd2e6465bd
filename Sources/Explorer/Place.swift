// Places in the explorer: those that the user visited (back and forth), and marks by letter. A place is a screen and a latent
// without scrolling and filters.

import Storage
import TUI

/// A place that the user can be at.
struct Place: Sendable, Equatable, Codable {
  var screen: Screen
  /// The latent on the page, or under the cursor.
  var latent: Int?

  /// The place in words.
  var description: String {
    guard let latent else { return screen.rawValue }
    return screen.definition.hasPlaceForEachLatent ? "latent \(latent)" : "\(screen.rawValue) at latent \(latent)"
  }

  /// Whether going from one to the other can be undone. Moving a cursor cannot.
  func isElsewhere(than other: Place) -> Bool {
    screen != other.screen || (screen.definition.hasPlaceForEachLatent && latent != other.latent)
  }
}

/// Places visited, as a browser keeps them.
struct PlaceHistory: Sendable, Equatable {
  private(set) var past: [Place] = []
  private(set) var future: [Place] = []
  private static let longest = 100

  /// Records that the user left a place.
  mutating func left(_ place: Place) {
    past.append(place)
    if past.count > Self.longest { past.removeFirst() }
    future = []
  }

  mutating func back(from place: Place) -> Place? {
    guard let last = past.popLast() else { return nil }
    future.append(place)
    return last
  }

  mutating func forth(from place: Place) -> Place? {
    guard let next = future.popLast() else { return nil }
    past.append(place)
    return next
  }
}

extension ExplorerState {
  /// The user's present place.
  var place: Place { Place(screen: screen, latent: currentLatent) }

  /// Goes to a place, as far as it still exists.
  mutating func go(to place: Place) -> [Effect] { place.screen.definition.open(place.latent, &self) }

  /// Performs `.placeBack` or `.placeForth`.
  mutating func travel(_ action: Action) -> [Effect] {
    let here = place
    let target = action == .placeBack ? history.back(from: here) : history.forth(from: here)
    guard let target else {
      tell(action == .placeBack ? "this is where you began" : "there is no later place to go to")
      return []
    }
    isTravelling = true
    return go(to: target)
  }

  mutating func setMark(_ letter: Character) -> [Effect] {
    marks[String(letter)] = place
    tell("mark \(letter): \(place.description)", .good)
    return []
  }

  /// Goes to a mark; `''` goes to where the last jump began.
  mutating func goToMark(_ letter: Character) -> [Effect] {
    guard let target = marks[String(letter)] else {
      tell("there is no mark \(letter)" + (marks.isEmpty ? ": \" and a letter sets one" : "; there are \(listOfMarks)"))
      return []
    }
    marks["'"] = place
    return go(to: target)
  }

  var listOfMarks: String {
    marks.sorted { $0.key < $1.key }.filter { $0.key != "'" }.map { "\($0.key) \($0.value.description)" }
      .joined(separator: ", ")
  }
}
