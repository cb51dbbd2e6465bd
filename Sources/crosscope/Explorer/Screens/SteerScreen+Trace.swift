// The activations of the list's latents along the answers, as strips under them: while they are shown, a run tells them
// with its tokens; for answers that came before, or other latents since, they are read afterwards.
// Owns: when they are asked for, since it costs a pass of both models over each answer: only while they are shown, once
// an answer and list. What a latent's activation is does not depend on steering: it is read before the change.

import Diffing
import Experiments
import Reports
import TUI

/// The strips and what they are of.
struct SteerTrace: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    case computing
    case shown(AnswerActivations)
    case failed(String)
  }

  var isOn = false
  /// What was asked for; nil before the first one.
  var request: AnswerActivationsJob?
  var phase = Phase.computing
  var number = 0

  /// Latents shown at most.
  static let most = 3
}

extension SteerRun {
  /// What was told of the sample on view while it came.
  var told: AnswerActivations {
    func values(_ arm: AnswerArm) -> [[Double]] {
      let tokens = samples[shown].activations[arm] ?? []
      return traced.indices.map { latent in tokens.map { $0[latent] } }
    }
    return AnswerActivations(baseline: values(.baseline), steered: values(.steered), frozen: values(.frozen))
  }

  /// Whether that is all of it.
  var hasToldAll: Bool {
    !traced.isEmpty
      && arms.allSatisfy { samples[shown].activations[$0]?.count == samples[shown].tokens($0).count }
  }
}

extension SteerState {
  /// The latents of the strips.
  var shownLatents: [Int32] { rows.prefix(SteerTrace.most).map(\.latent) }

  /// What the strips would have to be asked for now; nil where a run has told it, or will.
  private var traceable: AnswerActivationsJob? {
    guard trace.isOn, let run, let (baseline, steered) = run.measured, !rows.isEmpty else { return nil }
    if run.traced == shownLatents, run.hasToldAll { return nil }
    return AnswerActivationsJob(
      prompt: run.request.prompt, turns: run.request.turns, baseline: baseline.ids, steered: steered.ids,
      frozen: run.measuredFrozen?.ids,
      latents: shownLatents)
  }

  /// The strips as they are now; nil where they are still to be asked for.
  var strips: SteerTrace.Phase? {
    if let run, run.traced == shownLatents, run.measured == nil || run.hasToldAll { return .shown(run.told) }
    return run?.isGoingOn == true || trace.request == nil || trace.request != traceable ? nil : trace.phase
  }

  /// Asks for the strips where what is to be shown is not what was asked for last.
  static func followTrace(_ state: inout ExplorerState) -> [Effect] {
    guard state.screen == .steer, state.ending == nil, let request = state.steer.traceable,
      request != state.steer.trace.request
    else { return [] }
    state.steer.trace.request = request
    state.steer.trace.phase = .computing
    state.steer.trace.number += 1
    return [.start(.answerActivations(request), number: state.steer.trace.number)]
  }

  /// Takes the strips of this number, or why there are none.
  mutating func take(_ phase: SteerTrace.Phase, trace number: Int) {
    if number == trace.number { trace.phase = phase }
  }
}

extension ScreenDefinition {
  /// One row a latent, in the columns of the panes.
  static func drawTrace(_ run: SteerRun, _ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    let rect = layout.trace
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
    case .shown(let trace):
      for (index, latent) in state.steer.shownLatents.enumerated() where index < rect.rows {
        draw(trace, index, latent, run, state, &canvas, layout)
      }
    }
  }

  /// One latent along each answer, all on one scale.
  private static func draw(
    _ trace: AnswerActivations, _ index: Int, _ latent: Int32, _ run: SteerRun, _ state: ExplorerState,
    _ canvas: inout Canvas, _ layout: SteerLayout
  ) {
    let row = layout.trace.line(index).row
    let largest = run.arms.flatMap { trace[$0][index] }.max() ?? 0
    for (arm, pane) in zip(run.arms, layout.panes) {
      let values = trace[arm][index]
      let rect = Rect(row: row, column: pane.column, rows: 1, columns: pane.columns)
      let start = canvas.put("\(latent) ", row: row, column: rect.column, style: .muted, clip: rect)
      // While tokens come the last one is looked at, then the one under the cursor.
      let place = run.measured == nil ? values.count - 1 : run.cursor
      let value = values.indices.contains(place) ? " " + fixed(values[place], 1) : ""
      let strip = Rect(row: row, column: start, rows: 1, columns: rect.endColumn - start - displayWidth(value))
      drawStrip(values, of: largest, place, Style(.accent), state, &canvas, strip)
      canvas.put(value, row: row, endingBefore: rect.endColumn, style: .muted, clip: rect)
      // One above the other the panes have no room for two strips a latent.
      if !layout.isWide { break }
    }
  }
}
