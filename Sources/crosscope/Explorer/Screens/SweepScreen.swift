// A sweep: the prompt of the steer screen at several strengths together, as a dose–response chart and table; random
// latents of the same norm as a control. Owns: what is shown of it. Refuses: models; SteeringService has them.

import Diffing
import Foundation
import Storage
import TUI

/// A sweep and what has come of it.
struct SteerSweep: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    /// Tokens of each answer so far.
    case running(Int)
    case finished
    case cancelled
    case failed(String)
  }

  var request: SteeringRequest
  var withControl: Bool
  var number: Int
  var phase = Phase.running(0)
  var document: SteeringDocument?
  var control: SteeringDocument?
  /// The measure on the chart.
  var measure = 0
  /// The strength under the cursor.
  var list = ListState()

  /// They multiply the strengths of the latents.
  static let strengths = stride(from: -1, through: 2, by: 0.5).map { $0 }

  var isRunning: Bool { if case .running = phase { true } else { false } }

  /// What is measured of each answer, by name.
  func measures(asciiOnly: Bool) -> [SweepMeasure] {
    let change = asciiOnly ? "|dh|/|h|" : "‖Δh‖/‖h‖"
    let own: [SweepMeasure] = [
      SweepMeasure(name: "KL, nats a token", short: "KL", digits: 3) { $0.mean(\.klMean) },
      SweepMeasure(name: change, short: change, digits: 2) { $0.mean(\.relativeChange) },
      SweepMeasure(name: "perplexity, unsteered model", short: "perplexity", digits: 1) {
        $0.mean(\.logPerplexity).map(exp)
      },
      SweepMeasure(name: "repeated 4-grams, share", short: "repeated", digits: 2) { $0.mean(\.repetition) },
    ]
    return own
      + request.watched.map { phrase in
        SweepMeasure(name: "log p(\(phrase))", short: "p(\(phrase))", digits: 2) { answer in
          answer.watched.first { $0.text == phrase }?.logProbability
        }
      }
  }
}

/// A figure of an answer.
struct SweepMeasure: Sendable {
  var name: String
  var short: String
  var digits: Int
  var value: @Sendable (SteeringDocument.Answer) -> Double?
}

extension SteeringDocument.Answer {
  /// The mean over the samples that have the figure.
  fileprivate func mean(_ figure: (SteeringDocument.Sample) -> Double?) -> Double? {
    Interval.mean(samples.compactMap(figure))?.value
  }
}

extension SteerSweep {
  /// Starts a sweep over what the steer screen is set to.
  static func start(withControl: Bool, _ state: inout ExplorerState) -> [Effect] {
    state.steer.prompt.commit()
    state.steer.runNumber += 1
    let sweep = SteerSweep(
      request: state.steer.request, withControl: withControl, number: state.steer.runNumber)
    state.steer.sweep = sweep
    return state.show(.sweep) + [.sweep(sweep.request, withControl: withControl, number: sweep.number)]
  }

  static func take(_ event: SweepEvent, number: Int, _ state: inout ExplorerState) -> [Effect] {
    guard var sweep = state.steer.sweep, sweep.number == number, sweep.isRunning else { return [] }
    let document: SteeringDocument
    switch event {
    case .tokens(let count):
      state.steer.sweep?.phase = .running(count)
      return []
    case .finished(let found):
      (sweep.document, document) = (found, found)
      if !sweep.withControl { sweep.phase = .finished }
    case .control(let found):
      (sweep.control, document) = (found, found)
      sweep.phase = .finished
    }
    state.steer.sweep = sweep
    if state.store.isWritable { return [.save(document)] }
    state.tell("not saved: the store is read-only")
    return []
  }

  static func failed(_ reason: String, number: Int, _ state: inout ExplorerState) {
    guard state.steer.sweep?.number == number, state.steer.sweep?.isRunning == true else { return }
    state.steer.sweep?.phase = .failed(reason)
    state.tell(reason, .error)
  }
}

extension ScreenDefinition {
  static let sweep = ScreenDefinition(
    title: { _ in "Sweep" },
    bindings: [
      Binding(["tab", "m"], .nextMeasure, "measure", "the next measure on the chart"),
      Binding(
        ["w"], .sweep, "again", "sweep again, as the steer screen is set now", unavailable: cannotSweep),
      Binding(
        ["W"], .sweepWithControl, "with control", "sweep again, then with random latents of the same norm",
        unavailable: cannotSweep),
    ] + GeneralBindings.moving,
    perform: { action, state in
      switch action {
      case .sweep, .sweepWithControl: return SteerSweep.start(withControl: action == .sweepWithControl, &state)
      case .nextMeasure:
        guard let sweep = state.steer.sweep else { break }
        state.steer.sweep?.measure = (sweep.measure + 1) % sweep.measures(asciiOnly: state.asciiOnly).count
      default:
        let count = SteerSweep.strengths.count
        if let row = state.steer.sweep?.list.row(after: action, count: count, height: count) {
          state.steer.sweep?.list.select(row, count: count, height: count)
        }
      }
      return []
    },
    type: { _, _ in nil },
    mouse: { _, _ in [] },
    appear: { _ in [] },
    draw: drawSweep)

  @Sendable static func cannotSweep(_ state: ExplorerState) -> String? {
    if state.steer.request.interventions.isEmpty { return "no latent is on: there is nothing to sweep" }
    if state.steer.prompt.isEmpty { return "the prompt is empty" }
    guard case .ready = state.steer.model else { return "the model is not loaded yet" }
    return state.steer.isBusy ? "still running; Esc cancels" : nil
  }

  @Sendable private static func drawSweep(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    guard let sweep = state.steer.sweep else { return nil }
    let area = body.inset(columns: 1)
    let (head, rest) = area.split(top: 2)
    canvas.heading("Strengths × those of the latents", note: note(sweep), in: head)
    let latents = sweep.request.interventions.map { "\($0.latent) \($0.mode.rawValue) \(signed($0.strength))" }
    canvas.put(
      truncated("\(latents.joined(separator: ", ")) on: \(sweep.request.prompt)", to: head.columns),
      row: head.row + 1, column: head.column, style: .muted, clip: head)
    if case .failed(let reason) = sweep.phase {
      for (index, line) in flowLines([FlowToken(reason, style: Style(.danger))], width: rest.columns).enumerated() {
        canvas.put(line, row: rest.row + index, column: rest.column, clip: rest)
      }
      return nil
    }
    guard let document = sweep.document else {
      canvas.notice(["all strengths are answered together"], in: rest)
      return nil
    }
    let tableRows = document.outputs.steered.count + 1
    let (chart, below) = rest.split(top: max(0, rest.rows - tableRows - 1))
    let measures = sweep.measures(asciiOnly: state.asciiOnly)
    drawChart(sweep, measures[sweep.measure], document, &canvas, chart)
    drawTable(sweep, measures, document, &canvas, below.split(top: tableRows).top)
    let answers = document.outputs.steered
    let selected = min(sweep.list.selected, answers.count - 1)
    let line = below.line(tableRows)
    if answers.indices.contains(selected) {
      canvas.put(
        truncated(answers[selected].text.replacing("\n", with: "↵"), to: line.columns), row: line.row,
        column: line.column, clip: line)
    }
    return nil
  }

  private static func note(_ sweep: SteerSweep) -> String {
    switch sweep.phase {
    case .running(let tokens):
      let what = sweep.document == nil ? "answering" : "control"
      return tokens == 0 ? what : "\(what), \(tokens) of up to \(sweep.request.maxTokens) tokens"
    case .finished: return sweep.control == nil ? "" : "control: random latents, same norm"
    case .cancelled: return "cancelled"
    case .failed: return "failed"
    }
  }

  private static func drawChart(
    _ sweep: SteerSweep, _ measure: SweepMeasure, _ document: SteeringDocument, _ canvas: inout Canvas, _ rect: Rect
  ) {
    func points(_ document: SteeringDocument) -> [(x: Double, y: Double)] {
      document.outputs.steered.compactMap { answer in
        guard let strength = answer.strength, let value = measure.value(answer) else { return nil }
        return (strength, value)
      }
    }
    var series = [LineChart.Series(name: "steered", points: points(document), role: .chat)]
    if let control = sweep.control {
      series.append(LineChart.Series(name: "random latents", points: points(control), role: .base))
    }
    LineChart(title: measure.name, xLabel: "strength", series: series).draw(into: &canvas, rect)
  }

  private static func drawTable(
    _ sweep: SteerSweep, _ measures: [SweepMeasure], _ document: SteeringDocument, _ canvas: inout Canvas, _ rect: Rect
  ) {
    var columns = [TableColumn("strength", width: 8, .right)]
    columns += measures.map { TableColumn($0.short, width: max(10, displayWidth($0.short)), .right) }
    let chosen = measures[sweep.measure]
    if sweep.control != nil { columns.insert(TableColumn("control", width: 10, .right), at: sweep.measure + 2) }
    canvas.table(columns, count: document.outputs.steered.count, state: sweep.list, in: rect) { index in
      let answer = document.outputs.steered[index]
      var cells: [TableCell] = [.text(answer.strength.map { signed($0) } ?? "–")]
      cells += measures.enumerated().map { place, measure in
        .text(fixed(measure.value(answer), measure.digits), place == sweep.measure ? Style(.accent, .bold) : .plain)
      }
      if let control = sweep.control {
        let other = control.outputs.steered.indices.contains(index) ? control.outputs.steered[index] : nil
        cells.insert(.text(fixed(other.flatMap(chosen.value), chosen.digits), .muted), at: sweep.measure + 2)
      }
      return cells
    }
  }
}
