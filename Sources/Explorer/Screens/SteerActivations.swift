// The activations of the list's latents along the answers, which are shown as strips. While the strips are shown, a run reports
// activations with its tokens. For earlier answers, or if the latents have changed, they are read afterwards, once for each
// answer and list, since that costs a pass of both models over each answer. Activations do not depend on steering: they are
// read before the change.

import Diffing
import Experiments
import Reports
import Storage
import TUI

/// The strips and their request.
struct SteerActivations: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    case computing
    case shown(AnswerActivations)
    case failed(String)
  }

  var isOn = false
  /// The last request; nil before the first one.
  var request: AnswerActivationsJob?
  var phase = Phase.computing
  var number = 0

  /// The largest number of shown latents.
  static let most = 3
}

extension SteerRun {
  /// The activations that the run reported for the shown sample.
  var told: AnswerActivations {
    func values(_ arm: AnswerArm) -> [[Double]] {
      let tokens = samples[shown].activations[arm] ?? []
      return latentsRead.indices.map { latent in tokens.map { $0[latent] } }
    }
    return AnswerActivations(baseline: values(.baseline), steered: values(.steered), frozen: values(.frozen))
  }

  /// Whether the run has reported all of them.
  var hasToldAll: Bool {
    !latentsRead.isEmpty
      && arms.allSatisfy { samples[shown].activations[$0]?.count == samples[shown].tokens($0).count }
  }
}

extension SteerState {
  /// The latents of the strips.
  var shownLatents: [Int] { rows.prefix(SteerActivations.most).map(\.latent) }

  /// The request for the strips now; nil if a run has reported them, or will.
  private var activationsJob: AnswerActivationsJob? {
    guard activations.isOn, let run, let (baseline, steered) = run.measured, !rows.isEmpty else { return nil }
    if run.latentsRead == shownLatents, run.hasToldAll { return nil }
    return AnswerActivationsJob(
      prompt: run.request.prompt, turns: run.request.turns, baseline: baseline.ids, steered: steered.ids,
      frozen: run.measuredFrozen?.ids,
      latents: shownLatents)
  }

  /// The present strips; nil if they must still be asked for.
  var strips: SteerActivations.Phase? {
    if let run, run.latentsRead == shownLatents, run.measured == nil || run.hasToldAll { return .shown(run.told) }
    return run?.isGoingOn == true || activations.request == nil
      || activations.request != activationsJob ? nil : activations.phase
  }

  /// Asks for the strips if the present ones do not belong to the last request.
  static func followActivations(_ state: inout ExplorerState) -> [Effect] {
    guard state.ending == nil, let request = state.steer.activationsJob,
      request != state.steer.activations.request
    else { return [] }
    state.steer.activations.request = request
    state.steer.activations.phase = .computing
    state.steer.activations.number += 1
    return [.start(.answerActivations(request), number: state.steer.activations.number)]
  }

  /// Takes the strips with this number, or the reason why there are none.
  mutating func take(_ phase: SteerActivations.Phase, activations number: Int) {
    if number == activations.number { activations.phase = phase }
  }
}
