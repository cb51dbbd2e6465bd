// Shows whole texts over a screen, each with a title, wrapped and scrolled without cutting anything.

import Reports
import Storage
import TUI

/// Texts to read.
struct TextPage: Sendable, Equatable {
  struct Part: Sendable, Equatable {
    var title: String
    var note = ""
    var text: String
  }

  var title: String
  var parts: [Part]
  /// First visible line.
  var top = 0

  private func lines(width: Int, asciiOnly: Bool) -> [PageLine] {
    parts.flatMap { part -> [PageLine] in
      let note = asciiOnly ? plainNorms(part.note) : part.note
      let isLong = displayWidth(part.title) + displayWidth(note) + 4 > width
      let below = isLong ? flowLines([FlowToken(note, style: .muted)], width: width) : []
      return [.heading(part.title, note: isLong ? "" : note)]
        + (below + flowLines([FlowToken(part.text)], width: width)).map { PageLine($0) }
    }
  }
}

extension TextPage: OverlayContent {
  var hints: [KeyHint] { [KeyHint("j k", "scroll"), KeyHint("y", "copy"), KeyHint("Esc", "close")] }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var page = self
    let (size, asciiOnly) = (size(state), state.asciiOnly)
    let height = size.rows
    let count = lines(width: size.columns, asciiOnly: asciiOnly).count
    func scroll(_ step: Int) { page.top = min(max(0, page.top + step), max(0, count - height)) }
    switch input {
    case .key("down"), .key("j"): scroll(1)
    case .key("up"), .key("k"): scroll(-1)
    case .key("pgdn"), .key("space"), .key("ctrl-f"): scroll(height - 1)
    case .key("pgup"), .key("ctrl-b"): scroll(1 - height)
    case .key("g"), .key("home"): page.top = 0
    case .key("G"), .key("end"): scroll(count)
    case .key("y"): return state.copied(whole: false) ?? []
    case .key("Y"): return state.copied(whole: true) ?? []
    case .key("esc"), .key("q"), .key("enter"):
      state.overlay = nil
      return []
    case .key, .paste, .mouse: break
    }
    state.overlay = page
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    var size = size(state)
    let lines = lines(width: size.columns, asciiOnly: state.asciiOnly)
    size.rows = min(lines.count, size.rows)
    canvas.put(lines, from: top, in: canvas.window(title, size: size, in: state.body))
    return nil
  }

  private func size(_ state: ExplorerState) -> Size {
    Size(columns: min(100, state.body.columns - 6), rows: max(1, state.body.rows - 2))
  }
}
