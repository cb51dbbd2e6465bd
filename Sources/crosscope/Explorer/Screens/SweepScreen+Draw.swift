// How a sweep looks: a chart of one measure, a table of all, and what stands behind the strength under the cursor.
// Owns: the measures and curves of a document, or of a set's report, in one form.

import Diffing
import Experiments
import Foundation
import Reports
import TUI

/// A figure that a sweep has at each strength.
struct SweepMeasure: Sendable, Equatable {
  var name: String
  var short: String
  var digits: Int
}

/// Figures by strength, in the measures' order: the steered answers', and what they are compared with.
struct SweepCurve: Sendable {
  var name: String
  /// At the head of a column.
  var short: String
  var role: Role
  var points: [(strength: Double, values: [Interval?])]
}

extension SteerSweep {
  /// What is measured, by name.
  func measures(asciiOnly: Bool) -> [SweepMeasure] {
    let common = answerMeasures.map { measure in
      func text(_ text: String) -> String { asciiOnly ? ScreenDefinition.plainNorms(text) : text }
      return SweepMeasure(name: text(measure.name), short: text(measure.short), digits: measure.digits)
    }
    return set == nil
      ? common : [SweepMeasure(name: "refused, share of answers", short: "refused", digits: 2)] + common
  }

  /// A set's answers have no phrases that are watched.
  private var answerMeasures: [AnswerMeasure] { AnswerMeasure.all(watching: set == nil ? request.watched : []) }

  /// The steered answers first; empty until there are some.
  var curves: [SweepCurve] {
    if let report { return Self.curves(of: report) }
    guard let document else { return [] }
    func curve(_ name: String, _ short: String, _ role: Role, _ answers: [SteeringDocument.Answer]) -> SweepCurve {
      SweepCurve(
        name: name, short: short, role: role,
        points: answers.compactMap { answer in answer.strength.map { ($0, values(of: answer)) } })
    }
    var curves = [curve("steered", "steered", .chat, document.outputs.steered)]
    if let control { curves.append(curve("random latents", "control", .base, control.outputs.steered)) }
    if let frozen = document.outputs.frozenAttention {
      curves.append(curve("attention frozen", "frozen", .accent, frozen))
    }
    return curves
  }

  private func values(of answer: SteeringDocument.Answer) -> [Interval?] { answerMeasures.map { $0.value(answer) } }

  /// No strength is the baseline.
  private static func curves(of report: DoseResponse) -> [SweepCurve] {
    let arms: [(EvidenceArm.Kind, String, String, Role)] = [
      (.steered, "steered", "steered", .chat), (.random, "random latents", "control", .base),
      (.frozenAttention, "attention frozen", "frozen", .accent),
    ]
    return arms.compactMap { kind, name, short, role in
      let rows = report.rows(of: kind)
      guard rows.count > 1 else { return nil }
      return SweepCurve(
        name: name, short: short, role: role,
        points: rows.map { ($0.strength, $0.figures) })
    }
  }

  /// What stands behind the strength at a place: each curve's measure with its interval, and how the answer begins.
  fileprivate func detail(_ index: Int, measure: Int) -> String {
    let digits = measures(asciiOnly: false)[measure].digits
    let figures = curves.compactMap { curve -> String? in
      guard curve.points.indices.contains(index), let interval = curve.points[index].values[measure],
        interval.low != nil
      else { return nil }
      return "\(curve.name) \(RunFigures.cell(interval, digits))"
    }
    if let report { return figures.joined(separator: ", ") + "; \(report.prompts) prompts, 95 %" }
    guard let answers = document?.outputs.steered, answers.indices.contains(index) else { return "" }
    let interval = figures.first.map { "\($0), 95 % over \(answers[index].samples.count) samples: " } ?? ""
    return interval + answers[index].text.replacing("\n", with: "↵")
  }
}

extension DoseResponse.Row {
  /// In the order of a set's measures.
  fileprivate var figures: [Interval?] {
    [refused, kl, relativeChange.map { Interval(value: $0) }, perplexity, repetition]
  }
}

extension DoseResponse {
  /// The rows of an arm by strength, the baseline's among them as that of none.
  fileprivate func rows(of kind: EvidenceArm.Kind) -> [Row] {
    rows.filter { $0.arm == kind || $0.arm == .baseline }.sorted { $0.strength < $1.strength }
  }
}

extension ScreenDefinition {
  @Sendable static func drawSweep(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
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
        [sweep.set == nil ? "all strengths are answered together" : "a prompt at all strengths at once"], in: rest)
      return nil
    }
    let tableRows = steered.points.count + 1
    let (chart, below) = rest.split(top: max(0, rest.rows - tableRows - 1))
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
    let line = below.line(tableRows)
    let selected = min(sweep.list.selected, steered.points.count - 1)
    canvas.put(
      truncated(sweep.detail(selected, measure: sweep.measure), to: line.columns), row: line.row, column: line.column,
      clip: line)
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

  /// Every measure of the steered answers; of what they are compared with, the one on the chart. What does not fit is left
  /// out from the right, but never the one on the chart.
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
