// Draws the findings at the left and the selected one at the right.

import Experiments
import Reports
import Storage
import TUI

struct DifferencesLayout {
  /// The list without its heading, and the right side.
  let heading: Rect
  let rows: Rect
  let right: Rect

  init(_ state: ExplorerState) {
    let body = state.body.inset(columns: 1)
    let (left, right) = body.split(left: min(46, max(24, body.columns * 2 / 5)), gap: 2)
    (heading, rows) = left.split(top: 1)
    self.right = right
  }
}

extension DifferencesScreen {
  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    guard let document = state.differences.document else {
      canvas.notice(["reading…"], in: body)
      return nil
    }
    guard let document else {
      canvas.notice(
        [
          "this store does not say yet what its two models differ in",
          "crosscope differences STORE finds out in about two minutes",
          "no dictionary is needed for it",
        ], in: body)
      return nil
    }
    guard !document.setup.noDifference else {
      canvas.notice(
        flowLines([FlowToken(document.headline)], width: body.columns - 4).map { $0.map(\.text).joined() }, in: body)
      return nil
    }
    let layout = DifferencesLayout(state)
    canvas.heading("Findings", note: state.differences.isInside ? "" : "Enter looks", in: layout.heading)
    drawList(state, &canvas, layout.rows)
    if let lines = lines(state) {
      canvas.put(lines.lines, from: state.differences.top, in: layout.right)
    }
    return nil
  }

  private static func drawList(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    let (entries, list) = (state.differences.entries, state.differences.list)
    for index in list.visible(count: entries.count, height: rect.rows) {
      let (entry, row) = (entries[index], rect.row + index - list.top)
      let isNew = index == list.top || entries[index - 1].group != entry.group
      if isNew { canvas.put(entry.group, row: row, column: rect.column, style: .muted, clip: rect) }
      let value = Rect(row: row, column: rect.endColumn - 7, rows: 1, columns: 7)
      let beside = entry.value.isEmpty ? 0 : value.columns + 1
      let title = Rect(row: row, column: rect.column + 9, rows: 1, columns: max(1, rect.columns - 9 - beside))
      if let share = entry.share { canvas.bar(share, in: value) }
      canvas.put(
        entry.value, row: row, endingBefore: value.endColumn, style: entry.share == nil ? .plain : .title, clip: value)
      let text = truncated(entry.title.replacing("\n", with: " "), to: title.columns)
      canvas.put(text, row: row, column: title.column, style: .plain, clip: title)
      if index == list.selected {
        canvas.select(Point(row: row, column: rect.column))
        canvas.setGround(Rect(row: row, column: rect.column, rows: 1, columns: rect.columns), .selected)
      }
    }
    if list.top + rect.rows < entries.count {
      canvas.put("▼", row: rect.endRow - 1, column: rect.endColumn, style: .muted)
    }
  }
}
