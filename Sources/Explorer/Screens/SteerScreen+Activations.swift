// Draws the activations of the list's latents along the answers as strips.

import Experiments
import Inference
import Reports
import TUI

extension SteerScreen {
  /// Draws one row for each latent, in the columns of the panes.
  static func drawActivations(_ run: SteerRun, _ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    let rect = layout.activations
    guard !rect.isEmpty else { return }
    switch state.steer.strips {
    case nil:
      let text = run.isGoingOn ? "the activations are read when the answers are there" : ""
      canvas.put(truncated(text, to: rect.columns), row: rect.row, column: rect.column, style: .muted)
    case .computing:
      canvas.put("reading the activations…", row: rect.row, column: rect.column, style: .muted)
    case .failed(let reason):
      canvas.put(
        truncated(reason, to: rect.columns), row: rect.row, column: rect.column, style: Style(.danger), clip: rect)
    case .shown(let activations):
      for (index, latent) in state.steer.shownLatents.enumerated() where index < rect.rows {
        draw(activations, index, latent, run, state, &canvas, layout)
      }
    }
  }

  /// Draws one latent along each answer; all strips have one scale.
  private static func draw(
    _ activations: AnswerActivations, _ index: Int, _ latent: Int, _ run: SteerRun, _ state: ExplorerState,
    _ canvas: inout Canvas, _ layout: SteerLayout
  ) {
    let row = layout.activations.line(index).row
    let largest = run.arms.flatMap { activations[$0][index] }.max() ?? 0
    for (arm, pane) in zip(run.arms, layout.panes) {
      let values = activations[arm][index]
      let rect = Rect(row: row, column: pane.column, rows: 1, columns: pane.columns)
      let start = canvas.put("\(latent) ", row: row, column: rect.column, style: .muted, clip: rect)
      // While tokens arrive the last one is shown, afterwards the one under the cursor.
      let place = run.measured == nil ? values.count - 1 : run.cursor
      let value = values.indices.contains(place) ? " " + fixed(values[place], 1) : ""
      let strip = Rect(row: row, column: start, rows: 1, columns: rect.endColumn - start - displayWidth(value))
      drawStrip(values, of: largest, place, Style(.accent), state, &canvas, strip)
      canvas.put(value, row: row, endingBefore: rect.endColumn, style: .muted, clip: rect)
      // Panes one above the other have no room for two strips of a latent.
      if !layout.isWide { break }
    }
  }
}
