// Draws a sweep: a chart of one measure, a table of all measures, and details of the selected strength.

import Diffing
import Experiments
import Foundation
import Reports
import Storage
import TUI

extension SweepScreen {
  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    guard let sweep = state.steer.sweep else { return nil }
    let area = body.inset(columns: 1)
    let (head, rest) = area.split(top: 2)
    canvas.heading("Strengths × those of the latents", note: note(sweep), in: head)
    let what = sweep.set.map { URL(filePath: $0.path).lastPathComponent } ?? sweep.request.prompt
    canvas.put(
      truncated("\(sweep.request.steeringText) on: \(what)", to: head.columns), row: head.row + 1,
      column: head.column, style: .muted, clip: head)
    if case .failed(let reason) = sweep.phase {
      for (index, line) in flowLines([FlowToken(reason, style: Style(.danger))], width: rest.columns).enumerated() {
        canvas.put(line, row: rest.row + index, column: rest.column, clip: rest)
      }
      return nil
    }
    let curves = sweep.curves
    guard let steered = curves.first else {
      canvas.notice(
        [
          sweep.set == nil ? "all strengths are answered together" : "each prompt is answered at all strengths together"
        ], in: rest)
      return nil
    }
    let tableRows = steered.points.count + 1
    let best = sweep.bestStrength
    let (chart, below) = rest.split(top: max(0, rest.rows - tableRows - (best == nil ? 1 : 2)))
    let measures = sweep.measures(asciiOnly: state.asciiOnly)
    LineChart(
      title: measures[sweep.measure].name, xLabel: "strength",
      series: curves.map { curve in
        LineChart.Series(
          name: curve.name,
          points: curve.points.compactMap { point in
            point.values[sweep.measure].map { (x: point.strength, y: $0.value) }
          }, role: curve.role)
      }
    ).draw(into: &canvas, chart)
    drawTable(sweep, measures, curves, &canvas, below.split(top: tableRows).top)
    let selected = min(sweep.list.selected, steered.points.count - 1)
    let lines = [sweep.detail(selected, measure: sweep.measure)] + (best.map { [$0] } ?? [])
    for (index, text) in lines.enumerated() {
      let line = below.line(tableRows + index)
      canvas.put(truncated(text, to: line.columns), row: line.row, column: line.column, clip: line)
    }
    return nil
  }

  private static func note(_ sweep: SteerSweep) -> String {
    let what = sweep.document == nil ? "answering" : "control"
    switch sweep.phase {
    case .scoring(let count, let total): return "\(what), \(count) of \(total) texts scored"
    case .answering(let done, let total): return total == 0 ? "answering" : "answering, \(done) of \(total) prompts"
    case .running(let tokens):
      return tokens == 0 ? what : "\(what), \(tokens) of up to \(sweep.request.sampling.maxTokens) tokens"
    case .finished:
      switch sweep.report?.control {
      case .equalNorm: return "control: random latents, same norm"
      case .ownActivation: return "control: random latents, own activation"
      case nil: return sweep.control == nil ? "" : "control: random latents, same norm"
      }
    case .cancelled: return "cancelled"
    case .failed: return "failed"
    }
  }

  /// Draws every measure of the steered answers, and the measure on the chart of their control. Columns that do not fit
  /// are left out from the right, but never the one on the chart.
  private static func drawTable(
    _ sweep: SteerSweep, _ measures: [SweepMeasure], _ curves: [SweepCurve], _ canvas: inout Canvas, _ rect: Rect
  ) {
    let others = Array(curves.dropFirst())
    func width(_ index: Int) -> Int { max(7, displayWidth(measures[index].short)) }
    var shown = Array(measures.indices)
    func taken() -> Int { 8 + shown.reduce(0) { $0 + width($1) + 1 } + others.count * 11 }
    while taken() > rect.columns, let last = shown.lastIndex(where: { $0 != sweep.measure }) { shown.remove(at: last) }
    let place = (shown.firstIndex(of: sweep.measure) ?? 0) + 2
    var columns = [TableColumn("strength", width: 8, .right)]
    columns += shown.map { TableColumn(measures[$0].short, width: width($0), .right) }
    columns.insert(contentsOf: others.map { TableColumn($0.short, width: 10, .right) }, at: place)
    let digits = measures[sweep.measure].digits
    canvas.table(columns, count: curves[0].points.count, state: sweep.list, in: rect) { index in
      let point = curves[0].points[index]
      var cells: [TableCell] = [.text(signed(point.strength))]
      cells += shown.map { measure in
        .text(
          fixed(point.values[measure]?.value, measures[measure].digits),
          measure == sweep.measure ? Style(.accent, .bold) : .plain)
      }
      let compared = others.map { curve -> TableCell in
        let same = curve.points.first { $0.strength == point.strength }
        return .text(fixed(same.flatMap { $0.values[sweep.measure]?.value }, digits), .muted)
      }
      cells.insert(contentsOf: compared, at: place)
      return cells
    }
    if shown.count < measures.count {
      canvas.put("›", row: rect.row, column: rect.endColumn, style: Style(.accent, .bold))
    }
  }
}
