// A sweep: the steer screen's latents at several strengths, on its prompt or on a set of prompts, as a dose–response
// chart and table; random latents of the same norm as a control. Owns: what is asked for and what has come of it.
// Drawing is in SweepScreen+Draw.swift, the choice of a set in PromptSetPicker. Refuses: models; SteeringService has
// them.

import Diffing
import Experiments
import Foundation
import Reports
import Storage
import TUI

/// A sweep and what has come of it.
struct SteerSweep: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    /// Tokens of each answer so far.
    case running(Int)
    /// All answers have ended; texts that are scored, of how many.
    case scoring(Int, of: Int)
    /// Prompts of a set that are answered, of how many.
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
  /// The set that is swept over in place of the prompt, if one is.
  var set: PromptSetChoice?
  var report: DoseResponse?
  /// The measure on the chart.
  var measure = 0
  /// The strength under the cursor.
  var list = ListState()

  /// They multiply the strengths of the latents.
  static let strengths = stride(from: -1, through: 2, by: 0.5).map { $0 }

  var isRunning: Bool {
    switch phase {
    case .running, .scoring, .answering: true
    case .finished, .cancelled, .failed: false
    }
  }
}

extension SteerSweep {
  /// What came last, to be written to a file.
  var exportable: ExportPath.Content? { report.map { .set($0) } ?? (control ?? document).map { .run($0) } }

  /// Starts a sweep over what the steer screen is set to.
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

extension ScreenDefinition {
  static let sweep = ScreenDefinition(
    title: { _ in "Sweep" },
    bindings: [
      Binding(
        ["enter"], .open, "read", "the whole answers at this strength",
        unavailable: { $0.steer.sweep?.answers() == nil ? "there is no answer yet" : nil }),
      Binding(["tab", "m"], .nextMeasure, "measure", "the next measure on the chart"),
      Binding(
        ["w"], .sweep, "again", "sweep again, as the steer screen is set now", unavailable: cannotSweep),
      Binding(
        ["W"], .sweepWithControl, "with control", "sweep again, then with random latents of the same norm",
        unavailable: cannotSweep),
      Binding(
        ["M"], .sweepSet, "set", "sweep over a set of prompts, with random latents beside",
        unavailable: cannotSweepSet),
      Binding(
        ["e"], .export, "export", "write the sweep to a file",
        unavailable: { $0.steer.sweep?.exportable == nil ? "there is no sweep yet" : nil }),
    ] + GeneralBindings.moving,
    perform: { action, state in
      switch action {
      case .open: if let answers = state.steer.sweep?.answers() { state.overlay = .reading(answers.page) }
      case .sweep, .sweepWithControl: return SteerSweep.start(withControl: action == .sweepWithControl, &state)
      case .export:
        if let content = state.steer.sweep?.exportable { state.openExport(content) }
      case .sweepSet: return state.openPromptSets()
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
    draw: drawSweep, copy: copySweep)

  @Sendable static func cannotSweep(_ state: ExplorerState) -> String? {
    state.steer.prompt.isEmpty ? "the prompt is empty" : cannotSweepLatents(state)
  }

  /// A set's prompts stand alone and are answered once each.
  @Sendable static func cannotSweepSet(_ state: ExplorerState) -> String? {
    if !state.steer.turns.isEmpty {
      return "a set's prompts begin a chat: Backspace in the empty prompt takes turns back"
    }
    if state.steer.sampling.samples > 1 { return "a set's prompts are answered once: , sets the samples to 1" }
    return cannotSweepLatents(state)
  }

  private static func cannotSweepLatents(_ state: ExplorerState) -> String? {
    if state.steer.request.plan.interventions.isEmpty { return "no latent is on: there is nothing to sweep" }
    guard case .ready = state.steer.model else { return "the model is not loaded yet" }
    return state.steer.isBusy ? "still running; Esc cancels" : LatentCheck.blocksRuns(state)
  }
}
