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
  /// The experiment as the store keeps it, in the names of `crosscope steer --json`; the time is set where it is saved.
  func record(_ info: SteeringInfo) -> ExperimentRecord {
    struct Parameters: Encodable {
      var positions: TokenPositions
      var layer: Int
      var decoder: String
      var maxTokens: Int
      var temperature: Double
      var seed: UInt64
    }
    struct Answer: Encodable {
      /// Multiplies the strengths of the interventions.
      var strength: Double?
      var text: String
      var ids: [Int32]
      var relativeChange: Double?
      /// Whether the model ended the answer; otherwise the limit cut it.
      var finished: Bool
    }
    struct Outputs: Encodable {
      var baseline: Answer
      var steered: [Answer]
      var tokensPerSecond: Double?
    }
    let parameters = Parameters(
      positions: request.positions, layer: info.layer, decoder: info.decoder, maxTokens: request.maxTokens,
      temperature: request.temperature, seed: request.seed)
    let outputs = Outputs(
      baseline: Answer(text: baseline.joined(), ids: info.baseline, finished: info.baselineEnded),
      steered: [
        Answer(
          strength: 1, text: steered.joined(), ids: info.steered, relativeChange: info.relativeChange,
          finished: info.steeredEnded)
      ], tokensPerSecond: info.tokensPerSecond)
    return ExperimentRecord(
      created: "", prompt: request.prompt, kind: "steer", interventions: json(request.interventions),
      parameters: json(parameters), outputs: json(outputs), versions: json(info.versions))
  }

  /// As the store's columns are written: snake case, keys in order. A number that JSON cannot hold leaves `{}`.
  private func json(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
