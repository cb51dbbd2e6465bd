// The activations of the list's latents along the answers, as strips under them: while they are shown, a run tells them
// with its tokens; for answers that came before, or other latents since, they are read afterwards.
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
  var frozen: [Int32]?
  var latents: [Int32]
}

/// Scaled activations at each token of the answers, by latent in the order they were asked for.
struct AnswerTrace: Sendable, Equatable, Codable {
  var baseline: [[Double]]
  var steered: [[Double]]
  /// Empty where there is no such answer.
  var frozen: [[Double]] = []

  subscript(arm: AnswerArm) -> [[Double]] {
    switch arm {
    case .baseline: baseline
    case .steered: steered
    case .frozen: frozen
    }
  }
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

extension SteerRun {
  /// What was told of the sample on view while it came.
  var told: AnswerTrace {
    func values(_ arm: AnswerArm) -> [[Double]] {
      let tokens = samples[shown].activations[arm] ?? []
      return traced.indices.map { latent in tokens.map { $0[latent] } }
    }
    return AnswerTrace(baseline: values(.baseline), steered: values(.steered), frozen: values(.frozen))
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
  private var traceable: AnswerTraceRequest? {
    guard trace.isOn, let run, let (baseline, steered) = run.measured, !rows.isEmpty else { return nil }
    if run.traced == shownLatents, run.hasToldAll { return nil }
    return AnswerTraceRequest(
      run: run.request.withoutSampling, baseline: baseline.ids, steered: steered.ids, frozen: run.measuredFrozen?.ids,
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
    return [.traceAnswers(request, number: state.steer.trace.number)]
  }

  /// Takes the strips of this number, or why there are none.
  mutating func take(_ phase: SteerTrace.Phase, trace number: Int) {
    if number == trace.number { trace.phase = phase }
  }
}
