// Draws the next token's distribution on the steer screen.

import Experiments
import Inference
import Reports
import Storage
import TUI

extension SteerScreen {
  /// Draws the table: baseline's likeliest tokens at the left, the steered ones at the right, under the panes' columns.
  static func drawPreview(_ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    let (preview, rect) = (state.steer.preview, layout.preview)
    guard !rect.isEmpty else { return }
    let isCurrent = preview.answers == state.steer.request.withoutSampling
    canvas.heading(
      "Next token", note: previewNote(state, isCurrent: isCurrent), style: .title, in: rect)
    let body = rect.split(top: 1).rest
    if case .failed(let reason) = preview.phase {
      for (index, line) in flowLines([FlowToken(reason, style: Style(.danger))], width: body.columns)
        .prefix(body.rows).enumerated()
      {
        canvas.put(line, row: body.row + index, column: body.column, clip: body)
      }
      return
    }
    guard let tokens = preview.tokens, isOfThePrompt(state.steer) else { return }
    let left = Rect(row: body.row, column: layout.baseline.column, rows: body.rows, columns: layout.baseline.columns)
    let answerRows = body.rows >= 3 ? 1 : 0
    let listRows = body.rows - answerRows
    for index in 0..<listRows {
      if layout.isWide, tokens.likelyUnsteered.indices.contains(index) {
        draw(tokens.likelyUnsteered[index], \.unsteered, Style(.base), &canvas, left.line(index))
      }
      guard tokens.likelySteered.indices.contains(index) else { continue }
      let column = layout.isWide ? layout.steered.column : body.column
      draw(
        tokens.likelySteered[index], \.steered, Style(.chat), &canvas,
        Rect(row: body.row + index, column: column, rows: 1, columns: body.endColumn - column))
    }
    guard answerRows > 0 else { return }
    let line = body.line(body.rows - 1)
    let start = canvas.put("steered: ", row: line.row, column: line.column, style: .muted, clip: line)
    canvas.put(
      truncated(oneLine(preview.text), to: line.endColumn - start), row: line.row, column: start,
      style: isCurrent ? .plain : .muted, clip: line)
  }

  /// Draws a token, its probability as number and bar, and at the right the change by steering.
  private static func draw(
    _ token: NextTokens.Token, _ side: KeyPath<NextTokens.Token, Double>, _ style: Style, _ canvas: inout Canvas,
    _ line: Rect
  ) {
    let nameWidth = min(16, max(6, line.columns / 3))
    canvas.put(
      truncated(visible(token.text), to: nameWidth), row: line.row, column: line.column, clip: line)
    let probability = token[keyPath: side]
    var column = canvas.put(
      fixed(probability, 3).leftPadded(to: 6) + " ", row: line.row, column: line.column + nameWidth, clip: line)
    let changeWidth = side == \.steered ? 8 : 0
    let bar = Rect(row: line.row, column: column, rows: 1, columns: min(20, line.endColumn - column - changeWidth))
    if bar.columns > 2 {
      canvas.bar(probability, in: bar, style: style)
      column = bar.endColumn
    }
    guard changeWidth > 0 else { return }
    let change = token.steered - token.unsteered
    canvas.put(
      String(abs(change) < 0.0005 ? "=" : signed(change, 3)).leftPadded(to: changeWidth), row: line.row, column: column,
      style: .muted, clip: line)
  }

  private static func previewNote(_ state: ExplorerState, isCurrent: Bool) -> String {
    let steer = state.steer
    if case .failed = steer.preview.phase { return "it failed: \(retryHint)" }
    guard let tokens = steer.preview.tokens, isOfThePrompt(steer) else {
      switch steer.model {
      case .absent, .loading: return "comes as soon as the model is loaded"
      case .failed: return "no model: \(retryHint)"
      case .ready: break
      }
      if steer.prompt.text.trimmed.isEmpty { return "of a prompt" }
      return steer.focus == .prompt ? "follows the knob: Esc leaves the prompt" : ""
    }
    let change = state.asciiOnly ? "|dh|/|h|" : "‖Δh‖/‖h‖"
    let numbers = "KL \(fixed(tokens.divergence, 3)) nats, \(change) \(fixed(tokens.relativeChange, 2))"
    return isCurrent ? numbers : numbers + " …"
  }

  /// Whether the shown distribution belongs to the present prompt, even if not to the present settings.
  private static func isOfThePrompt(_ steer: SteerState) -> Bool {
    guard let answers = steer.preview.answers else { return false }
    return answers.prompt == steer.prompt.text && answers.turns == steer.turns
  }

  private static let retryHint = "x tries again"

  /// The text in one line, with its line breaks visible.
  private static func oneLine(_ text: String) -> String { text.replacing("\n", with: "↵") }
}
