// Places in the explorer: where one was (back and forth), and where one wants to return (marks by letter).
// Owns: what a place is and how to go there. Refuses: to remember scrolling and filters; a place is a screen and a latent.

import TUI

/// Where one can be.
struct Place: Sendable, Equatable, Codable {
  var screen: Screen
  /// The latent on the page, or under the cursor.
  var latent: Int32?

  /// For people.
  var description: String {
    guard let latent else { return screen.rawValue }
    return screen == .latent ? "latent \(latent)" : "\(screen.rawValue) at latent \(latent)"
  }

  /// Whether going from one to the other is a step to be taken back: moving a cursor is none.
  func isElsewhere(than other: Place) -> Bool {
    screen != other.screen || (screen == .latent && latent != other.latent)
  }
}

/// Places visited, as a browser keeps them.
struct PlaceHistory: Sendable, Equatable {
  private(set) var past: [Place] = []
  private(set) var future: [Place] = []
  private static let longest = 100

  /// Notes that one went away from a place.
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
  /// Where one is.
  var place: Place { Place(screen: screen, latent: currentLatent) }

  /// Goes to a place, as far as it is still there.
  mutating func go(to place: Place) -> [Effect] {
    switch (place.screen, place.latent) {
    case (.latent, let id?): return LatentState.open(id, &self)
    case (.latents, let id?): return showLatents() + LatentsState.seek(id, &self)
    case (.map, let id?):
      let effects = MapState.open(&self)
      return effects + MapState.seek(id, &self)
    case (.experiment, _) where !experiment.runs.isEmpty: return show(.experiment)
    case (.experiment, _): return show(.experiments)
    default:
      guard let top = TopScreen.all.first(where: { $0.screen == place.screen }) else { return showLatents() }
      return perform(top.action)
    }
  }

  /// Performs `.placeBack` or `.placeForth`.
  mutating func travel(_ action: Action) -> [Effect] {
    let here = place
    let target = action == .placeBack ? history.back(from: here) : history.forth(from: here)
    guard let target else {
      tell(action == .placeBack ? "this is where you began" : "there is nothing to go forth to")
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

  /// Goes to a mark; `''` goes back to where the last jump began.
  mutating func goToMark(_ letter: Character) -> [Effect] {
    guard let target = marks[String(letter)] else {
      tell("no mark \(letter)" + (marks.isEmpty ? ": \" and a letter sets one" : "; there are \(listOfMarks)"))
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

extension LatentsState {
  /// Selects a latent in the table; one that the filter hides is said to be.
  static func seek(_ id: Int32, _ state: inout ExplorerState) -> [Effect] {
    guard let ids = state.latents.ids else {
      state.latents.target = id
      return []
    }
    guard let index = ids.firstIndex(of: id) else {
      state.tell("latent \(id) is not in the list: the filter hides it")
      return []
    }
    return select(index, &state)
  }
}

extension MapState {
  /// Puts the cursor on a latent, as soon as it is known where that lies.
  static func seek(_ id: Int32, _ state: inout ExplorerState) -> [Effect] {
    state.map.target = id
    return state.map.bins == nil ? [] : move(to: state.map.cursor, &state)
  }
}
