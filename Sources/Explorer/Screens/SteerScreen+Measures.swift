// Draws the measures of a finished run under its answers, in at most three rows: KL of each token, the token under the cursor
// on both sides, watched phrases, and means over samples. The figures are those of the run's document.

import Diffing
import Experiments
import Inference
import Reports
import TUI

extension SteerScreen {
  static func drawMeasures(_ run: SteerRun, _ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    guard let (baseline, steered) = run.measured, !layout.measures.isEmpty else { return }
    let strip = layout.measures.line(0)
    let left =
      layout.isWide
      ? Rect(row: strip.row, column: strip.column, rows: 1, columns: layout.baseline.columns) : strip
    let label = "KL "
    let start = canvas.put(label, row: left.row, column: left.column, style: .muted, clip: left)
    let kl = steered.kl ?? []
    drawStrip(
      kl, of: kl.max() ?? 0, run.cursor, Style(.changed), state, &canvas, left.split(left: start - left.column).rest)
    if layout.isWide {
      let right = Rect(
        row: strip.row, column: layout.steered.column, rows: 1, columns: strip.endColumn - layout.steered.column)
      canvas.put(
        truncated(summary(run, steered, right.columns, asciiOnly: state.asciiOnly), to: right.columns), row: right.row,
        column: right.column,
        style: .muted, clip: right)
    }
    let cursorLine = layout.measures.line(1)
    canvas.put(
      truncated(underCursor(run, baseline, steered), to: cursorLine.columns), row: cursorLine.row,
      column: cursorLine.column, clip: cursorLine)
    let watchedLine = layout.measures.line(2)
    canvas.put(
      truncated(watched(run), to: watchedLine.columns), row: watchedLine.row, column: watchedLine.column, style: .muted,
      clip: watchedLine)
  }

  /// Draws one small bar for each token, with the one under the cursor set off, scrolled so that it is visible.
  static func drawStrip(
    _ values: [Double], of largest: Double, _ cursor: Int, _ style: Style, _ state: ExplorerState,
    _ canvas: inout Canvas, _ rect: Rect
  ) {
    guard rect.columns > 0, largest > 0 else { return }
    let first = min(max(0, cursor - rect.columns / 2), max(0, values.count - rect.columns))
    // All of the strip has one scale: the largest value is added to every part and not drawn.
    let bars = sparkline(Array(values.dropFirst(first).prefix(rect.columns)) + [largest]).dropLast()
    canvas.put(String(bars), row: rect.row, column: rect.column, style: style, clip: rect)
    if values.indices.contains(cursor), state.steer.focus == .answers {
      canvas.setGround(Rect(row: rect.row, column: rect.column + cursor - first, rows: 1, columns: 1), .selected)
    }
  }

  /// The mean KL; for several samples also the change, and 95 % intervals as far as there is room.
  private static func summary(
    _ run: SteerRun, _ steered: SteeringDocument.Sample, _ room: Int, asciiOnly: Bool
  ) -> String {
    let samples = run.document?.outputs.steered.first?.samples ?? []
    guard samples.count > 1 else {
      let parting = steered.firstDifference.map { "parts at token \($0 + 1)" } ?? "same tokens"
      return "KL \(fixed(steered.klMean, 3)) a token, \(parting)"
    }
    func interval(_ digits: Int, _ figure: (SteeringDocument.Sample) -> Double?) -> String {
      Interval.mean(samples.compactMap(figure))?.written(digits) ?? "–"
    }
    let short = "\(run.shown + 1)/\(samples.count), 95 %: KL \(interval(3, \.klMean))"
    let long = "sample \(short), \(asciiOnly ? "|dh|/|h|" : "‖Δh‖/‖h‖") \(interval(2, \.relativeChange))"
    return displayWidth(long) <= room ? long : short
  }

  private static func underCursor(
    _ run: SteerRun, _ baseline: SteeringDocument.Sample, _ steered: SteeringDocument.Sample
  ) -> String {
    let index = run.cursor
    func side(_ name: String, _ tokens: [String], _ sample: SteeringDocument.Sample) -> String {
      guard tokens.indices.contains(index) else { return "\(name) has ended" }
      let logs = sample.logProbabilities ?? []
      return "\(name) \(visible(tokens[index])) \(logs.indices.contains(index) ? fixed(logs[index], 2) : "–")"
    }
    let kl = steered.kl.flatMap { $0.indices.contains(index) ? ", KL \(fixed($0[index], 3))" : nil } ?? ""
    let frozen = run.measuredFrozen.map { " │ " + side("frozen", run.frozen, $0) } ?? ""
    return "token \(index + 1), log p: " + side("baseline", run.baseline, baseline) + " │ "
      + side("steered", run.steered, steered) + kl + frozen
  }

  /// The watched phrases as `log p at the start: I cannot −12.31 → −3.40`.
  private static func watched(_ run: SteerRun) -> String {
    guard let outputs = run.document?.outputs, let steered = outputs.steered.first, !steered.watched.isEmpty else {
      return ""
    }
    return "log p at the start: "
      + zip(outputs.baseline.watched, steered.watched).map {
        "\($0.text) \(fixed($0.logProbability, 2)) → \(fixed($1.logProbability, 2))"
      }.joined(separator: ", ")
  }
}

extension Interval {
  /// The interval as `0.52 ± 0.10`.
  fileprivate func written(_ digits: Int) -> String {
    fixed(value, digits) + (high.map { " ± \(fixed($0 - value, digits))" } ?? "")
  }
}
