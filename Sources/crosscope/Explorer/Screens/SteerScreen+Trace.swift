// The activations of the list's latents along both answers, as strips under them.
// Owns: when they are asked for, since it costs a pass of both models over each answer: only while they are shown, once
// an answer and list. What a latent's activation is does not depend on steering: it is read before the change.
// Refuses: models; SteeringService has them.

import Diffing
import TUI

/// What a trace is asked for: one sample's answers and the latents.
struct AnswerTraceRequest: Sendable, Equatable {
  var run: SteeringRequest
  var baseline: [Int32]
  var steered: [Int32]
  var latents: [Int32]
}

/// Scaled activations at each token of both answers, by latent in the order they were asked for.
struct AnswerTrace: Sendable, Equatable, Codable {
  var baseline: [[Double]]
  var steered: [[Double]]
}

/// The strips and what they are of.
struct SteerTrace: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    case computing
    case shown(AnswerTrace)
    case failed(String)
  }

  var isOn = false
  /// What was asked for; nil before the first one.
  var request: AnswerTraceRequest?
  var phase = Phase.computing
  var number = 0

  /// Latents shown at most.
  static let most = 3
}

extension SteerState {
  /// What the strips would show now.
  private var traceable: AnswerTraceRequest? {
    guard trace.isOn, let run, let (baseline, steered) = run.measured, !rows.isEmpty else { return nil }
    return AnswerTraceRequest(
      run: run.request.withoutSampling, baseline: baseline.ids, steered: steered.ids,
      latents: rows.prefix(SteerTrace.most).map(\.latent))
  }

  /// Asks for the strips where what is to be shown is not what was asked for last.
  static func followTrace(_ state: inout ExplorerState) -> [Effect] {
    guard state.screen == .steer, state.ending == nil, let request = state.steer.traceable,
      request != state.steer.trace.request
    else { return [] }
    state.steer.trace.request = request
    state.steer.trace.phase = .computing
    state.steer.trace.number += 1
    return [.traceAnswers(request, number: state.steer.trace.number)]
  }

  /// Takes the strips of this number, or why there are none.
  mutating func take(_ phase: SteerTrace.Phase, trace number: Int) {
    if number == trace.number { trace.phase = phase }
  }
}

extension ScreenDefinition {
  /// One row a latent, in the columns of the panes.
  static func drawTrace(_ run: SteerRun, _ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    guard !layout.trace.isEmpty, let request = state.steer.trace.request else { return }
    switch state.steer.trace.phase {
    case .computing:
      canvas.put("reading the activations…", row: layout.trace.row, column: layout.trace.column, style: .muted)
    case .failed(let reason):
      canvas.put(
        truncated(reason, to: layout.trace.columns), row: layout.trace.row, column: layout.trace.column,
        style: Style(.danger), clip: layout.trace)
    case .shown(let trace):
      for (index, latent) in request.latents.enumerated() where index < layout.trace.rows {
        let (baseline, steered) = (trace.baseline[index], trace.steered[index])
        let largest = max(baseline.max() ?? 0, steered.max() ?? 0)
        let line = layout.trace.line(index)
        for (values, pane) in [(baseline, layout.baseline), (steered, layout.steered)] {
          let rect = Rect(row: line.row, column: pane.column, rows: 1, columns: pane.columns)
          let start = canvas.put(
            "\(latent) ", row: line.row, column: rect.column, style: .muted, clip: rect)
          let value = values.indices.contains(run.cursor) ? " " + fixed(values[run.cursor], 1) : ""
          let strip = Rect(
            row: line.row, column: start, rows: 1, columns: rect.endColumn - start - displayWidth(value))
          drawStrip(values, of: largest, run.cursor, Style(.accent), state, &canvas, strip)
          canvas.put(value, row: line.row, endingBefore: rect.endColumn, style: .muted, clip: rect)
          // One above the other the panes have no room for two strips a latent.
          if layout.steered.column == layout.baseline.column { break }
        }
      }
    }
  }
}
