// A steering run in the explorer: its start, tokens, measures, end, and saving.

import Diffing
import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

extension SteerState {
  /// Whether there is something to cancel: a run, or waiting for the model to start one.
  var isBusy: Bool { isWaitingForModel || run?.isGoingOn == true || sweep?.isRunning == true }

  /// Starts a run, or asks for the model first.
  static func start(_ state: inout ExplorerState) -> [Effect] {
    switch state.steer.model {
    case .ready: break
    case .loading:
      state.steer.isWaitingForModel = true
      state.tell("the run starts as soon as the model is loaded")
      return []
    case .absent, .failed:
      state.steer.isWaitingForModel = true
      state.steer.model = .loading("")
      return [.loadModel]
    }
    var request = state.steer.request
    state.steer.prompt.commit()
    state.steer.begun()
    state.steer.runNumber += 1
    let latentsRead = state.steer.activations.isOn ? state.steer.shownLatents : []
    state.steer.run = SteerRun(request: request, latentsRead: latentsRead)
    request.traced = latentsRead
    state.steer.scrolledBack = 0
    if state.steer.focus == .prompt { state.steer.focus = .interventions }
    return [.start(.run(request), number: state.steer.runNumber)]
  }

  /// Marks all latents of the list as used.
  mutating func begun() {
    for index in rows.indices { rows[index].isFromBefore = false }
  }

  /// Ends the run, or the waiting for one; the model goes on loading.
  static func cancel(_ state: inout ExplorerState) -> [Effect] {
    if state.steer.isWaitingForModel {
      state.steer.isWaitingForModel = false
      state.tell("the run is cancelled: nothing starts when the model is loaded")
      return []
    }
    if state.steer.run?.isGoingOn == true { state.steer.run?.phase = .cancelled }
    if state.steer.sweep?.isRunning == true { state.steer.sweep?.phase = .cancelled }
    state.tell("cancelled")
    return [.cancel(.steering)]
  }

  /// Starts a run that was waiting for the model, unless there is nothing to answer any more.
  static func modelReady(_ name: String, _ state: inout ExplorerState) -> [Effect] {
    state.steer.model = .ready(name)
    guard state.steer.isWaitingForModel else { return [] }
    state.steer.isWaitingForModel = false
    guard !state.steer.prompt.isEmpty else {
      state.tell("nothing was started: the prompt is empty")
      return []
    }
    return start(&state)
  }

  /// Adds one side's answer of the last run to the turns, so that the next prompt continues from there.
  static func continueChat(isSteered: Bool, _ state: inout ExplorerState) {
    guard let run = state.steer.run else { return }
    let answer = (isSteered ? run.steered : run.baseline).joined()
    state.steer.turns =
      run.request.turns + [
        ChatMessage(role: .user, content: run.request.prompt), ChatMessage(role: .assistant, content: answer),
      ]
    state.steer.prompt.text = ""
    state.steer.focus = .prompt
  }

  /// Takes the last exchange back into the prompt.
  mutating func takeBackTurn() {
    guard turns.count >= 2 else { return }
    prompt.text = turns[turns.count - 2].content
    turns.removeLast(2)
  }

  /// Takes a token or the end of the run with this number.
  static func take(_ event: SteeringEvent, number: Int, _ state: inout ExplorerState) -> [Effect] {
    guard number == state.steer.runNumber, state.steer.run?.isGoingOn == true else { return [] }
    switch event {
    case .token(let arm, let text, let sample): state.steer.run?.samples[sample].append(text, arm)
    case .activations(let values, let arm, let sample):
      guard values.count == state.steer.run?.latentsRead.count else { break }
      state.steer.run?.samples[sample].activations[arm, default: []].append(values)
    case .answered: state.steer.run?.phase = .measuring
    case .finished(let document):
      state.steer.run?.finish(document)
      return [.save(document.record())]
    }
    return []
  }

  static func failed(_ reason: String, number: Int, _ state: inout ExplorerState) {
    guard number == state.steer.runNumber, state.steer.run?.isGoingOn == true else { return }
    state.steer.run?.phase = .failed(reason)
    state.tell(reason, .error)
  }
}
