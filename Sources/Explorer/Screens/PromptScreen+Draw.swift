// Draws the prompt screen's text with tokens coloured and underlined by activation, and strips over the text.

import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

extension PromptScreen {
  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = PromptLayout(state)
    let prompt = state.prompt
    let typing = prompt.isTyping ? drawEditor(state, &canvas, layout) : nil
    guard !prompt.tokens.isEmpty else {
      if !prompt.isTyping { drawEmpty(state, &canvas, body) }
      return state.overlay == nil ? typing : nil
    }
    canvas.heading(textTitle(prompt), note: runNote(prompt), in: layout.textHeading)
    let cursor = drawText(state, &canvas, layout.text)
    guard !prompt.isTyping else { return state.overlay == nil ? typing : nil }
    drawStrips(state, &canvas, layout.strips)
    drawList(state, &canvas, layout)
    drawNext(state, &canvas, layout.next)
    return state.overlay == nil ? cursor : nil
  }

  private static func drawEmpty(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) {
    switch state.prompt.run?.phase {
    case .loading(let what)?: canvas.notice([what.isEmpty ? "loading the models…" : "\(what)…"], in: body)
    case .running?: canvas.notice(["tracing…"], in: body)
    case .failed(let reason)?:
      let lines = flowLines([FlowToken(reason)], width: body.columns - 8).map { $0.map(\.text).joined() }
      canvas.notice(lines + ["", "i edits the text"], style: Style(.danger), in: body)
    case .cancelled?: canvas.notice(["reading was cancelled", "i edits the text, Enter there reads it"], in: body)
    case .finished?, nil:
      canvas.notice(
        ["this screen shows which latents fire on a text of yours", "i edits it, Enter there reads it"], in: body)
    }
  }

  private static func textTitle(_ prompt: PromptState) -> String {
    switch prompt.run?.request.source {
    case .raw?: "Raw text"
    case .tokens?: "Context"
    case .chat?, nil: "Chat"
    }
  }

  /// A note on the reading. If the text was changed since, it says so, since the old tokens could be taken for the new
  /// text's.
  private static func runNote(_ prompt: PromptState) -> String {
    guard let run = prompt.run else { return "" }
    let count = "\(grouped(run.tokens.count)) tokens"
    if !run.isUnderWay, run.request.source != prompt.editor.source { return "\(count), text changed since" }
    switch run.phase {
    case .loading: return "loading the models…"
    case .running: return run.isAnswer ? "answering, \(count)…" : "reading, \(count)…"
    case .finished(let seconds): return "\(count) in \(fixed(seconds, 2)) s"
    case .cancelled: return "\(count), cancelled"
    case .failed: return "\(count), failed"
    }
  }

  // MARK: Text

  /// Draws the text around the cursor and returns the cell where its token begins.
  private static func drawText(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) -> Point? {
    let lines = flowLines(flowTokens(state), width: rect.columns, asciiMarkers: state.asciiOnly)
    func isCursor(_ span: FlowSpan) -> Bool { span.style.background == .selected }
    let line = lines.firstIndex { $0.contains(where: isCursor) } ?? 0
    let top = min(max(0, line - rect.rows / 2), max(0, lines.count - rect.rows))
    for (index, line) in lines.dropFirst(top).prefix(rect.rows).enumerated() {
      canvas.put(line, row: rect.row + index, column: rect.column, clip: rect)
    }
    guard lines.indices.contains(line), rect.rows > 0 else { return nil }
    let before = lines[line].prefix { !isCursor($0) }.reduce(0) { $0 + displayWidth($1.text) }
    return Point(row: rect.row + line - top, column: rect.column + before)
  }

  private static func flowTokens(_ state: ExplorerState) -> [FlowToken] {
    let prompt = state.prompt
    guard let run = prompt.run else { return [] }
    let values = colouring(state)
    let largest = scale(values, state)
    return run.tokens.indices.map { index in
      let token = run.tokens[index]
      let isCursor = index == prompt.cursor && !prompt.isTyping
      // A token that is a part of a character has no text, but the cursor must show.
      let text = run.texts[index].isEmpty && isCursor ? "…" : run.texts[index]
      let quiet = token.isTemplate || token.isLeftOut || run.names[token.id]?.isSpecial == true
      var flow = FlowToken(
        text, level: FlowToken.level(values[index], of: largest), style: quiet ? .muted : .plain)
      flow.isSelected = isCursor
      return flow
    }
  }

  /// The value of each token that its colour shows.
  private static func colouring(_ state: ExplorerState) -> [Double] {
    let prompt = state.prompt
    switch prompt.colours {
    case .latent: return prompt.tokens.map { token in prompt.selected.map { token.value(of: $0) } ?? 0 }
    case .total:
      let shown = Set(
        prompt.tokens.flatMap { $0.activations.map(\.latent) }.filter {
          PromptState.isShown($0, state)
        })
      return prompt.tokens.map { token in
        token.activations.reduce(0) { shown.contains($1.latent) ? $0 + Double($1.value) : $0 }
      }
    }
  }

  /// The value of the strongest colour: the latent's largest activation of all, or the text's largest sum.
  private static func scale(_ values: [Double], _ state: ExplorerState) -> Double {
    let here = values.max() ?? 0
    guard state.prompt.colours == .latent, let id = state.prompt.selected else { return here }
    return state.latents.rows[id]?.latent.maxActivation ?? here
  }

  // MARK: Strips

  /// Draws one cell for each token: the activation that the colours show, and the divergence of the models'
  /// predictions.
  private static func drawStrips(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    let prompt = state.prompt
    let isTotal = prompt.colours == .total
    let name = isTotal ? "total" : prompt.selected.map { "latent \($0)" } ?? "no latent"
    drawStrip(name, colouring(state), digits: 1, prompt.cursor, &canvas, rect.line(0))
    let divergences = prompt.tokens.map { $0.klChatBase ?? 0 }
    guard prompt.tokens.contains(where: { $0.klChatBase != nil }) else { return }
    drawStrip("KL next", divergences, digits: 2, prompt.cursor, &canvas, rect.line(1))
  }

  private static func drawStrip(
    _ name: String, _ values: [Double], digits: Int, _ cursor: Int, _ canvas: inout Canvas, _ line: Rect
  ) {
    guard !line.isEmpty else { return }
    let (label, rest) = line.split(left: 13)
    let note = "to \(fixed(values.max() ?? 0, digits))"
    let (strip, end) = rest.split(left: rest.columns - 10)
    canvas.put(truncated(name, to: 12), row: line.row, column: label.column, style: .muted, clip: label)
    canvas.put(note, row: line.row, endingBefore: end.endColumn, style: .muted, clip: end)
    let first = min(max(0, cursor - strip.columns / 2), max(0, values.count - strip.columns))
    let shown = Array(sparkline(values)).dropFirst(first).prefix(strip.columns)
    canvas.put(String(shown), row: line.row, column: strip.column, style: Style(.accent), clip: strip)
    canvas.setGround(
      Rect(row: line.row, column: strip.column + cursor - first, rows: 1, columns: 1), .selected)
  }
}
