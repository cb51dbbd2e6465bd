// The user chooses a saved filter, saves the present one under a name, or deletes one.

import Diffing
import Inference
import Reports
import Storage
import TUI

/// The named filters that match the typed text, which is also the name to save under.
struct FilterPicker: Sendable, Equatable {
  var typed = LineEditor(limit: 64)
  var selected = 0
}

extension FilterPicker: OverlayContent {
  var hints: [KeyHint] {
    [KeyHint("↑ ↓", "choose"), KeyHint("Enter", "take it"), KeyHint("Ctrl-D", "delete"), KeyHint("Esc", "close")]
  }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var picker = self
    let offered = offers(state)
    switch input {
    case .key("esc"):
      state.overlay = nil
      return []
    case .key("down"), .key("ctrl-n"), .key("tab"): picker.selected = min(picker.selected + 1, offered.count - 1)
    case .key("up"), .key("ctrl-p"), .key("shift-tab"): picker.selected -= 1
    case .key("enter"):
      guard offered.indices.contains(picker.selected) else {
        state.tell("type a name under which the filter of the table is saved: / sets one")
        return []
      }
      state.overlay = nil
      if let filter = offered[picker.selected] { return LatentsState.show(filter: filter.filter, &state) }
      let name = picker.typed.text.trimmed
      state.tell("the filter is saved as \(name): F brings it back", .good)
      return [.editFilters(.save(SavedFilters.Named(name: name, filter: state.latents.query.filter)))]
    case .key("ctrl-d"), .key("del"):
      guard offered.indices.contains(picker.selected), let filter = offered[picker.selected] else { return [] }
      state.tell("the filter \(filter.name) is deleted: \(filter.filter)")
      return [.editFilters(.delete(name: filter.name))]
    default: if picker.typed.take(input, lineBreaks: .dropped) { picker.selected = 0 }
    }
    picker.selected = max(0, picker.selected)
    state.overlay = picker
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let offered = offers(state)
    let size = Size(columns: min(90, state.body.columns - 6), rows: min(max(8, offered.count + 2), state.body.rows - 4))
    let inside = canvas.window("Saved filters", size: size, in: state.body)
    let (field, list) = inside.split(top: 2)
    let cursor = canvas.input(typed, label: "name ", placeholder: "choose below, or a new name", in: field)
    if offered.isEmpty {
      canvas.notice(
        state.latents.query.filter.isEmpty
          ? ["no filter is saved", "set a filter with /, then give it a name here"]
          : ["no filter is saved", "a name saves \(state.latents.query.filter)"], in: list)
    }
    var window = ListState()
    let selected = min(selected, offered.count - 1)
    window.select(selected, count: offered.count, height: list.rows)
    for index in window.visible(count: offered.count, height: list.rows) {
      let line = list.line(index - window.top)
      let filter = offered[index]
      canvas.put(
        truncated(filter?.name ?? "save as \(typed.text.trimmed)", to: 22), row: line.row, column: line.column,
        style: filter == nil ? Style(.good) : .plain, clip: line)
      canvas.put(
        truncated(filter?.filter ?? state.latents.query.filter, to: line.columns - 24), row: line.row,
        column: line.column + 24, style: .muted, clip: line)
      if index == selected { canvas.setGround(line, .selected) }
    }
    return cursor
  }

  /// The items, best match first: a saved filter, or nil for saving the present one under the typed name.
  private func offers(_ state: ExplorerState) -> [SavedFilters.Named?] {
    let typed = typed.text.trimmed
    let matching = state.latents.saved.named.filter { fuzzyScore(typed, in: $0.name + " " + $0.filter) != nil }
    let isNew = !typed.isEmpty && !state.latents.query.filter.isEmpty
    return matching + (isNew ? [nil] : [])
  }
}
