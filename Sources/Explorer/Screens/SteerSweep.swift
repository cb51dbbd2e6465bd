// A sweep runs the steer screen's latents at several strengths on its prompt or on a set of prompts, with random latents of the
// same norm as a control. The state holds the request and the result.

import Diffing
import Experiments
import Foundation
import Kernels
import Reports
import Storage
import TUI

/// A sweep and its result.
struct SteerSweep: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    /// The number of tokens that each answer has so far.
    case running(Int)
    /// All answers have ended. The numbers are those of scored texts and of all texts.
    case scoring(Int, of: Int)
    /// The numbers of answered prompts of a set and of all its prompts.
    case answering(Int, of: Int)
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
  /// The set that is swept over instead of the prompt, if there is one.
  var set: PromptSetChoice?
  var report: DoseResponse?
  /// The index of the measure on the chart.
  var measure = 0
  /// The strength under the cursor.
  var list = ListState()

  /// The factors on the strengths of the latents.
  static let strengths = stride(from: -1, through: 2, by: 0.5).map { $0 }

  var isRunning: Bool {
    switch phase {
    case .running, .scoring, .answering: true
    case .finished, .cancelled, .failed: false
    }
  }
}

extension SteerSweep {
  /// The latest result, which can be written to a file.
  var exportable: ExportPath.Content? { report.map { .set($0) } ?? (control ?? document).map { .run($0) } }

  /// Starts a sweep with the steer screen's settings.
  static func start(withControl: Bool, _ state: inout ExplorerState) -> [Effect] {
    state.steer.prompt.commit()
    state.steer.begun()
    state.steer.runNumber += 1
    var request = state.steer.request
    request.strengths = strengths
    let sweep = SteerSweep(request: request, withControl: withControl, number: state.steer.runNumber)
    state.steer.sweep = sweep
    return state.show(.sweep) + [.start(.sweep(request, withControl: withControl), number: sweep.number)]
  }

  static func take(_ event: SweepEvent, number: Int, _ state: inout ExplorerState) -> [Effect] {
    guard var sweep = state.steer.sweep, sweep.number == number, sweep.isRunning else { return [] }
    let document: SteeringDocument
    switch event {
    case .tokens(let count):
      state.steer.sweep?.phase = .running(count)
      return []
    case .scored(let count, let total):
      state.steer.sweep?.phase = .scoring(count, of: total)
      return []
    case .finished(let found):
      (sweep.document, document) = (found, found)
      sweep.phase = sweep.withControl ? .running(0) : .finished
    case .control(let found):
      (sweep.control, document) = (found, found)
      sweep.phase = .finished
    }
    state.steer.sweep = sweep
    return [.save(document.record())]
  }

  /// Starts a sweep over a set of prompts, with the steer screen's latents and settings.
  static func start(over set: PromptSetChoice, _ state: inout ExplorerState) -> [Effect] {
    state.steer.begun()
    state.steer.runNumber += 1
    var request = state.steer.request
    request.strengths = PromptSetJob.usualStrengths
    // Random latents take the place of latents.
    var set = set
    if request.plan.interventions.isEmpty { set.random = 0 }
    var sweep = SteerSweep(request: request, withControl: set.random > 0, number: state.steer.runNumber)
    sweep.set = set
    sweep.phase = .answering(0, of: 0)
    state.steer.sweep = sweep
    return state.show(.sweep) + [.start(.promptSet(request, set), number: sweep.number)]
  }

  static func take(_ event: PromptSetEvent, number: Int, _ state: inout ExplorerState) -> [Effect] {
    guard let sweep = state.steer.sweep, sweep.number == number, sweep.isRunning else { return [] }
    switch event {
    case .progress(let done, let total):
      state.steer.sweep?.phase = .answering(done, of: total)
      return []
    case .finished(let report):
      state.steer.sweep?.report = report
      state.steer.sweep?.phase = .finished
      return [.save(report.record())]
    case .settings, .outcome: return []
    }
  }

  static func failed(_ reason: String, number: Int, _ state: inout ExplorerState) {
    guard state.steer.sweep?.number == number, state.steer.sweep?.isRunning == true else { return }
    state.steer.sweep?.phase = .failed(reason)
    state.tell(reason, .error)
  }
}
