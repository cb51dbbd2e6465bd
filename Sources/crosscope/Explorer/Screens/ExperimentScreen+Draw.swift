// How experiments look when opened: one page of lines, scrolled.

import Storage
import TUI

/// The page's lines and where they lie.
struct ExperimentLayout {
  let lines: [PageLine]
  let rect: Rect

  init(_ state: ExplorerState) {
    rect = state.body.inset(columns: 1)
    lines = ExperimentLines(state, width: rect.columns).lines
  }

  /// How far it can be scrolled.
  var linesBelow: Int { max(0, lines.count - rect.rows) }
}

extension ScreenDefinition {
  @Sendable static func drawExperiment(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = ExperimentLayout(state)
    canvas.put(layout.lines, from: state.experiment.top, in: layout.rect)
    return nil
  }
}
