// How the table of latents looks: a line about the list, the table, a preview of the latent under the cursor.

import Storage
import TUI

/// Where the parts of the screen lie.
struct LatentsLayout {
  let info: Rect
  let table: Rect
  let preview: Rect

  init(_ state: ExplorerState) {
    let (info, rest) = state.body.split(top: 1)
    let (table, preview) = rest.split(bottom: rest.rows >= 16 ? 5 : 0)
    (self.info, self.table, self.preview) = (info, table, preview)
  }

  /// The table's rows without its head.
  var rows: Rect { table.split(top: 1).rest }
  var rowsVisible: Int { max(1, table.rows - 1) }
}

extension ScreenDefinition {
  @Sendable static func drawLatents(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = LatentsLayout(state)
    let cursor = drawInfo(state, &canvas, layout.info)
    let latents = state.latents
    canvas.table(columns(state), count: latents.count, state: latents.list, in: layout.table) { index in
      guard let id = latents.ids?[index], let row = latents.rows[id] else { return [.text("…", .muted)] }
      return cells(row, isMarked: latents.marked.contains(id), state)
    }
    if latents.ids?.isEmpty == true {
      canvas.notice(
        latents.query.filter.isEmpty ? ["this store has no latents"] : ["no latent matches the filter", "x clears it"],
        in: layout.rows)
    }
    if let id = latents.selectedID, !layout.preview.isEmpty { drawPreview(id, state, &canvas, layout.preview) }
    return cursor
  }

  private static func drawInfo(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) -> Point? {
    let latents = state.latents
    let query = latents.query
    let ascending = query.sort.ascendsByDefault != query.reversed
    let order = "by \(plain(query.sort.title, state)) \(ascending ? "▲" : "▼")"
    canvas.put(order, row: rect.row, endingBefore: rect.endColumn - 1, style: .muted)
    let left = Rect(row: rect.row, column: 1, rows: 1, columns: rect.columns - displayWidth(order) - 4)
    if latents.isTypingFilter || !latents.filter.isEmpty {
      let note = latents.filterError == nil ? "\(grouped(latents.count)) of \(grouped(state.store.nLatents))" : "?"
      let (field, count) = left.split(left: left.columns - displayWidth(note) - 2, gap: 2)
      let style: Style = latents.filterError == nil ? .plain : Style(.danger, .underline)
      // At rest its beginning shows, while it is typed the place of the cursor.
      guard latents.isTypingFilter else {
        let end = canvas.put("/", row: rect.row, column: field.column, style: Style(.accent, .bold), clip: field)
        canvas.put(
          truncated(latents.filter.text, to: field.endColumn - end), row: rect.row, column: end, style: style,
          clip: field)
        canvas.put(note, row: rect.row, column: count.column, style: .muted, clip: count)
        return nil
      }
      let cursor = canvas.input(
        latents.filter, label: "/", placeholder: "nu_error<0.2 and tag:refusal and \"text\"", style: style, in: field)
      canvas.put(note, row: rect.row, column: count.column, style: .muted, clip: count)
      return cursor
    }
    var text = latents.ids == nil ? "reading…" : "\(grouped(latents.count)) latents"
    if !latents.marked.isEmpty { text += " · \(latents.marked.count) marked" }
    canvas.put(text, row: rect.row, column: 1, style: .muted, clip: left)
    return nil
  }

  private static func columns(_ state: ExplorerState) -> [TableColumn] {
    let query = state.latents.query
    let direction: TableColumn.Sorted = query.sort.ascendsByDefault != query.reversed ? .ascending : .descending
    func column(_ title: String, _ width: Int?, _ alignment: TableColumn.Alignment, _ sort: LatentSort?) -> TableColumn
    {
      TableColumn(plain(title, state), width: width, alignment, sorted: sort == query.sort ? direction : .no)
    }
    let isWide = state.size.columns >= 110
    var columns = [
      column("#", 5, .right, .chatSpecificity), column("latent", 7, .right, .id),
      column("Δ norm", isWide ? 14 : 11, .left, .deltaNorm),
      column("ν^ε", isWide ? 14 : 10, .left, .nuError), column("ν^r", isWide ? 14 : 10, .left, .nuReconstruction),
      column("max", 6, .right, .maxActivation), column("freq", 7, .right, .frequency),
    ]
    if isWide {
      columns += [
        column("templ", 6, .right, .templateShare), column("cos", 6, .right, .cosBaseChat),
        column("class", 9, .left, nil),
      ]
    }
    if case .metric(let name) = query.sort {
      columns.append(column(truncated(termSafe(name), to: 10), 10, .right, query.sort))
    }
    return columns + [column("tags, tokens", nil, .left, nil)]
  }

  private static func cells(_ row: LatentRow, isMarked: Bool, _ state: ExplorerState) -> [TableCell] {
    let latent = row.latent
    func bar(_ value: Double?, _ style: Style) -> TableCell {
      .bar(value ?? 0, value: fixed(value, 2), valueWidth: 5, style)
    }
    let side = Style((latent.deltaNorm ?? 0.5) >= 0.5 ? .chat : .base)
    var cells: [TableCell] = [
      .text(
        (isMarked ? "●" : "") + (latent.chatSpecificity.map(String.init) ?? "–"),
        isMarked ? Style(.accent, .bold) : .muted),
      .text(String(latent.id)), bar(latent.deltaNorm, side),
      bar(latent.nuError, Style(.base)), bar(latent.nuReconstruction, Style(.base)),
      .text(fixed(latent.maxActivation, 1)),
      .text(latent.dead ? "dead" : percent(latent.frequency), latent.dead ? .muted : .plain),
    ]
    if state.size.columns >= 110 {
      cells += [
        .text(percent(latent.templateShare)), .text(fixed(latent.cosBaseChat, 2)),
        .text(latent.latentClass.rawValue, .muted),
      ]
    }
    if case .metric = state.latents.query.sort { cells.append(.text(shortNumber(latent[state.latents.query.sort]))) }
    // Tags are what the user thinks of it; until there are any, its tokens or an explanation say what it is about.
    return cells + [
      row.tags.isEmpty ? .text(row.summary ?? "", .muted) : .text(row.tags.joined(separator: ", "), Style(.tag))
    ]
  }

  /// What the latent promotes and where it peaks: enough to decide whether to open it.
  private static func drawPreview(_ id: Int32, _ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    canvas.heading(
      "Latent \(id)", note: state.latents.rows[id]?.latent.latentClass.rawValue ?? "", in: rect.inset(columns: 1))
    guard let page = state.pages[id] else { return }
    let inside = Rect(row: rect.row + 1, column: 1, rows: rect.rows - 1, columns: rect.columns - 2)
    var lines: [FlowLine] = []
    if let note = page.note {
      lines.append([FlowSpan(text: "note      ", style: .muted), FlowSpan(text: note, style: .plain)])
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

  /// Greek letters spelled out where only ASCII is drawn.
  static func plain(_ title: String, _ state: ExplorerState) -> String {
    guard state.asciiOnly else { return title }
    switch title {
    case "Δ norm": return "delta"
    case "ν^ε": return "nu_err"
    case "ν^r": return "nu_rec"
    default: return title
    }
  }
}

extension String {
  /// Blanks in front, up to a width.
  func leftPadded(to count: Int) -> String { String(repeating: " ", count: max(0, count - displayWidth(self))) + self }
  /// Blanks behind, up to a width.
  func rightPadded(to count: Int) -> String { self + String(repeating: " ", count: max(0, count - displayWidth(self))) }
}
