// Choosing tags: the suggested ones, those of the store, or a new one in own words. Each change is saved at once.

import Storage
import TUI

/// Tags offered for some latents.
struct TagPicker: Sendable, Equatable {
  var latents: [Int32]
  /// What is typed narrows the list, and is itself the last offer if no tag is called so.
  var own = LineEditor(limit: 64)
  var selected = 0
}

extension ExplorerState {
  mutating func openTagPicker() -> [Effect] {
    overlay = .tags(TagPicker(latents: targets))
    return [.loadTagNames]
  }

  /// Tags to choose from: suggested first, then those in use, narrowed to what is typed.
  func offers(_ picker: TagPicker) -> [String] {
    let typed = picker.own.text.trimmed
    let all = Store.suggestedTags + tagNames.filter { !Store.suggestedTags.contains($0) }
    let matching = typed.isEmpty ? all : all.filter { $0.lowercased().contains(typed.lowercased()) }
    return matching + (typed.isEmpty || all.contains(typed) ? [] : [typed])
  }

  /// How many of the picker's latents have a tag.
  private func count(_ tag: String, _ picker: TagPicker) -> Int {
    picker.latents.filter { id in
      (latents.rows[id]?.tags ?? pages[id]?.tags ?? []).contains(tag)
    }.count
  }

  mutating func typeIntoTags(_ input: Input, _ before: TagPicker) -> [Effect] {
    var picker = before
    let offered = offers(picker)
    switch input {
    case .key("esc"):
      overlay = nil
      return []
    case .key("down"), .key("ctrl-n"), .key("tab"):
      picker.selected = min(picker.selected + 1, max(0, offered.count - 1))
    case .key("up"), .key("ctrl-p"), .key("shift-tab"): picker.selected = max(0, picker.selected - 1)
    case .key("enter"):
      guard offered.indices.contains(picker.selected) else { return [] }
      let tag = offered[picker.selected]
      let isOnAll = count(tag, picker) == picker.latents.count
      picker.own.text = ""
      picker.selected = 0
      overlay = .tags(picker)
      return [.setTag(tag, latents: picker.latents, present: !isOnAll)]
    case .key(let key):
      if picker.own.handle(key) { picker.selected = 0 }
    case .paste(let text):
      picker.own.insert(String(text.map { $0.isNewline ? " " : $0 }))
      picker.selected = 0
    case .mouse: break
    }
    overlay = .tags(picker)
    return []
  }

  func draw(_ picker: TagPicker, _ canvas: inout Canvas) -> Point? {
    let offered = offers(picker)
    let title =
      picker.latents.count == 1 ? "Tags of latent \(picker.latents[0])" : "Tags of \(picker.latents.count) latents"
    let rows = min(max(6, offered.count), body.rows - 4)
    let inside = canvas.window(title, size: Size(columns: 44, rows: rows + 2), in: body)
    let (field, list) = inside.split(top: 2)
    let cursor = canvas.input(picker.own, label: "tag ", placeholder: "own words, or choose below", in: field)
    var state = ListState()
    state.select(picker.selected, count: offered.count, height: list.rows)
    for index in state.visible(count: offered.count, height: list.rows) {
      let having = count(offered[index], picker)
      let box = having == 0 ? "[ ]" : having == picker.latents.count ? "[x]" : "[·]"
      let line = list.line(index - state.top)
      let end = canvas.put(
        box + " ", row: line.row, column: line.column, style: having > 0 ? Style(.good, .bold) : .muted, clip: line)
      canvas.put(
        truncated(offered[index], to: line.endColumn - end), row: line.row, column: end, style: Style(.tag), clip: line)
      if index == picker.selected { canvas.setGround(line, .selected) }
    }
    return cursor
  }
}

extension String {
  /// Without blanks at both ends.
  var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
