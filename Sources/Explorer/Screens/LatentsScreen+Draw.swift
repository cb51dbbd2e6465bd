// Draws the table of latents: a line about the list, the table, classes and histogram, and a preview of the latent on which the
// cursor last rested. Cells are in LatentsScreen+Cells.swift, the histogram in LatentsScreen+Histogram.swift.

import Diffing
import Experiments
import Reports
import Storage
import TUI

/// The areas of the screen's parts. Parts that depend on the order stand below the table, so that the names of its
/// columns, which can be clicked, stay in place.
struct LatentsLayout {
  let info: Rect
  let classes: Rect
  let histogram: Rect
  let table: Rect
  let preview: Rect

  init(_ state: ExplorerState) {
    let (info, below) = state.body.split(top: 1)
    let (rest, preview) = below.split(bottom: below.rows >= 16 ? 5 : 0)
    let (table, overview) = rest.split(bottom: state.latents.overviewRows(state))
    (self.info, self.table, self.preview, (classes, histogram)) = (info, table, preview, overview.split(top: 1))
  }

  /// The names of the table's columns.
  var head: Rect { table.line(0) }

  /// The table's rows without its head.
  var rows: Rect { table.split(top: 1).rest }
  var rowsVisible: Int { max(1, table.rows - 1) }
}

extension LatentsScreen {
  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = LatentsLayout(state)
    let cursor = drawInfo(state, &canvas, layout.info)
    let latents = state.latents
    drawClasses(state, &canvas, layout.classes)
    drawHistogram(state, &canvas, layout.histogram)
    drawTable(state, &canvas, layout)
    if latents.ids?.isEmpty == true {
      canvas.notice(
        latents.query.isFiltered
          ? ["no latent matches the filter", "x clears it"]
          : ["this store has no latents", "F7 shows what its two models differ in"],
        in: layout.rows)
    }
    if latents.selectedID != nil, let id = latents.previewed, !layout.preview.isEmpty {
      drawPreview(id, state, &canvas, layout.preview)
    }
    if let cursor { drawUnderFilter(cursor, state, &canvas, body) }
    return cursor
  }

  /// Draws completions, or the place of a mistake, under the filter line while it is typed.
  private static func drawUnderFilter(_ cursor: Point, _ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) {
    let filter = state.latents.filter
    func column(of position: Int) -> Int {
      let text = filter.parts.before + filter.parts.after
      return max(1, cursor.column + displayWidth(String(text.prefix(position))) - displayWidth(filter.parts.before))
    }
    if let list = state.latents.completion {
      let items = list.words.items
      let rows = min(items.count, max(1, min(10, body.rows - 2)))
      let width = (items.map { displayWidth($0.text) }.max() ?? 0)
      let full = min(body.columns - 2, width + 3 + (items.map { displayWidth($0.help) }.max() ?? 0) + 1)
      let left = min(column(of: list.words.range.lowerBound), body.endColumn - full)
      let box = Rect(row: cursor.row + 1, column: left, rows: rows, columns: full)
      canvas.fill(box, style: Style(.plain, on: .panel))
      var window = ListState()
      window.select(list.selected, count: items.count, height: rows)
      for index in window.visible(count: items.count, height: rows) {
        let line = box.line(index - window.top)
        let ground: Role = index == list.selected ? .selected : .panel
        canvas.fill(line, style: Style(.plain, on: ground))
        // Without colours a sign marks the chosen one.
        canvas.put(
          (index == list.selected ? "›" : " ") + items[index].text, row: line.row, column: line.column,
          style: Style(.plain, on: ground), clip: line)
        canvas.put(
          truncated(items[index].help, to: full - width - 3), row: line.row, column: line.column + width + 3,
          style: Style(.muted, on: ground), clip: line)
      }
    } else if state.latents.filterError != nil, let position = state.latents.errorPosition {
      let line = Rect(row: cursor.row + 1, column: 0, rows: 1, columns: body.columns)
      canvas.fill(line)
      canvas.put("▲", row: line.row, column: column(of: position), style: Style(.danger, .bold), clip: line)
    }
  }

  private static func drawInfo(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) -> Point? {
    let latents = state.latents
    let query = latents.query
    func words(_ order: LatentOrder) -> String {
      plain(order.sort.title, state) + (order.ascending ? " ▲" : " ▼")
    }
    // If there is room for it, the line of classes says the same.
    let only = query.latentClass.flatMap { LatentsLayout(state).classes.isEmpty ? "\($0.rawValue), " : nil } ?? ""
    let order = truncated(
      only + "by " + words(query.first) + (query.then.map { " then " + words($0) } ?? ""), to: rect.columns / 2)
    let marked = latents.marked.isEmpty ? "" : " · \(grouped(latents.marked.count)) marked"
    canvas.put(order, row: rect.row, endingBefore: rect.endColumn - 1, style: .muted)
    let left = Rect(row: rect.row, column: 1, rows: 1, columns: rect.columns - displayWidth(order) - 4)
    if latents.isTypingFilter || !latents.filter.isEmpty {
      let found = latents.filterError == nil ? "\(grouped(latents.count)) of \(grouped(state.store.nLatents))" : "?"
      let note = found + marked
      let (field, count) = left.split(left: left.columns - displayWidth(note) - 2, gap: 2)
      let style: Style = latents.filterError == nil ? .plain : Style(.danger, .underline)
      // At rest the beginning of the filter is shown, while it is typed the place of the cursor.
      guard latents.isTypingFilter else {
        let end = canvas.put("/", row: rect.row, column: field.column, style: Style(.accent, .bold), clip: field)
        canvas.put(
          truncated(latents.filter.text, to: field.endColumn - end), row: rect.row, column: end, style: style,
          clip: field)
        canvas.put(note, row: rect.row, column: count.column, style: .muted, clip: count)
        return nil
      }
      let cursor = canvas.input(
        latents.filter, label: "/", placeholder: "nu_error<0.2 and tag:refusal and \"text\"; Tab completes",
        style: style, in: field)
      canvas.put(note, row: rect.row, column: count.column, style: .muted, clip: count)
      return cursor
    }
    let text = latents.ids == nil ? "reading…" : "\(grouped(latents.count)) latents" + marked
    canvas.put(text, row: rect.row, column: 1, style: .muted, clip: left)
    return nil
  }

  /// Draws what the latent promotes and where it peaks, which is enough to decide whether to open it.
  private static func drawPreview(_ id: Int, _ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    canvas.heading(
      "Latent \(id)", note: state.latents.rows[id]?.latent.latentClass.rawValue ?? "", in: rect.inset(columns: 1))
    guard let page = state.pages[id] else { return }
    let inside = Rect(row: rect.row + 1, column: 1, rows: rect.rows - 1, columns: rect.columns - 2)
    var lines: [FlowLine] = []
    if let note = page.note {
      lines.append([
        FlowSpan(text: "note      ", style: .muted),
        FlowSpan(text: truncated(note, to: inside.columns - 10), style: .plain),
      ])
    }
    for logits in page.logits where logits.direction == .chat {
      lines.append(
        [FlowSpan(text: "promotes  ", style: .muted)] + lensSpans(logits.promoted, page, width: inside.columns - 10))
    }
    for context in page.contexts.prefix(4) {
      lines.append(
        [FlowSpan(text: "\(fixed(Double(context.maxActivation), 1))".leftPadded(to: 8) + "  ", style: .muted)]
          + flowWindow(
            contextTokens(context, page, largest: Double(context.maxActivation)), around: context.peak,
            width: inside.columns - 10, asciiMarkers: state.asciiOnly))
    }
    for (index, line) in lines.prefix(inside.rows).enumerated() {
      canvas.put(line, row: inside.row + index, column: inside.column, clip: inside)
    }
  }
}
