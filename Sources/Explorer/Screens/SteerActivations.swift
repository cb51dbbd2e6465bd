// The activations of the list's latents along the answers, as strips under them: while they are shown, a run tells them
// with its tokens; for answers that came before, or other latents since, they are read afterwards.
// They are asked for only while they are shown, once an answer and list, since that costs a pass of both models over each
// answer. What a latent's activation is does not depend on steering: it is read before the change.

import Diffing
import Experiments
import Reports
import Storage
import TUI

/// The strips and what they are of.
struct SteerActivations: Sendable, Equatable {
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
  var shownLatents: [Int32] { rows.prefix(SteerActivations.most).map(\.latent) }

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
  var strips: SteerActivations.Phase? {
    if let run, run.traced == shownLatents, run.measured == nil || run.hasToldAll { return .shown(run.told) }
    return run?.isGoingOn == true || trace.request == nil || trace.request != traceable ? nil : trace.phase
  }

  /// Asks for the strips where what is to be shown is not what was asked for last.
  static func followTrace(_ state: inout ExplorerState) -> [Effect] {
    guard state.ending == nil, let request = state.steer.traceable,
      request != state.steer.trace.request
    else { return [] }
    state.steer.trace.request = request
    state.steer.trace.phase = .computing
    state.steer.trace.number += 1
    return [.start(.answerActivations(request), number: state.steer.trace.number)]
  }

  /// Takes the strips of this number, or why there are none.
  mutating func take(_ phase: SteerActivations.Phase, trace number: Int) {
    if number == trace.number { trace.phase = phase }
  }
}
