// Whole texts over a screen: each with a title, wrapped, scrolled. Owns: what is shown and how far it is scrolled.
// Refuses: to cut anything; what does not fit is a key away.

import TUI

/// Texts to be read.
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

  fileprivate func lines(width: Int, asciiOnly: Bool) -> [PageLine] {
    parts.flatMap { part -> [PageLine] in
      let note = asciiOnly ? plainNorms(part.note) : part.note
      let isLong = displayWidth(part.title) + displayWidth(note) + 4 > width
      let below = isLong ? flowLines([FlowToken(note, style: .muted)], width: width) : []
      return [.heading(part.title, note: isLong ? "" : note)]
        + (below + flowLines([FlowToken(part.text)], width: width)).map { PageLine($0) }
    }
  }
}

extension ExplorerState {
  private var readingSize: Size { Size(columns: min(100, body.columns - 6), rows: max(1, body.rows - 2)) }

  mutating func typeIntoReading(_ input: Input, _ before: TextPage) -> [Effect] {
    var page = before
    let height = readingSize.rows
    let count = page.lines(width: readingSize.columns, asciiOnly: asciiOnly).count
    func scroll(_ step: Int) { page.top = min(max(0, page.top + step), max(0, count - height)) }
    switch input {
    case .key("down"), .key("j"): scroll(1)
    case .key("up"), .key("k"): scroll(-1)
    case .key("pgdn"), .key("space"), .key("ctrl-f"): scroll(height - 1)
    case .key("pgup"), .key("ctrl-b"): scroll(1 - height)
    case .key("g"), .key("home"): page.top = 0
    case .key("G"), .key("end"): scroll(count)
    case .key("y"): return copied(whole: false) ?? []
    case .key("Y"): return copied(whole: true) ?? []
    case .key("esc"), .key("q"), .key("enter"):
      overlay = nil
      return []
    case .key, .paste, .mouse: break
    }
    overlay = .reading(page)
    return []
  }

  func draw(_ page: TextPage, _ canvas: inout Canvas) {
    let lines = page.lines(width: readingSize.columns, asciiOnly: asciiOnly)
    let size = Size(columns: readingSize.columns, rows: min(lines.count, readingSize.rows))
    canvas.put(lines, from: page.top, in: canvas.window(page.title, size: size, in: body))
  }
}
