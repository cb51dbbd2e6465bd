// The other parts of the prompt screen: the editor of a text or chat, the list of latents, the next tokens.

import Diffing
import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

extension PromptScreen {
  // MARK: Editor

  /// Draws the editor and returns the cell of the text cursor.
  static func drawEditor(_ state: ExplorerState, _ canvas: inout Canvas, _ layout: PromptLayout) -> Point? {
    let editor = state.prompt.editor
    let kind =
      editor.isCarried ? "a context's own tokens" : editor.isRaw ? "raw text" : "in the chat template"
    canvas.heading("› Prompt", note: kind, style: Style(.accent, .bold), in: layout.heading)
    guard !editor.isRaw else {
      return canvas.paragraph(
        editor.raw, placeholder: "type or paste a text, then Enter", breakLines: true, in: layout.editor)
    }
    // Turns are drawn upwards and downwards from the typed one, as far as there is room.
    let labelWidth = 12
    let heights = editor.turns.map { $0.text.rows(width: layout.editor.columns - labelWidth) }
    var first = editor.turn
    var used = min(heights[first], layout.editor.rows)
    while first > 0, used + heights[first - 1] <= layout.editor.rows {
      first -= 1
      used += heights[first]
    }
    var (cursor, rest): (Point?, Rect) = (nil, layout.editor)
    for index in first..<editor.turns.count where !rest.isEmpty {
      let isActive = index == editor.turn
      let part: Rect
      (part, rest) = rest.split(top: min(heights[index], rest.rows))
      let (label, text) = part.split(left: labelWidth)
      canvas.put(
        (isActive ? "› " : "  ") + editor.turns[index].role.rawValue, row: label.row, column: label.column,
        style: isActive ? Style(.accent, .bold) : .muted, clip: label)
      let place = canvas.paragraph(
        editor.turns[index].text, placeholder: "type what the \(editor.turns[index].role.rawValue) says, then Enter",
        breakLines: true, in: text)
      if isActive { cursor = place }
    }
    return cursor
  }

  // MARK: Latents

  /// Draws the latents of the token or of the text.
  static func drawList(_ state: ExplorerState, _ canvas: inout Canvas, _ layout: PromptLayout) {
    let prompt = state.prompt
    let title = listTitle(prompt)
    let room = layout.list.columns - displayWidth(title) - 4
    canvas.heading(title, note: filterNote(state, room: room), in: layout.list)
    let rows = PromptState.rows(state)
    let table = layout.list.split(top: 1).rest
    guard !rows.isEmpty else {
      let why = prompt.isWholeText || prompt.token?.isLeftOut == false ? "no latent passes the filters" : leftOut
      canvas.notice([why], in: table)
      return
    }
    let hasBar = layout.list.columns >= 56
    var columns = [
      TableColumn("latent", width: 6, .right),
      TableColumn(prompt.isWholeText ? prompt.aggregate.rawValue : "value", width: 7, .right),
      TableColumn("of max", width: hasBar ? 14 : 6, .right),
    ]
    if prompt.isWholeText { columns.append(TableColumn("tokens", width: 6, .right)) }
    columns.append(TableColumn("tags, tokens", width: nil))
    canvas.table(columns, count: rows.count, state: prompt.list, in: table) { index in
      cells(rows[index], hasBar: hasBar, state)
    }
  }

  private static let leftOut = "left out: a first token's or an outlier's codes mean nothing"

  private static func listTitle(_ prompt: PromptState) -> String {
    guard !prompt.isWholeText else { return "Text" }
    let text = prompt.run.map { $0.texts.indices.contains(prompt.cursor) ? $0.texts[prompt.cursor] : "" } ?? ""
    return "Token \(prompt.cursor) “\(truncated(text, to: 12))”"
  }

  /// The active filters, as far as the heading has room for them.
  private static func filterNote(_ state: ExplorerState, room: Int) -> String {
    let prompt = state.prompt
    let cut = prompt.filter.maxFrequency == nil ? "any" : state.asciiOnly ? "<= 1%" : "≤ 1%"
    let template = prompt.isWholeText && prompt.countsTemplate ? ", template" : ""
    let specific = prompt.filter.chatSpecificOnly ? "chat-specific, " : ""
    let notes = ["\(specific)freq \(cut)\(template)", "\(specific)\(cut)\(template)"]
    return notes.first { displayWidth($0) <= room } ?? ""
  }

  private static func cells(_ row: PromptState.Row, hasBar: Bool, _ state: ExplorerState) -> [TableCell] {
    let known = state.latents.rows[row.latent]
    let isSilent = row.value <= 0
    let share = known?.latent.maxActivation.flatMap { $0 > 0 ? row.value / $0 : nil }
    let shareText = isSilent ? "" : share.map { fixed($0 * 100, 0) + "%" } ?? "–"
    let side = Style((known?.latent.deltaNorm ?? 0.5) >= 0.5 ? .chat : .base)
    var cells: [TableCell] = [
      .text(String(row.latent)), .text(isSilent ? "silent" : fixed(row.value, 1), isSilent ? .muted : .plain),
      hasBar && !isSilent ? .bar(share ?? 0, value: shareText, valueWidth: 5, side) : .text(shareText),
    ]
    if state.prompt.isWholeText { cells.append(.text(row.tokens.map(String.init) ?? "")) }
    guard let known else { return cells + [.text("reading…", .muted)] }
    return cells + [
      known.tags.isEmpty ? .text(known.summary ?? "", .muted) : .text(known.tags.joined(separator: ", "), Style(.tag))
    ]
  }

  // MARK: Next tokens

  /// Draws what base and chat expect after the token, side by side; › marks the token that does come.
  static func drawNext(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    guard rect.rows > 2, let run = state.prompt.run, let token = state.prompt.token else { return }
    canvas.heading("Next token", in: rect)
    var rest = rect.split(top: 1).rest
    if token.klChatBase != nil, rest.rows > 4 {
      let lines: Rect
      (rest, lines) = rest.split(bottom: 2)
      for (index, (name, value)) in [
        ("KL(chat ‖ base)", token.klChatBase), ("KL(base ‖ chat)", token.klBaseChat),
      ].enumerated() {
        let name = state.asciiOnly ? name.replacing("‖", with: "||") : name
        canvas.put(
          name + fixed(value, 3).leftPadded(to: 9) + " nats", row: lines.row + index, column: lines.column,
          style: .muted, clip: lines)
      }
    }
    let (left, right) = rest.split(left: (rest.columns - 2) / 2, gap: 2)
    let following = run.tokens.indices.contains(state.prompt.cursor + 1) ? run.tokens[state.prompt.cursor + 1].id : nil
    drawCandidates("base", token.base, Style(.base), following, run, &canvas, left)
    drawCandidates("chat", token.chat, Style(.chat), following, run, &canvas, right)
  }

  private static func drawCandidates(
    _ title: String, _ candidates: [TokenProbability], _ style: Style, _ following: Int32?, _ run: PromptRun,
    _ canvas: inout Canvas, _ rect: Rect
  ) {
    guard !rect.isEmpty else { return }
    canvas.put(
      candidates.isEmpty ? "no \(title) model" : title, row: rect.row, column: rect.column + 1,
      style: Style(style.foreground, .bold), clip: rect)
    let rows = rect.split(top: 1).rest
    let nameWidth = max(6, (rows.columns - 7) * 2 / 3)
    for (index, candidate) in candidates.prefix(rows.rows).enumerated() {
      let line = rows.line(index)
      let isNext = candidate.id == following
      let column = canvas.put(
        (isNext ? "›" : " ")
          + truncated(visibleToken(candidate.id, run.names), to: nameWidth).rightPadded(to: nameWidth),
        row: line.row, column: line.column, style: isNext ? Style(.accent, .bold) : .plain, clip: line)
      let end = canvas.put(
        fixed(candidate.probability, 2).leftPadded(to: 5) + " ", row: line.row, column: column, clip: line)
      canvas.bar(
        candidate.probability, in: Rect(row: line.row, column: end, rows: 1, columns: line.endColumn - end),
        style: style)
    }
  }
}
