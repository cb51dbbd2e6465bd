// How a sweep looks: a chart of one measure, a table of all, and what stands behind the strength under the cursor.
// Owns: the measures and curves of a document, or of a set's report, in one form.

import Diffing
import Foundation
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
  var points: [(strength: Double, values: [Double?])]
}

extension SteeringDocument.Answer {
  /// The mean over the samples that have the figure.
  fileprivate func mean(_ figure: (SteeringDocument.Sample) -> Double?) -> Double? {
    Interval.mean(samples.compactMap(figure))?.value
  }
}

extension SteerSweep {
  /// What is measured, by name.
  func measures(asciiOnly: Bool) -> [SweepMeasure] {
    let change = asciiOnly ? "|dh|/|h|" : "‖Δh‖/‖h‖"
    let common = [
      SweepMeasure(name: "KL, nats a token", short: "KL", digits: 3),
      SweepMeasure(name: change, short: change, digits: 2),
      SweepMeasure(name: "perplexity, unsteered model", short: "perplexity", digits: 1),
      SweepMeasure(name: "repeated 4-grams, share", short: "repeated", digits: 2),
    ]
    if set != nil { return [SweepMeasure(name: "refused, share of answers", short: "refused", digits: 2)] + common }
    return common
      + request.watched.map { SweepMeasure(name: "log p(\($0))", short: "p(\($0))", digits: 2) }
  }

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

  private func values(of answer: SteeringDocument.Answer) -> [Double?] {
    [
      answer.mean(\.klMean), answer.mean(\.relativeChange), answer.mean(\.logPerplexity).map(exp),
      answer.mean(\.repetition),
    ]
      + request.watched.map { phrase in answer.watched.first { $0.text == phrase }?.logProbability }
  }

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
        points: rows.map { row in (row.strength, row.figures.map { $0?.value }) })
    }
  }

  /// What stands behind the strength at a place: the answer, or the intervals of a set's measure.
  fileprivate func detail(_ index: Int, measure: Int) -> String {
    if let answers = document?.outputs.steered {
      return answers.indices.contains(index) ? answers[index].text.replacing("\n", with: "↵") : ""
    }
    guard let report else { return "" }
    let parts = EvidenceArm.Kind.allCases.compactMap { kind -> String? in
      let rows = report.rows(of: kind)
      guard kind != .baseline, rows.count > 1, rows.indices.contains(index) else { return nil }
      guard let interval = rows[index].figures[measure] else { return nil }
      let digits = measures(asciiOnly: false)[measure].digits
      let bounds = interval.low.flatMap { low in
        interval.high.map { " [\(fixed(low, digits)), \(fixed($0, digits))]" }
      }
      return "\(kind.rawValue.replacing("_", with: " ")) \(fixed(interval.value, digits))\(bounds ?? "")"
    }
    return parts.joined(separator: ", ") + "; \(report.prompts) prompts, 95 %"
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
            point.values[sweep.measure].map { (x: point.strength, y: $0) }
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
      return tokens == 0 ? what : "\(what), \(tokens) of up to \(sweep.request.maxTokens) tokens"
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

  /// Every measure of the steered answers; of what they are compared with, the one on the chart.
  private static func drawTable(
    _ sweep: SteerSweep, _ measures: [SweepMeasure], _ curves: [SweepCurve], _ canvas: inout Canvas, _ rect: Rect
  ) {
    let others = curves.dropFirst()
    let place = sweep.measure + 2
    var columns = [TableColumn("strength", width: 8, .right)]
    columns += measures.map { TableColumn($0.short, width: max(10, displayWidth($0.short)), .right) }
    columns.insert(contentsOf: others.map { TableColumn($0.short, width: 10, .right) }, at: place)
    let digits = measures[sweep.measure].digits
    canvas.table(columns, count: curves[0].points.count, state: sweep.list, in: rect) { index in
      let point = curves[0].points[index]
      var cells: [TableCell] = [.text(signed(point.strength))]
      cells += zip(measures, point.values).enumerated().map { place, figure in
        .text(fixed(figure.1, figure.0.digits), place == sweep.measure ? Style(.accent, .bold) : .plain)
      }
      let compared = others.map { curve -> TableCell in
        let same = curve.points.first { $0.strength == point.strength }
        return .text(fixed(same.flatMap { $0.values[sweep.measure] }, digits), .muted)
      }
      cells.insert(contentsOf: compared, at: place)
      return cells
    }
  }
}
