// A list from which the user chooses by typing a part of a name: the command palette, the axes of the map, the order of the
// table, the store's directions. It performs the actions of the bindings and says why an action is not available now.

import Inference
import Reports
import Storage
import TUI

/// A list to choose from.
struct Chooser: Sendable, Equatable {
  /// The purpose of the choice.
  enum Purpose: Sendable, Equatable {
    case actions
    case axis(isX: Bool)
    case sort
    case secondSort
    case direction

    var title: String {
      switch self {
      case .actions: "Commands"
      case .axis(let isX): isX ? "To the right" : "Upwards"
      case .sort: "Sort by"
      case .secondSort: "Then by"
      case .direction: "Steer with a direction"
      }
    }
  }

  var purpose: Purpose
  var typed = LineEditor(limit: 64)
  var selected = 0
}

/// An item of the list.
struct Choice: Sendable, Equatable {
  enum Result: Sendable, Equatable {
    case action(Action)
    case axis(FilterColumn)
    /// The order to sort by; nil, as the second key, means none.
    case sort(LatentSort?)
    case direction(String)
  }

  var title: String
  var keys: String
  var help: String
  /// The reason why it cannot be chosen now.
  var unavailable: String?
  var result: Result
}

extension Chooser: OverlayContent {
  var hints: [KeyHint] { [KeyHint("↑ ↓", "choose"), KeyHint("Enter", "take it"), KeyHint("Esc", "close")] }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var chooser = self
    let offered = choices(state)
    switch input {
    case .key("esc"):
      state.overlay = nil
      return []
    case .key("down"), .key("ctrl-n"), .key("tab"): chooser.selected = min(chooser.selected + 1, offered.count - 1)
    case .key("up"), .key("ctrl-p"), .key("shift-tab"): chooser.selected -= 1
    case .key("pgdn"): chooser.selected = min(chooser.selected + 10, offered.count - 1)
    case .key("pgup"): chooser.selected -= 10
    case .key("enter"):
      guard offered.indices.contains(chooser.selected) else { return [] }
      return take(offered[chooser.selected], &state)
    default: if chooser.typed.take(input) { chooser.selected = 0 }
    }
    chooser.selected = max(0, chooser.selected)
    state.overlay = chooser
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let offered = choices(state)
    let isPalette = purpose == .actions
    let width = isPalette ? 96 : purpose == .sort || purpose == .secondSort || purpose == .direction ? 74 : 50
    let size = Size(columns: min(width, state.body.columns - 6), rows: state.body.rows - 4)
    let inside = canvas.window(purpose.title, size: size, in: state.body)
    let (field, list) = inside.split(top: 2)
    let cursor = canvas.input(typed, label: ": ", placeholder: "a part of a name", in: field)
    if offered.isEmpty { canvas.notice(["no match"], in: list) }
    let (titleWidth, keyWidth) = isPalette ? (20, 14) : (26, 0)
    var window = ListState()
    window.select(selected, count: offered.count, height: list.rows)
    for index in window.visible(count: offered.count, height: list.rows) {
      let (choice, line) = (offered[index], list.line(index - window.top))
      let quiet = choice.unavailable != nil
      canvas.put(
        truncated(choice.title, to: titleWidth - 1), row: line.row, column: line.column, style: quiet ? .muted : .plain,
        clip: line)
      canvas.put(
        truncated(choice.keys, to: max(0, keyWidth - 1)), row: line.row, column: line.column + titleWidth,
        style: quiet ? .muted : Style(.key, .bold), clip: line)
      let start = line.column + titleWidth + keyWidth
      canvas.put(
        truncated(choice.unavailable.map { "not now: \($0)" } ?? choice.help, to: line.endColumn - start),
        row: line.row, column: start, style: .muted, clip: line)
      if index == selected { canvas.setGround(line, .selected) }
    }
    return cursor
  }
}

extension Chooser {
  /// The cursor begins on the present choice.
  init(_ purpose: Purpose, _ state: ExplorerState) {
    self.purpose = purpose
    switch purpose {
    case .actions, .direction: break
    case .axis(let isX):
      selected = MapState.axes(state.store).firstIndex(of: isX ? state.map.x : state.map.y) ?? 0
    case .sort, .secondSort:
      let query = state.latents.query
      let current = Choice.Result.sort(purpose == .sort ? query.sort : query.then?.sort)
      selected = allChoices(state).firstIndex { $0.result == current } ?? 0
    }
  }

  /// The items, with the best match of the typed text first.
  func choices(_ state: ExplorerState) -> [Choice] {
    let all = allChoices(state)
    let typed = typed.text
    guard !typed.trimmed.isEmpty else { return all }
    // A match in the name counts more than one in the explanation.
    let scored = all.enumerated().compactMap { index, choice -> (choice: Choice, score: Int, index: Int)? in
      let inTitle = fuzzyScore(typed, in: choice.title).map { $0 + 100_000 }
      guard let score = inTitle ?? fuzzyScore(typed, in: choice.help) else { return nil }
      return (choice, score, index)
    }
    return scored.sorted { ($1.score, $0.index) < ($0.score, $1.index) }.map(\.choice)
  }

  private func allChoices(_ state: ExplorerState) -> [Choice] {
    switch purpose {
    case .actions:
      // If an action has several bindings, the keys of the first one are shown.
      var seen: Set<Action> = [.palette]
      return state.bindings.filter { seen.insert($0.action).inserted }.map {
        Choice(
          title: $0.action.title, keys: $0.keys.isEmpty ? "" : $0.label, help: $0.help,
          unavailable: $0.unavailable(state), result: .action($0.action))
      }
    case .axis:
      return MapState.axes(state.store).map { column in
        let name = MapScreen.name(column, state)
        return Choice(
          title: termSafe(column.written), keys: "", help: name == column.written ? "" : name, result: .axis(column))
      }
    case .sort, .secondSort:
      let sorts = TableField.all(state.store).filter { $0.sort != nil }.map { field in
        Choice(title: termSafe(field.sort?.name ?? ""), keys: "", help: field.meaning, result: .sort(field.sort))
      }
      guard purpose == .secondSort else { return sorts }
      return [Choice(title: "none", keys: "", help: "order equal ones by id", result: .sort(nil))]
        + sorts.filter { $0.result != .sort(state.latents.query.sort) }
    case .direction:
      return (state.steer.known ?? []).map { entry in
        let tags = entry.tags.isEmpty ? "" : entry.tags.joined(separator: ", ") + "; "
        return Choice(
          title: termSafe(entry.name), keys: "", help: termSafe("block \(entry.layer), \(tags)\(entry.source)"),
          result: .direction(entry.name))
      }
    }
  }

  private func take(_ choice: Choice, _ state: inout ExplorerState) -> [Effect] {
    if let reason = choice.unavailable {
      state.tell("\(choice.title): \(reason)")
      return []
    }
    state.overlay = nil
    switch choice.result {
    case .action(let action): return state.perform(action)
    case .direction(let name):
      state.steer.put(directions: [name])
      state.steer.focus = .interventions
      return []
    case .axis(let column):
      let isX = purpose == .axis(isX: true)
      return MapState.setAxes(x: isX ? column : state.map.x, y: isX ? state.map.y : column, &state)
    case .sort(let sort):
      guard purpose == .sort, let sort else { return LatentsState.sort(thenBy: sort, &state) }
      return LatentsState.sort(by: sort, &state)
    }
  }
}

extension Action {
  /// The name in words: `sortNext` is "sort next".
  var title: String {
    rawValue.reduce(into: "") { words, letter in
      if letter.isUppercase { words += " " }
      words += letter.lowercased()
    }
  }
}
