// A line of a page that is scrolled as a whole, and how such lines are put on the canvas.

import Reports
import Storage
import TUI

/// A line of the page; lines of one item are selected together.
struct PageLine: Sendable {
  var spans: FlowLine
  /// The index of the page's item to which the line belongs.
  var item: Int?
  /// A title on a rule.
  var heading: (title: String, note: String)? { didSet { opensPart = heading != nil } }
  /// Whether keys that step from part to part stop here.
  var opensPart = false

  init(_ spans: FlowLine, item: Int? = nil) {
    self.spans = spans
    self.item = item
  }

  static func heading(_ title: String, note: String = "") -> PageLine {
    var line = PageLine([])
    line.heading = (title, note)
    return line
  }

  /// Two texts beside each other in their own columns; the shorter one ends in blanks.
  static func beside(_ left: [FlowLine], _ right: [FlowLine], column: Int, gap: Int) -> [PageLine] {
    (0..<max(left.count, right.count)).map { row in
      let first = row < left.count ? left[row] : []
      let used = first.reduce(0) { $0 + displayWidth($1.text) }
      let space = FlowSpan(text: String(repeating: " ", count: max(1, column + gap - used)), style: .plain)
      return PageLine(first + [space] + (row < right.count ? right[row] : []))
    }
  }

  /// A name with a text beside it, which is wrapped in its own column.
  static func named(_ name: String, _ body: String, label: Int, width: Int, style: Style = .plain) -> [PageLine] {
    let lines = flowLines([FlowToken(body, style: style)], width: max(10, width - label))
    let lead = FlowSpan(text: truncated(name, to: label - 1).rightPadded(to: label), style: .muted)
    let indent = FlowSpan(text: String(repeating: " ", count: label), style: .plain)
    return (lines.isEmpty ? [[]] : lines).enumerated().map { PageLine([$0 == 0 ? lead : indent] + $1) }
  }

  /// The column of the token under the cursor.
  var cursorColumn: Int? {
    guard let index = spans.firstIndex(where: { $0.style.background == .selected }) else { return nil }
    return spans[..<index].reduce(0) { $0 + displayWidth($1.text) }
  }
}

extension Canvas {
  /// Draws the lines from `top` on, with a mark if there are more below.
  mutating func put(_ lines: [PageLine], from top: Int, selected: Int? = nil, in rect: Rect) {
    if lines.count - top > rect.rows, !rect.isEmpty {
      put("▼", row: rect.endRow - 1, column: rect.endColumn, style: .muted)
    }
    let shown = lines.dropFirst(top).prefix(rect.rows)
    for (index, line) in shown.enumerated() {
      if let title = line.heading {
        heading(title.title, note: title.note, in: rect.line(index))
      } else {
        put(line.spans, row: rect.row + index, column: rect.column, clip: rect)
        // A cut line ends with a mark.
        if line.spans.reduce(0, { $0 + displayWidth($1.text) }) > rect.columns, rect.columns > 0 {
          put("…", row: rect.row + index, column: rect.endColumn - 1, style: .muted)
        }
      }
    }
    if let selected, let first = shown.firstIndex(where: { $0.item == selected }) {
      select(Point(row: rect.row + first - shown.startIndex, column: rect.column))
    }
  }
}
