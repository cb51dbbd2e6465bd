// A steering run as the explorer sees it: start, tokens, end, saving.

import Diffing
import Foundation
import Storage
import TUI

/// The last run and what has come of it.
struct SteerRun: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    case running
    case finished(SteeringInfo)
    case cancelled
    case failed(String)
  }

  var request: SteeringRequest
  /// Tokens as text, in the order they came.
  var baseline: [String] = []
  var steered: [String] = []
  var phase = Phase.running

  /// Tokens of each side that the other does not have at that place, by the shortest edit script; while it runs, only
  /// as far as both sides have come.
  var differing: (baseline: Set<Int>, steered: Set<Int>) {
    let common = phase == .running ? min(baseline.count, steered.count) : Int.max
    return differingTokens(Array(baseline.prefix(common)), Array(steered.prefix(common)))
  }
}

/// Tokens of each side that the other does not have at that place, by the shortest edit script.
func differingTokens(_ baseline: [String], _ steered: [String]) -> (baseline: Set<Int>, steered: Set<Int>) {
  var result: (baseline: Set<Int>, steered: Set<Int>) = ([], [])
  for change in steered.difference(from: baseline) {
    switch change {
    case .remove(let offset, _, _): result.baseline.insert(offset)
    case .insert(let offset, _, _): result.steered.insert(offset)
    }
  }
  return result
}

/// One side's answer as it is shown: its tokens and, after the last, what is to be said of its end.
struct ShownAnswer {
  var tokens: [String]
  var note: String?
}

extension SteerRun {
  var shownBaseline: ShownAnswer { shown(baseline) { $0.baselineEnded } }
  var shownSteered: ShownAnswer { shown(steered) { $0.steeredEnded } }

  /// An answer with a note where the limit cut it.
  private func shown(_ tokens: [String], ended: (SteeringInfo) -> Bool) -> ShownAnswer {
    guard case .finished(let info) = phase, !ended(info) else { return ShownAnswer(tokens: tokens) }
    return ShownAnswer(tokens: tokens, note: "(cut at \(request.maxTokens) tokens)")
  }
}

extension SteerState {
  /// Something to be cancelled: a run, or waiting for the model to start one.
  var isBusy: Bool { isWaitingForModel || run?.phase == .running }

  /// Starts a run, or asks for the model first.
  static func start(_ state: inout ExplorerState) -> [Effect] {
    switch state.steer.model {
    case .ready: break
    case .loading:
      state.steer.isWaitingForModel = true
      state.tell("starts as soon as the model is loaded")
      return []
    case .absent, .failed:
      state.steer.isWaitingForModel = true
      state.steer.model = .loading("")
      return [.loadModel]
    }
    let request = state.steer.request
    state.steer.prompt.commit()
    state.steer.runNumber += 1
    state.steer.run = SteerRun(request: request)
    state.steer.scrolledBack = 0
    if state.steer.focus == .prompt { state.steer.focus = .interventions }
    return [.run(request, number: state.steer.runNumber)]
  }

  /// Ends the run, or the waiting for one; the model goes on loading.
  static func cancel(_ state: inout ExplorerState) -> [Effect] {
    if state.steer.isWaitingForModel {
      state.steer.isWaitingForModel = false
      state.tell("cancelled: nothing starts when the model is loaded")
      return []
    }
    state.steer.run?.phase = .cancelled
    state.tell("cancelled")
    return [.cancelRun]
  }

  /// A run that was waiting for the model starts, unless there is nothing to answer any more.
  static func modelReady(_ name: String, _ state: inout ExplorerState) -> [Effect] {
    state.steer.model = .ready(name)
    guard state.steer.isWaitingForModel else { return [] }
    state.steer.isWaitingForModel = false
    guard !state.steer.prompt.isEmpty else {
      state.tell("nothing started: the prompt is empty")
      return []
    }
    return start(&state)
  }

  /// Takes a token or the end of the run of this number.
  static func take(_ event: SteeringEvent, number: Int, _ state: inout ExplorerState) -> [Effect] {
    guard number == state.steer.runNumber, state.steer.run?.phase == .running else { return [] }
    switch event {
    case .baseline(let text): state.steer.run?.baseline.append(text)
    case .steered(let text): state.steer.run?.steered.append(text)
    case .finished(let info):
      state.steer.run?.phase = .finished(info)
      guard let run = state.steer.run else { return [] }
      if state.store.isWritable { return [.save(run.record(info))] }
      state.tell("not saved: the store is read-only")
    }
    return []
  }
}

extension SteerRun {
  /// The experiment as the store keeps it; the time is set where it is saved.
  func record(_ info: SteeringInfo) -> ExperimentRecord {
    func sample(_ text: [String], _ ids: [Int32], ended: Bool, change: Double? = nil) -> SteeringDocument.Sample {
      SteeringDocument.Sample(
        seed: request.seed, text: text.joined(), ids: ids, finished: ended, relativeChange: change)
    }
    return SteeringDocument(
      prompt: request.prompt,
      interventions: request.interventions.map {
        Intervention(latent: Int($0.latent), mode: $0.mode, strength: $0.strength)
      },
      parameters: SteeringDocument.Parameters(
        settings: GenerationSettings(
          maxTokens: request.maxTokens, temperature: request.temperature, seed: request.seed),
        positions: request.positions, layer: info.layer, decoder: info.decoder,
        maxActivations: info.maxActivations),
      outputs: SteeringDocument.Outputs(
        baseline: SteeringDocument.Answer(
          samples: [sample(baseline, info.baseline, ended: info.baselineEnded)]),
        steered: [
          SteeringDocument.Answer(
            strength: 1,
            samples: [sample(steered, info.steered, ended: info.steeredEnded, change: info.relativeChange)])
        ], tokensPerSecond: info.tokensPerSecond),
      versions: info.versions
    ).record()
  }
}
