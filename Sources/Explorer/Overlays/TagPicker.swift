// The user chooses tags: suggested ones, those of the store, or a new one. Each change is saved at once.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// Tags offered for some latents.
struct TagPicker: Sendable, Equatable {
  var latents: [Int]
  /// The typed text. It narrows the list, and is itself the last item if no tag has that name.
  var own = LineEditor(limit: 64)
  /// The tag under the cursor; if it is not in the list, the cursor is on the first item.
  var chosen: String?
  /// Tags that were changed here. They stay in the list even when no latent has them any more.
  var switched: Set<String> = []
  /// How many of the latents have each tag; nil until the store has counted them.
  var counts: [String: Int]?
}

extension TagPicker: OverlayContent {
  var hints: [KeyHint] { [KeyHint("↑ ↓", "choose"), KeyHint("Enter", "on/off"), KeyHint("Esc", "close")] }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var picker = self
    let offered = offers(state)
    let selected = selected(offered)
    switch input {
    case .key("esc"):
      state.overlay = nil
      return []
    case .key("down"), .key("ctrl-n"), .key("tab"):
      picker.chosen = offered[min(selected + 1, offered.count - 1)]
    case .key("up"), .key("ctrl-p"), .key("shift-tab"): picker.chosen = offered[max(0, selected - 1)]
    case .key("enter"):
      guard picker.counts != nil else {
        state.tell("the tags are being read: press Enter again")
        return []
      }
      let tag = offered[selected]
      let isOnAll = count(tag) == picker.latents.count
      // A name that the store would refuse stays so that it can be corrected.
      do { _ = try Store.tagNames([tag]) } catch {
        state.tell(error.description, .error)
        break
      }
      picker.own.text = ""
      picker.chosen = tag
      if state.tagNames.contains(tag) { picker.switched.insert(tag) }
      state.overlay = picker
      return [.setTag(tag, latents: picker.latents, present: !isOnAll)]
    default: if picker.own.take(input) { picker.chosen = nil }
    }
    state.overlay = picker
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let offered = offers(state)
    let title =
      latents.count == 1
      ? "Tags of latent \(latents[0])" : "Tags of \(grouped(latents.count)) latents"
    let rows = min(max(6, offered.count), state.body.rows - 4)
    let inside = canvas.window(title, size: Size(columns: 44, rows: rows + 2), in: state.body)
    let (field, list) = inside.split(top: 2)
    let cursor = canvas.input(own, label: "tag ", placeholder: "own words, or choose below", in: field)
    var window = ListState()
    let selected = selected(offered)
    window.select(selected, count: offered.count, height: list.rows)
    for index in window.visible(count: offered.count, height: list.rows) {
      let having = count(offered[index])
      let box = having == 0 ? "[ ]" : having == latents.count ? "[x]" : "[·]"
      let line = list.line(index - window.top)
      let end = canvas.put(
        box + " ", row: line.row, column: line.column, style: having > 0 ? Style(.good, .bold) : .muted, clip: line)
      canvas.put(
        truncated(offered[index], to: line.endColumn - end), row: line.row, column: end, style: Style(.tag), clip: line)
      if index == selected { canvas.setGround(line, .selected) }
    }
    return cursor
  }

  /// The tags of the list: suggested ones first, then those in use, narrowed by the typed text.
  func offers(_ state: ExplorerState) -> [String] {
    let typed = own.text.trimmed
    let all = Store.suggestedTags + switched.union(state.tagNames).subtracting(Store.suggestedTags).sorted()
    let matching = typed.isEmpty ? all : all.filter { $0.lowercased().contains(typed.lowercased()) }
    return matching + (typed.isEmpty || all.contains(typed) ? [] : [typed])
  }

  /// The cursor's position in the list, which is never empty.
  private func selected(_ offered: [String]) -> Int { chosen.flatMap { offered.firstIndex(of: $0) } ?? 0 }

  /// How many of the latents have a tag.
  private func count(_ tag: String) -> Int { counts?[tag] ?? 0 }
}

extension ExplorerState {
  mutating func openTagPicker() -> [Effect] {
    overlay = TagPicker(latents: targets)
    return [.loadTagNames, .countTags(targets)]
  }

  /// Takes the counts of tags for the picker's latents.
  mutating func tagCountsArrived(_ counts: [String: Int], of latents: [Int]) {
    guard var picker = overlay as? TagPicker, picker.latents == latents else { return }
    picker.counts = counts
    overlay = picker
  }
}

extension String {
  /// The text without blanks at both ends.
  var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
