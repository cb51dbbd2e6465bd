// Shows a sweep as a dose–response chart and table. Drawing is in SweepScreen+Draw.swift, the choice of a set is in
// PromptSetPicker.

import Diffing
import Experiments
import Foundation
import Reports
import Storage
import TUI

enum SweepScreen {
  static let definition = ScreenDefinition(
    title: { _ in "Sweep" },
    bindings: [
      Binding(
        ["enter"], .open, "read", "read the whole answers at this strength",
        unavailable: { $0.steer.sweep?.answers() == nil ? "there is no answer yet" : nil }),
      Binding(["tab", "m"], .nextMeasure, "measure", "show the next measure on the chart"),
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
      case .open: if let answers = state.steer.sweep?.answers() { state.overlay = answers.page }
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
    draw: draw, copy: copy, back: SteerScreen.cancel)

  @Sendable static func cannotSweep(_ state: ExplorerState) -> String? {
    state.steer.prompt.isEmpty ? "the prompt is empty" : cannotSweepLatents(state)
  }

  /// The control replaces latents by random ones.
  @Sendable static func cannotSweepWithControl(_ state: ExplorerState) -> String? {
    let plan = state.steer.request.plan
    if plan.interventions.isEmpty, plan.hasStrengths {
      return "no latent is on: there is nothing to replace by random ones"
    }
    return cannotSweep(state)
  }

  /// The prompts of a set have no turns before them and are answered once each.
  @Sendable static func cannotSweepSet(_ state: ExplorerState) -> String? {
    if !state.steer.turns.isEmpty {
      return "a set's prompts begin a chat: Backspace in the empty prompt takes turns back"
    }
    if state.steer.sampling.samples > 1 { return "a set's prompts are answered once: , sets the samples to 1" }
    return cannotSweepLatents(state)
  }

  private static func cannotSweepLatents(_ state: ExplorerState) -> String? {
    if !state.steer.request.plan.isSteered { return "no latent is on: there is nothing to sweep" }
    guard case .ready = state.steer.model else { return "the model is not loaded yet" }
    return state.steer.isBusy ? "a run is under way; Esc cancels it" : CausalCheckRun.blocksRuns(state)
  }

  /// The steered answer at the strength under the cursor, or the whole sweep as Markdown.
  @Sendable static func copy(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    guard let sweep = state.steer.sweep else { return nil }
    if whole {
      guard let record = sweep.report?.record() ?? sweep.document?.record() else { return nil }
      return CopiedText(what: "the sweep", text: SavedRun(record).markdown)
    }
    guard let page = sweep.answers() else { return nil }
    return CopiedText(what: "the answers at ×\(compact(page.strength))", text: page.steered)
  }
}
