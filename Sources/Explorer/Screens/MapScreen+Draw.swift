// Draws the map: axes with numbers, a plot of braille dots or blocks, the latents under the cursor beside it. A cell has up to
// 16 latents as dots, and beyond that one of three shades; cells with chat-only latents are rings. Glyphs alone tell them
// apart; colours repeat it.

import Experiments
import Inference
import Reports
import Storage
import TUI

extension MapScreen {
  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = MapLayout(state)
    let map = state.map
    drawInfo(state, &canvas, layout.info)
    guard let bins = map.bins else {
      canvas.notice([map.points == nil ? "reading…" : "drawing…"], in: layout.plot)
      return nil
    }
    // A screen reader cannot read a plot; the list of the latents under the cursor has the numbers.
    if state.isSpoken {
      drawSide(state, bins, &canvas, layout)
      return nil
    }
    let glyphs = MapGlyphs(asciiOnly: state.asciiOnly, usesBlocks: map.usesBlocks)
    drawAxes(state, bins, &canvas, layout)
    drawPlot(map, bins, glyphs, &canvas, layout.plot)
    let marks = map.marksChatOnly ? "  \(glyphs.someChatOnly) some  \(glyphs.allChatOnly) all chat-only" : ""
    let origin = map.origin.map { "  \(glyphs.origin) latent \($0)" } ?? ""
    let short =
      glyphs.shortLegend + (map.marksChatOnly ? "  \(glyphs.someChatOnly)\(glyphs.allChatOnly) chat-only" : "")
    let texts = [glyphs.legend + marks + origin, short + origin, short, glyphs.shortLegend]
    canvas.put(
      texts.first { displayWidth($0) <= layout.legend.columns - 1 } ?? "", row: layout.legend.row,
      column: layout.legend.column + 1, style: .muted, clip: layout.legend)
    if bins.total == 0 {
      canvas.notice(
        map.only == nil
          ? ["no latent has both values", "x and U choose others"]
          : ["no latent of the table's filter has both values", "f shows all latents"], in: layout.plot)
    }
    drawSide(state, bins, &canvas, layout)
    let point = Point(row: layout.plot.row + map.cursor.row, column: layout.plot.column + map.cursor.column)
    return layout.plot.contains(point) ? point : nil
  }

  private static func drawInfo(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    let map = state.map
    let axes = "↑ \(name(map.y, state))  → \(name(map.x, state))"
    let end = canvas.put(truncated(axes, to: rect.columns - 2), row: rect.row, column: 1, style: .title, clip: rect)
    var text = ""
    if let box = map.box, let bins = map.bins {
      text = "box: \(grouped(bins.count(in: box))) latents, Enter lists them, Esc drops it"
    } else if let points = map.points, let bins = map.bins {
      text = "\(grouped(bins.total - bins.outside)) latents"
      if state.map.only != nil { text += " of \(grouped(points.count)), filtered" }
      if bins.outside > 0 { text += ", \(grouped(bins.outside)) outside" }
      if bins.missing > 0 { text += ", \(grouped(bins.missing)) without values" }
    }
    let room = rect.endColumn - end - 3
    canvas.put(
      truncated(text, to: room), row: rect.row, endingBefore: rect.endColumn - 1,
      style: map.corner == nil ? .muted : Style(.accent, .bold), clip: rect)
  }

  /// The table's name of a column; a metric has its own name.
  static func name(_ column: FilterColumn, _ state: ExplorerState) -> String {
    switch column {
    case .metric(let name): termSafe(name)
    case .column(let column): plain(LatentSort.column(column).title, state)
    }
  }

  private static func drawAxes(
    _ state: ExplorerState, _ bins: MapBins, _ canvas: inout Canvas, _ layout: MapLayout
  ) {
    let (plot, cursor) = (layout.plot, state.map.cursor)
    let line = layout.yAxis.endColumn - 1
    for row in 0..<plot.rows { canvas.put("│", row: plot.row + row, column: line, style: .muted) }
    canvas.put(
      "└" + String(repeating: "─", count: plot.columns), row: layout.xAxis.row, column: line, style: .muted)
    for tick in axisTicks(bins.window.y, count: max(2, plot.rows / 4)) {
      let row = bins.rows - 1 - Int((tick.value - bins.window.y.low) / bins.window.y.length * Double(bins.rows))
      guard (0..<plot.rows).contains(row) else { continue }
      canvas.put("┤", row: plot.row + row, column: line, style: .muted)
      canvas.put(truncated(tick.text, to: 7), row: plot.row + row, endingBefore: line, style: .muted)
    }
    var free = plot.column - 4
    for tick in axisTicks(bins.window.x, count: max(2, plot.columns / 10)) {
      let column = Int((tick.value - bins.window.x.low) / bins.window.x.length * Double(bins.columns))
      guard (0..<plot.columns).contains(column) else { continue }
      canvas.put("┬", row: layout.xAxis.row, column: plot.column + column, style: .muted)
      let width = displayWidth(tick.text)
      let start = min(plot.column + column - width / 2, plot.endColumn - width)
      guard start > free, layout.xAxis.rows > 1 else { continue }
      canvas.put(tick.text, row: layout.xAxis.row + 1, column: start, style: .muted)
      free = start + width
    }
    if (0..<plot.rows).contains(cursor.row) {
      canvas.put("▶", row: plot.row + cursor.row, column: line, style: Style(.accent, .bold))
    }
    if (0..<plot.columns).contains(cursor.column) {
      canvas.put("▲", row: layout.xAxis.row, column: plot.column + cursor.column, style: Style(.accent, .bold))
    }
  }

  private static func drawPlot(
    _ map: MapState, _ bins: MapBins, _ glyphs: MapGlyphs, _ canvas: inout Canvas, _ rect: Rect
  ) {
    let origin = map.origin.flatMap { bins.cell(of: $0) }
    for row in 0..<min(rect.rows, bins.rows) {
      var line: FlowLine = []
      for column in 0..<min(rect.columns, bins.columns) {
        let count = bins.count(row: row, column: column)
        let chatOnly = Int(bins.chatOnly[row * bins.columns + column])
        var (text, style) = (" ", Style.plain)
        if let origin, origin == (row, column) {
          (text, style) = (glyphs.origin, Style(.accent, .bold))
        } else if chatOnly > 0, map.marksChatOnly {
          (text, style) = (chatOnly == count ? glyphs.allChatOnly : glyphs.someChatOnly, Style(.chat, .bold))
        } else if count > 0 {
          (text, style) = (glyphs.density(count, dots: bins.dots[row * bins.columns + column]), Style(.base))
        }
        if let last = line.last, last.style == style {
          line[line.count - 1].text += text
        } else {
          line.append(FlowSpan(text: text, style: style))
        }
      }
      canvas.put(line, row: rect.row + row, column: rect.column, clip: rect)
    }
    let corner = map.corner ?? map.cursor
    canvas.setGround(
      Rect(
        row: rect.row + min(corner.row, map.cursor.row), column: rect.column + min(corner.column, map.cursor.column),
        rows: abs(corner.row - map.cursor.row) + 1, columns: abs(corner.column - map.cursor.column) + 1), .selected)
  }

  private static func drawSide(_ state: ExplorerState, _ bins: MapBins, _ canvas: inout Canvas, _ layout: MapLayout) {
    guard !layout.side.isEmpty else { return }
    let map = state.map
    let here = map.latentsHere
    let side = layout.side
    canvas.heading(
      map.corner != nil ? "The box" : here.isEmpty ? "No latent here" : "\(grouped(here.count)) here",
      note: map.corner != nil ? "" : "most specific first", in: side)
    let cell =
      map.box ?? bins.box(rows: map.cursor.row...map.cursor.row, columns: map.cursor.column...map.cursor.column)
    for (index, part) in [(map.x, cell.x), (map.y, cell.y)].enumerated() {
      let values = "\(shortNumber(part.1.low)) to \(shortNumber(part.1.high))"
      let line = side.line(1 + index)
      canvas.put(
        truncated(name(part.0, state), to: line.columns - displayWidth(values) - 1), row: line.row, column: line.column,
        style: .muted, clip: line)
      canvas.put(values, row: line.row, endingBefore: line.endColumn, clip: line)
    }
    guard map.corner == nil else {
      canvas.notice(["Enter lists", "its latents"], in: layout.latents)
      return
    }
    if here.isEmpty, bins.outside < bins.total {
      canvas.notice(["Tab goes to", "the nearest"], in: layout.latents)
    }
    for index in map.list.visible(count: here.count, height: layout.latents.rows) {
      let line = layout.latents.line(index - map.list.top)
      let row = state.latents.rows[here[index]]
      let isChatOnly = row?.latent.latentClass == .chatOnly
      let mark = isChatOnly ? (state.asciiOnly ? "O " : "● ") : "  "
      var column = canvas.put(mark, row: line.row, column: line.column, style: Style(.chat, .bold), clip: line)
      column = canvas.put(String(here[index]).leftPadded(to: 5) + " ", row: line.row, column: column, clip: line)
      let tags = row?.tags.joined(separator: ", ") ?? ""
      canvas.put(
        truncated(row == nil ? "…" : tags.isEmpty ? row?.summary ?? "" : tags, to: line.endColumn - column),
        row: line.row, column: column, style: tags.isEmpty ? .muted : Style(.tag), clip: line)
      if index == map.list.selected { canvas.setGround(line, .selected) }
    }
    guard layout.details.rows >= 4, let id = map.selectedID, let row = state.latents.rows[id] else { return }
    canvas.heading("Latent \(id)", note: row.latent.latentClass.rawValue, in: layout.details)
    let latent = row.latent
    let lines = [
      "\(plain("Δ norm", state)) \(fixed(latent.deltaNorm, 2))  cos \(fixed(latent.cosBaseChat, 2))",
      "\(plain("ν^ε", state)) \(fixed(latent.nuError, 2))  \(plain("ν^r", state)) \(fixed(latent.nuReconstruction, 2))",
      "max \(fixed(latent.maxActivation, 1))  on \(percent(latent.frequency))",
    ]
    for (index, text) in lines.enumerated() {
      canvas.put(text, row: layout.details.row + 1 + index, column: side.column, clip: layout.details)
    }
  }
}
