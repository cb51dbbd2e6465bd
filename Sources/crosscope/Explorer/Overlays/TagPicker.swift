// Choosing tags: the suggested ones, those of the store, or a new one in own words. Each change is saved at once.

import Experiments
import Reports
import Storage
import TUI

/// Tags offered for some latents.
struct TagPicker: Sendable, Equatable {
  var latents: [Int32]
  /// What is typed narrows the list, and is itself the last offer if no tag is called so.
  var own = LineEditor(limit: 64)
  /// The tag under the cursor; the first on offer if this one is not.
  var chosen: String?
  /// Tags switched here: they stay on offer, also when no latent has them any more.
  var switched: Set<String> = []
  /// How many of the latents have which tag, once that is known: few of many latents have their rows read.
  var counts: [String: Int]?
}

extension ExplorerState {
  mutating func openTagPicker() -> [Effect] {
    overlay = .tags(TagPicker(latents: targets))
    return [.loadTagNames, .countTags(targets)]
  }

  /// Takes what the picker's latents have.
  mutating func tagCountsArrived(_ counts: [String: Int], of latents: [Int32]) {
    guard case .tags(var picker) = overlay, picker.latents == latents else { return }
    picker.counts = counts
    overlay = .tags(picker)
  }

  /// Tags to choose from: suggested first, then those in use, narrowed to what is typed.
  func offers(_ picker: TagPicker) -> [String] {
    let typed = picker.own.text.trimmed
    let all = Store.suggestedTags + picker.switched.union(tagNames).subtracting(Store.suggestedTags).sorted()
    let matching = typed.isEmpty ? all : all.filter { $0.lowercased().contains(typed.lowercased()) }
    return matching + (typed.isEmpty || all.contains(typed) ? [] : [typed])
  }

  /// Where the cursor stands among what is on offer, which is never nothing.
  private static func selected(_ picker: TagPicker, _ offered: [String]) -> Int {
    picker.chosen.flatMap { offered.firstIndex(of: $0) } ?? 0
  }

  /// How many of the picker's latents have a tag.
  private func count(_ tag: String, _ picker: TagPicker) -> Int { picker.counts?[tag] ?? 0 }

  mutating func typeIntoTags(_ input: Input, _ before: TagPicker) -> [Effect] {
    var picker = before
    let offered = offers(picker)
    let selected = Self.selected(picker, offered)
    switch input {
    case .key("esc"):
      overlay = nil
      return []
    case .key("down"), .key("ctrl-n"), .key("tab"):
      picker.chosen = offered[min(selected + 1, offered.count - 1)]
    case .key("up"), .key("ctrl-p"), .key("shift-tab"): picker.chosen = offered[max(0, selected - 1)]
    case .key("enter"):
      guard picker.counts != nil else {
        tell("reading the tags: press Enter again")
        return []
      }
      let tag = offered[selected]
      let isOnAll = count(tag, picker) == picker.latents.count
      // A name that the store would refuse stays to be mended.
      do { _ = try Store.tagNames([tag]) } catch {
        tell(error.description, .error)
        break
      }
      picker.own.text = ""
      picker.chosen = tag
      if tagNames.contains(tag) { picker.switched.insert(tag) }
      overlay = .tags(picker)
      return [.setTag(tag, latents: picker.latents, present: !isOnAll)]
    case .key(let key):
      if picker.own.handle(key) { picker.chosen = nil }
    case .paste(let text):
      picker.own.insert(String(text.map { $0.isNewline ? " " : $0 }))
      picker.chosen = nil
    case .mouse: break
    }
    overlay = .tags(picker)
    return []
  }

  func draw(_ picker: TagPicker, _ canvas: inout Canvas) -> Point? {
    let offered = offers(picker)
    let title =
      picker.latents.count == 1
      ? "Tags of latent \(picker.latents[0])" : "Tags of \(grouped(picker.latents.count)) latents"
    let rows = min(max(6, offered.count), body.rows - 4)
    let inside = canvas.window(title, size: Size(columns: 44, rows: rows + 2), in: body)
    let (field, list) = inside.split(top: 2)
    let cursor = canvas.input(picker.own, label: "tag ", placeholder: "own words, or choose below", in: field)
    var state = ListState()
    let selected = Self.selected(picker, offered)
    state.select(selected, count: offered.count, height: list.rows)
    for index in state.visible(count: offered.count, height: list.rows) {
      let having = count(offered[index], picker)
      let box = having == 0 ? "[ ]" : having == picker.latents.count ? "[x]" : "[·]"
      let line = list.line(index - state.top)
      let end = canvas.put(
        box + " ", row: line.row, column: line.column, style: having > 0 ? Style(.good, .bold) : .muted, clip: line)
      canvas.put(
        truncated(offered[index], to: line.endColumn - end), row: line.row, column: end, style: Style(.tag), clip: line)
      if index == selected { canvas.setGround(line, .selected) }
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
