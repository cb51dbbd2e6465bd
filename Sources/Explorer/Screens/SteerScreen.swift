// The steer screen shows a prompt, interventions, and the answers without and with them, side by side. The actions of its keys
// are in SteerScreen+Actions.swift, runs in SteerState+Run.swift, drawing in SteerScreen+Draw.swift.

import Diffing
import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

enum SteerScreen {
  static let definition = ScreenDefinition(
    title: { _ in "Steer" },
    bindings: [
      Binding(["enter"], .run, "run", "answer without and with the latents", unavailable: cannotRun),
      Binding(["tab"], .nextFocus, "next part", "go from prompt to latents to answers"),
      Binding(["i"], .editPrompt, "prompt", "edit the prompt"),
      Binding(["space"], .toggle, "on/off", "turn the latent on or off", unavailable: nothingListed),
      Binding(["+", "="], .stronger, "stronger", "raise the strength by 0.25", unavailable: nothingListed),
      Binding(["-", "_"], .weaker, "weaker", "lower the strength by 0.25", unavailable: nothingListed),
      Binding(["]"], .slightlyStronger, nil, "raise the strength by 0.01", unavailable: nothingListed),
      Binding(["["], .slightlyWeaker, nil, "lower the strength by 0.01", unavailable: nothingListed),
      Binding(["s"], .strength, "strength", "type the strength, of this latent or of all", unavailable: nothingListed),
      Binding(
        ["m"], .mode, "mode", "choose add, chat − base difference, ablate, project out, clamp",
        unavailable: nothingListed),
      Binding(["a"], .addLatent, "add", "add latents: id, id:strength or id:strength:mode"),
      Binding(
        ["d", "del"], .deleteLatent, "delete", "take the latent off the list; u brings it back",
        unavailable: nothingListed),
      Binding(
        ["X"], .clearLatents, "clear", "take all latents off the list; u brings them back", unavailable: nothingListed),
      Binding(
        ["z"], .amplify, "amplify", "amplify chat beyond base, by its logits; m goes on to weights, attention, MLPs"),
      Binding(
        ["V"], .addDirection, nil, "add a direction of the store: a mean difference, a component, a control vector",
        unavailable: noDirection),
      Binding([","], .settings, "settings", "change all settings: positions, decoder, sampling, watched phrases"),
      Binding(["p"], .positions, nil, "steer all tokens, prompt, generated, template, or the prompt's last"),
      Binding(
        ["c"], .condition, nil,
        "steer with this latent, or with all, only where an activation is above or below a value",
        unavailable: noRow),
      Binding(["D"], .decoder, nil, "use directions of chat's decoder, or of base's"),
      Binding(["A"], .blocks, nil, "add after the crosscoder's block only, or after all above too"),
      Binding(["N"], .unit, nil, "give strengths in units of the largest activation, or ‖Δh‖ itself"),
      Binding(
        ["w"], .sweep, "sweep", "try strengths from −1 to 2 times those set, as a chart",
        unavailable: SweepScreen.cannotSweep),
      Binding(
        ["W"], .sweepWithControl, nil, "sweep, then with random latents of the same norm (mode add)",
        unavailable: SweepScreen.cannotSweepWithControl),
      Binding(
        ["M"], .sweepSet, nil, "sweep over a set of prompts, count refusals, with random latents beside",
        unavailable: SweepScreen.cannotSweepSet),
      Binding(
        ["C"], .continueSteered, "continue", "go on with the chat after the steered answer", unavailable: noAnswer),
      Binding(["B"], .continueBaseline, nil, "go on with the chat after the baseline's answer", unavailable: noAnswer),
      Binding(["l", "right"], .cursorRight, nil, "go to the next token of the answers", unavailable: noAnswer),
      Binding(["h", "left"], .cursorLeft, nil, "go to the token before it", unavailable: noAnswer),
      Binding(
        ["v"], .activations, nil,
        "show the latents' activations along the answers; costs base a part of a pass",
        unavailable: noRow),
      Binding(
        ["f"], .freezeAttention, nil, "add a third answer, with the baseline's attention weights above the layer"),
      Binding(
        ["."], .nextSample, nil, "show the next sample's answers",
        unavailable: { ($0.steer.run?.samples.count ?? 0) > 1 ? nil : "there is one sample: , sets how many" }),
      Binding(
        ["e"], .export, nil, "write the run to a file, also where it could not be saved",
        unavailable: { $0.steer.run?.document == nil ? "there is no finished run" : nil }),
      Binding(["x"], .tryAgain, nil, "load the model or preview again after a failure", unavailable: nothingFailed),
      Binding(["o"], .open, nil, "open the latent's page", unavailable: noRow),
      Binding(["T"], .temperature, nil, "set temperature 0, 0.5, 0.7 or 1"),
      Binding(["L"], .answerLength, nil, "set answers of 32, 96 or 256 tokens"),
      Binding(["R"], .seed, nil, "take another seed"),
      Binding(
        ["P"], .promptActivations, nil, "show which latents fire on the prompt, on the prompt screen",
        unavailable: { $0.steer.prompt.isEmpty ? "the prompt is empty: i edits it" : nil }),
      Binding(["t"], .tag, nil, "tag the latent", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["n"], .note, nil, "write a note on the latent", unavailable: Unavailable.noLatentOrReadOnly),
    ] + GeneralBindings.moving,
    perform: perform,
    type: typePrompt,
    typing: { $0.steer.focus == .prompt ? typingKeys : nil },
    mouse: { mouse, state in
      let layout = SteerLayout(state)
      switch mouse.kind {
      case .wheelUp, .wheelDown:
        let isUp = mouse.kind == .wheelUp
        guard layout.rows.contains(mouse.point), state.steer.listCount > 0 else {
          scrollAnswers(isUp ? 3 : -3, &state)
          break
        }
        state.steer.focus = .interventions
        state.steer.select(layout.list.top + mouse.point.row - layout.rows.row)
        change(isUp ? .stronger : .weaker, &state)
      case .press:
        if layout.prompt.contains(mouse.point) { state.steer.focus = .prompt }
        if layout.rows.contains(mouse.point) {
          state.steer.focus = .interventions
          state.steer.select(layout.list.top + mouse.point.row - layout.rows.row)
        }
        if layout.answers.contains(mouse.point) { state.steer.focus = .answers }
      case .release: break
      }
      return []
    },
    appear: { state in
      scrollAnswers(0, &state)
      let rows = state.loadListed()
      // Directions may have been made since the screen was last shown.
      guard state.steer.model == .absent else { return rows + [.loadDirections] }
      state.steer.model = .loading("")
      return rows + [.loadDirections, .loadModel]
    },
    follow: { state in
      let effects = SteerState.followKnob(&state)
      return effects + SteerState.followActivations(&state)
    },
    draw: draw,
    progress: { state in
      if case .loading(let detail) = state.steer.model, !detail.isEmpty { detail } else { nil }
    },
    copy: copy,
    cursor: RowCursor(
      selected: { $0.steer.focus == .answers ? nil : $0.steer.list.selected },
      select: { row, state in
        state.steer.select(row)
        return []
      }),
    latent: { $0.steer.selectedRow?.latent },
    outside: { EditRequest(subject: .prompt, text: $0.steer.prompt.text) },
    undo: { redo, state in
      state.tell(state.steer.bringBack(forth: redo))
      return state.loadListed()
    },
    open: { _, state in state.show(.steer) },
    back: cancel, cancel: cancel,
    leave: { $0.steer.isWaitingForModel = false })

  @Sendable private static func nothingListed(_ state: ExplorerState) -> String? {
    state.steer.listCount == 0 ? noLatent : nil
  }

  @Sendable private static func noRow(_ state: ExplorerState) -> String? {
    if state.steer.selectedAmplified != nil { return "the row is an amplification: go to a latent's row" }
    if state.steer.selectedDirection != nil { return "the row is a direction: go to a latent's row" }
    return state.steer.selectedRow == nil ? noLatent : nil
  }

  @Sendable private static func noDirection(_ state: ExplorerState) -> String? {
    state.steer.known?.isEmpty == false
      ? nil : "the store has no direction: crosscope direction makes one, and crosscope differences makes δ"
  }

  private static let noLatent = "no latent is on the list: a adds one"

  @Sendable private static func cannotRun(_ state: ExplorerState) -> String? {
    if state.steer.prompt.isEmpty { return "the prompt is empty: i edits it" }
    if state.steer.isWaitingForModel { return "the run waits for the model; Esc cancels it" }
    return state.steer.isBusy ? "a run is under way; Esc cancels it" : CausalCheckRun.blocksRuns(state)
  }

  @Sendable private static func noAnswer(_ state: ExplorerState) -> String? {
    guard let run = state.steer.run, !run.baseline.isEmpty, !run.steered.isEmpty else {
      return "there is no answer yet"
    }
    return run.phase == .running ? "a run is under way; Esc cancels it" : nil
  }

  @Sendable private static func nothingFailed(_ state: ExplorerState) -> String? {
    if case .failed = state.steer.model { return nil }
    if case .failed = state.steer.preview.phase { return nil }
    return "nothing has failed"
  }

  /// The steered answer, or the prompt if there is none; for all, the prompt, latents and both answers.
  @Sendable static func copy(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    let steer = state.steer
    guard let run = steer.run else {
      return steer.prompt.isEmpty ? nil : CopiedText(what: "the prompt", text: steer.prompt.text)
    }
    guard whole else {
      if steer.focus == .prompt { return CopiedText(what: "the prompt", text: steer.prompt.text) }
      return CopiedText(what: "the steered answer", text: run.steered.joined())
    }
    return CopiedText(
      what: "prompt and answers",
      text: """
        Prompt: \(run.request.prompt)
        Latents: \(run.request.steeringText)
        Baseline: \(run.baseline.joined())
        Steered: \(run.steered.joined())

        """ + (run.request.freezesAttention ? "Attention frozen: \(run.frozen.joined())\n" : ""))
  }
}
