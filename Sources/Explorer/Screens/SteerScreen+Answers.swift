// Draws the answers of the steer screen: two or three panes of text with their measures below.

import Experiments
import Kernels
import TUI

extension SteerScreen {
  static func drawAnswers(_ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    let isFocused = state.steer.focus == .answers
    let lead = isFocused ? "› " : ""
    canvas.heading(
      lead + "Baseline (chat)", note: modelNote(state), style: isFocused ? Style(.accent, .bold) : Style(.base, .bold),
      in: layout.baseline)
    canvas.heading(
      "Steered", note: runNote(state.steer, asciiOnly: state.asciiOnly),
      style: isFocused ? Style(.accent, .bold) : Style(.chat, .bold),
      in: layout.steered)
    if let frozen = layout.frozen {
      canvas.heading(
        "Attention frozen", note: state.steer.run?.measuredFrozen.map { "KL \(fixed($0.klMean, 3))" } ?? "",
        style: isFocused ? Style(.accent, .bold) : Style(.chat, .bold), in: frozen)
    }
    guard let run = state.steer.run else {
      canvas.notice(["Enter answers the prompt", "without the latents"], in: layout.baseline.split(top: 1).rest)
      canvas.notice(["and with those", "that are on"], in: layout.steered.split(top: 1).rest)
      if let frozen = layout.frozen {
        canvas.notice(["and with the", "baseline's attention"], in: frozen.split(top: 1).rest)
      }
      return
    }
    for (answer, differing, pane) in SteerLayout.answers(run, layout) {
      draw(shown(answer, run, state), differing, state, &canvas, pane.split(top: 1).rest)
    }
    drawMeasures(run, state, &canvas, layout)
    drawActivations(run, state, &canvas, layout)
    if case .failed(let reason) = run.phase {
      canvas.put(
        truncated(reason, to: layout.steered.columns), row: layout.steered.endRow - 1, column: layout.steered.column,
        style: Style(.danger), clip: layout.steered)
    }
  }

  /// The answer with the cursor, which is only shown while the answers have the focus.
  private static func shown(_ answer: ShownAnswer, _ run: SteerRun, _ state: ExplorerState) -> ShownAnswer {
    var answer = answer
    if state.steer.focus == .answers, run.measured != nil { answer.cursor = run.cursor }
    return answer
  }

  private static func modelNote(_ state: ExplorerState) -> String {
    switch state.steer.model {
    case .absent: "model not loaded"
    case .loading: "loading the model…"
    case .ready: state.store.chat
    case .failed: "no model"
    }
  }

  private static func runNote(_ steer: SteerState, asciiOnly: Bool) -> String {
    if steer.isWaitingForModel { return "waiting for the model" }
    guard let run = steer.run else { return "" }
    // Without this note old answers could be taken for those of the new settings.
    if !run.isGoingOn, run.request != steer.request { return "settings changed since" }
    switch run.phase {
    case .running: return "generating, \(run.steered.count)…"
    case .measuring: return "measuring…"
    case .cancelled: return "cancelled"
    case .failed: return "failed"
    case .finished(let document):
      let label = asciiOnly ? "|dh|/|h|" : "‖Δh‖/‖h‖"
      let change = run.measured?.steered.relativeChange.map { ", \(label) \(fixed($0, 2))" } ?? ""
      return document.outputs.tokensPerSecond.map { "\(fixed($0, 0)) tokens/s\(change)" } ?? "done\(change)"
    }
  }

  /// Draws the text of one side, scrolled back from its end.
  private static func draw(
    _ answer: ShownAnswer, _ differing: Set<Int>, _ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect
  ) {
    let lines = SteerLayout.lines(answer, differing, width: rect.columns, state)
    let top = max(0, lines.count - rect.rows - state.steer.scrolledBack)
    for (index, line) in lines.dropFirst(top).prefix(rect.rows).enumerated() {
      canvas.put(line, row: rect.row + index, column: rect.column, clip: rect)
    }
  }
}
