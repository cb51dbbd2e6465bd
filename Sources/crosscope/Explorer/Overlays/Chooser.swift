// Choosing from a list by typing a part of a name: the command palette, and the axes of the map.
// Owns: what is on offer and how it is narrowed. Refuses: actions of its own; it performs those of the bindings, and
// one that is not available says why instead.

import Storage
import TUI

/// A list to choose from.
struct Chooser: Sendable, Equatable {
  /// What the choice is for.
  enum Purpose: Sendable, Equatable {
    case actions
    case axis(isX: Bool)
    case sort
    case secondSort

    var title: String {
      switch self {
      case .actions: "Commands"
      case .axis(let isX): isX ? "To the right" : "Upwards"
      case .sort: "Sort by"
      case .secondSort: "Then by"
      }
    }
  }

  var purpose: Purpose
  var typed = LineEditor(limit: 64)
  var selected = 0
}

/// One thing on offer.
struct Choice: Sendable, Equatable {
  enum Result: Sendable, Equatable {
    case action(Action)
    case axis(FilterColumn)
    /// nil: no second key.
    case sort(LatentSort?)
  }

  var title: String
  var keys: String
  var help: String
  /// Why it cannot be taken now.
  var unavailable: String?
  var result: Result
}

extension ExplorerState {
  mutating func openChooser(_ purpose: Chooser.Purpose) {
    var chooser = Chooser(purpose: purpose)
    if case .axis(let isX) = purpose {
      chooser.selected = MapState.axes(store).firstIndex(of: isX ? map.x : map.y) ?? 0
    }
    if [.sort, .secondSort].contains(purpose) {
      let current: LatentSort? = purpose == .sort ? latents.query.sort : latents.query.then?.sort
      chooser.selected = allChoices(purpose).firstIndex { $0.result == .sort(current) } ?? 0
    }
    overlay = .chooser(chooser)
  }

  /// What a chooser offers, the best match of what is typed first.
  func choices(_ chooser: Chooser) -> [Choice] {
    let all = allChoices(chooser.purpose)
    let typed = chooser.typed.text
    guard !typed.trimmed.isEmpty else { return all }
    // A name counts more than its explanation.
    let scored = all.enumerated().compactMap { index, choice -> (choice: Choice, score: Int, index: Int)? in
      let inTitle = fuzzyScore(typed, in: choice.title).map { $0 + 100_000 }
      guard let score = inTitle ?? fuzzyScore(typed, in: choice.help) else { return nil }
      return (choice, score, index)
    }
    return scored.sorted { ($1.score, $0.index) < ($0.score, $1.index) }.map(\.choice)
  }

  private func allChoices(_ purpose: Chooser.Purpose) -> [Choice] {
    switch purpose {
    case .actions:
      // The first binding of an action is the one whose key works.
      var seen: Set<Action> = [.palette]
      return bindings.filter { seen.insert($0.action).inserted }.map {
        Choice(
          title: $0.action.title, keys: $0.keys.isEmpty ? "" : $0.label, help: $0.help,
          unavailable: $0.unavailable(self),
          result: .action($0.action))
      }
    case .axis:
      return MapState.axes(store).map { column in
        let name = MapScreen.name(column, self)
        return Choice(
          title: termSafe(column.written), keys: "", help: name == column.written ? "" : name, result: .axis(column))
      }
    case .sort, .secondSort:
      let sorts = TableField.all(store).filter { $0.sort != nil }.map { field in
        Choice(title: termSafe(field.sort?.name ?? ""), keys: "", help: field.meaning, result: .sort(field.sort))
      }
      guard purpose == .secondSort else { return sorts }
      return [Choice(title: "none", keys: "", help: "equal ones by id", result: .sort(nil))]
        + sorts.filter { $0.result != .sort(latents.query.sort) }
    }
  }

  mutating func typeIntoChooser(_ input: Input, _ before: Chooser) -> [Effect] {
    var chooser = before
    let offered = choices(chooser)
    switch input {
    case .key("esc"):
      overlay = nil
      return []
    case .key("down"), .key("ctrl-n"), .key("tab"): chooser.selected = min(chooser.selected + 1, offered.count - 1)
    case .key("up"), .key("ctrl-p"), .key("shift-tab"): chooser.selected -= 1
    case .key("pgdn"): chooser.selected = min(chooser.selected + 10, offered.count - 1)
    case .key("pgup"): chooser.selected -= 10
    case .key("enter"):
      guard offered.indices.contains(chooser.selected) else { return [] }
      return take(offered[chooser.selected], chooser)
    case .key(let key): if chooser.typed.handle(key) { chooser.selected = 0 }
    case .paste(let text):
      chooser.typed.insert(String(text.map { $0.isNewline ? " " : $0 }))
      chooser.selected = 0
    case .mouse: break
    }
    chooser.selected = max(0, chooser.selected)
    overlay = .chooser(chooser)
    return []
  }

  private mutating func take(_ choice: Choice, _ chooser: Chooser) -> [Effect] {
    if let reason = choice.unavailable {
      tell("\(choice.title): \(reason)")
      return []
    }
    overlay = nil
    switch choice.result {
    case .action(let action): return perform(action)
    case .axis(let column):
      let isX = chooser.purpose == .axis(isX: true)
      return MapState.setAxes(x: isX ? column : map.x, y: isX ? map.y : column, &self)
    case .sort(let sort):
      guard chooser.purpose == .sort, let sort else { return LatentsState.sort(thenBy: sort, &self) }
      return LatentsState.sort(by: sort, &self)
    }
  }

  func draw(_ chooser: Chooser, _ canvas: inout Canvas) -> Point? {
    let offered = choices(chooser)
    let isPalette = chooser.purpose == .actions
    let width = isPalette ? 96 : chooser.purpose == .sort || chooser.purpose == .secondSort ? 74 : 50
    let size = Size(columns: min(width, body.columns - 6), rows: body.rows - 4)
    let inside = canvas.window(chooser.purpose.title, size: size, in: body)
    let (field, list) = inside.split(top: 2)
    let cursor = canvas.input(chooser.typed, label: ": ", placeholder: "a part of a name", in: field)
    if offered.isEmpty { canvas.notice(["nothing is called so"], in: list) }
    let (titleWidth, keyWidth) = isPalette ? (20, 14) : (26, 0)
    var window = ListState()
    window.select(chooser.selected, count: offered.count, height: list.rows)
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
      if index == chooser.selected { canvas.setGround(line, .selected) }
    }
    return cursor
  }
}

extension Action {
  /// The name in words: `sortNext` is sort next.
  var title: String {
    rawValue.reduce(into: "") { words, letter in
      if letter.isUppercase { words += " " }
      words += letter.lowercased()
    }
  }
}
