// How experiments look when opened: prompt, latents and settings, then the answers side by side.

import Storage
import TUI

/// Where the parts of the screen lie.
struct ExperimentLayout {
  /// Lines about the experiment, or about both, with their names.
  let facts: [(name: String, text: String)]
  let factsRect: Rect
  let answers: Rect
  let left: Rect
  let right: Rect

  init(_ state: ExplorerState) {
    let body = state.body.inset(columns: 1)
    let runs = state.experiment.runs
    // A prompt may be long: it takes up to three lines.
    func prompt(_ name: String, _ text: String) -> [(String, String)] {
      let lines = flowLines(
        [FlowToken(String(text.prefix(2000)))], width: max(1, body.columns - displayWidth(name) - 5)
      )
      .map { $0.map(\.text).joined() }
      guard lines.count > 1, let first = lines.first else { return [(name, text)] }
      let rest = lines.dropFirst().prefix(2).enumerated().map { index, line in
        ("", index == 1 && lines.count > 3 ? line + "…" : line)
      }
      return [(name, first)] + rest
    }
    if runs.count == 2 {
      facts = [
        ("Prompt", { $0.record.prompt }), ("Latents", { $0.interventionsText }), ("Settings", { $0.parametersText }),
      ]
      .flatMap { (name: String, text: (SavedRun) -> String) -> [(String, String)] in
        let (first, second) = (text(runs[0]), text(runs[1]))
        if first == second { return name == "Prompt" ? prompt(name, first) : [(name, first)] }
        return zip(runs, [first, second]).map { ("\(name) \($0.name)", $1.opening) }
      }
    } else if let run = runs.first {
      facts =
        prompt("Prompt", run.record.prompt) + [
          ("Latents", run.interventionsText), ("Settings", run.parametersText),
          ("Made", "\(ScreenDefinition.when(run.record.created)) \(run.record.kind) \(run.versionsText)"),
        ]
    } else {
      facts = []
    }
    (factsRect, answers) = body.split(top: min(facts.count, max(0, body.rows - 6)))
    if body.columns >= 60 {
      (left, right) = answers.split(left: (answers.columns - 3) / 2, gap: 3)
    } else {
      (left, right) = answers.split(top: answers.rows / 2)
    }
  }

  static func lines(_ side: ExperimentState.Side, width: Int, _ state: ExplorerState) -> [FlowLine] {
    SteerLayout.lines(ShownAnswer(tokens: side.words, note: side.end), side.differing, width: width, state)
  }

  /// The table and charts of a sweep over a set of prompts, where that is what is open.
  func figures(_ state: ExplorerState) -> [String]? {
    guard state.experiment.runs.count == 1, let set = state.experiment.runs[0].set else { return nil }
    return set.text(asciiOnly: state.asciiOnly).split(separator: "\n", omittingEmptySubsequences: false).map(
      String.init)
  }

  /// How far the longer answer can be scrolled.
  func linesBelow(_ state: ExplorerState) -> Int {
    if let lines = figures(state) { return max(0, lines.count - answers.rows) }
    return zip(state.experiment.sides, [left, right]).map { side, rect in
      max(0, Self.lines(side, width: rect.columns, state).count - (rect.rows - 1))
    }.max() ?? 0
  }
}

extension ScreenDefinition {
  @Sendable static func drawExperiment(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = ExperimentLayout(state)
    let width = (layout.facts.map { displayWidth($0.name) }.max() ?? 0) + 2
    for (index, fact) in layout.facts.prefix(layout.factsRect.rows).enumerated() {
      let line = layout.factsRect.line(index)
      canvas.put(fact.name, row: line.row, column: line.column, style: .muted, clip: line)
      canvas.put(
        truncated(fact.text, to: line.columns - width), row: line.row, column: line.column + width, clip: line)
    }
    if let check = state.experiment.runs.first?.check, state.experiment.runs.count == 1 {
      canvas.put(check, in: layout.answers)
      return nil
    }
    if let lines = layout.figures(state) {
      for (row, line) in lines.dropFirst(state.experiment.top).prefix(layout.answers.rows).enumerated() {
        canvas.put(
          truncated(line, to: layout.answers.columns), row: layout.answers.row + row, column: layout.answers.column,
          clip: layout.answers)
      }
      return nil
    }
    for (index, (side, rect)) in zip(state.experiment.sides, [layout.left, layout.right]).enumerated() {
      let note = state.asciiOnly ? side.note.replacing("‖Δh‖/‖h‖", with: "|dh|/|h|") : side.note
      canvas.heading(side.title, note: note, style: Style(index == 0 ? .base : .chat, .bold), in: rect)
      let text = rect.split(top: 1).rest
      let lines = ExperimentLayout.lines(side, width: text.columns, state)
      for (row, line) in lines.dropFirst(state.experiment.top).prefix(text.rows).enumerated() {
        canvas.put(line, row: text.row + row, column: text.column, clip: text)
      }
    }
    return nil
  }
}
