// The steer screen: a prompt, interventions, and the answers without and with them, side by side.
// It knows what is to be run and what came of the last run.
// Runs are in SteerScreen+Run.swift, drawing in SteerScreen+Draw.swift.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// View state of the steer screen.
struct SteerState: Sendable, Equatable {
  /// What the keys go to.
  enum Focus: Sendable, CaseIterable { case prompt, interventions, answers }

  /// Where the models are.
  enum Model: Sendable, Equatable {
    case absent
    case loading(String)
    case ready(String)
    case failed(String)
  }

  var prompt = LineEditor(limit: 8000)
  /// What was said before the prompt: the user's turns and the answers to them.
  var turns: [ChatMessage] = []
  var rows: [Row] = []
  var list = ListState()
  var history = SteerListHistory()
  var focus = Focus.prompt
  /// How tokens are chosen.
  var sampling = GenerationSettings(maxTokens: 96, seed: 1)
  /// What is done with the latents of the list, which are no part of it here. Its conditions are of all rows.
  var plan = SteeringPlan(interventions: [])
  /// Whether there is a third answer, steered with the baseline's attention weights.
  var freezesAttention = false
  /// Phrases whose log-probability at the start of the answer is measured.
  var watched = SteeringRequest.usuallyWatched
  var model = Model.absent
  /// Enter was pressed before the model was there.
  var isWaitingForModel = false
  var run: SteerRun?
  var preview = SteerPreview()
  var sweep: SteerSweep?
  /// The choice of a set of prompts as it was made last.
  var promptSet = PromptSetPicker()
  var trace = SteerTrace()
  /// Numbers the runs, so that a cancelled one's late tokens are dropped.
  var runNumber = 0
  /// Lines that the answers are scrolled up from their end.
  var scrolledBack = 0

  static let temperatures = [0.0, 0.5, 0.7, 1.0]
  static let lengths = [32, 96, 256]

  var selectedRow: Row? { rows.indices.contains(list.selected) ? rows[list.selected] : nil }

  /// What a run would do now.
  var request: SteeringRequest {
    let rows = rows.filter(\.isOn)
    var plan = plan
    plan.interventions = rows.map(\.intervention)
    if rows.isEmpty { plan.conditions = [] }
    return SteeringRequest(
      prompt: prompt.text, turns: turns, plan: plan, sampling: sampling, watched: watched,
      freezesAttention: freezesAttention)
  }

  mutating func select(_ index: Int) {
    list.select(index, count: rows.count, height: SteerLayout.mostRows)
  }
}

extension ScreenDefinition {
  static let steer = ScreenDefinition(
    title: { _ in "Steer" },
    bindings: [
      Binding(["enter"], .run, "run", "run: answer without and with the latents", unavailable: cannotRun),
      Binding(["tab"], .nextFocus, "next part", "from prompt to latents to answers"),
      Binding(["i"], .editPrompt, "prompt", "edit the prompt"),
      Binding(["space"], .toggle, "on/off", "turn the latent on or off", unavailable: noRow),
      Binding(["+", "="], .stronger, "stronger", "strength up by 0.25", unavailable: noRow),
      Binding(["-", "_"], .weaker, "weaker", "strength down by 0.25", unavailable: noRow),
      Binding(["]"], .slightlyStronger, nil, "strength up by 0.01", unavailable: noRow),
      Binding(["["], .slightlyWeaker, nil, "strength down by 0.01", unavailable: noRow),
      Binding(["s"], .strength, "strength", "type the strength, of this latent or of all", unavailable: noRow),
      Binding(["m"], .mode, "mode", "add, chat − base difference, ablate, project out, clamp", unavailable: noRow),
      Binding(["a"], .addLatent, "add", "add latents: id, id:strength or id:strength:mode"),
      Binding(
        ["d", "del"], .deleteLatent, "delete", "take the latent off the list, u brings it back", unavailable: noRow),
      Binding(["X"], .clearLatents, "clear", "take all latents off the list, u brings them back", unavailable: noRow),
      Binding([","], .settings, "settings", "all settings: positions, decoder, sampling, watched phrases"),
      Binding(["p"], .positions, nil, "steer all tokens, prompt, generated, template, or the prompt's last"),
      Binding(
        ["c"], .condition, nil,
        "steer with this latent, or with all, only where an activation is above or below a value",
        unavailable: noRow),
      Binding(["D"], .decoder, nil, "directions of chat's decoder, or of base's"),
      Binding(["A"], .blocks, nil, "add after the crosscoder's block only, or after all above too"),
      Binding(["N"], .unit, nil, "strengths in units of the largest activation, or ‖Δh‖ itself"),
      Binding(["w"], .sweep, "sweep", "strengths from −1 to 2 times those set, as a chart", unavailable: cannotSweep),
      Binding(
        ["W"], .sweepWithControl, nil, "sweep, then with random latents of the same norm (mode add)",
        unavailable: cannotSweep),
      Binding(
        ["M"], .sweepSet, nil, "sweep over a set of prompts, with refusals counted and random latents beside",
        unavailable: cannotSweepSet),
      Binding(
        ["C"], .continueSteered, "continue", "go on with the chat after the steered answer", unavailable: noAnswer),
      Binding(["B"], .continueBaseline, nil, "go on with the chat after the baseline's answer", unavailable: noAnswer),
      Binding(["l", "right"], .cursorRight, nil, "the next token of the answers", unavailable: noAnswer),
      Binding(["h", "left"], .cursorLeft, nil, "the token before it", unavailable: noAnswer),
      Binding(
        ["v"], .trace, nil, "activations of the latents along the answers, as they come; costs base a part of a pass",
        unavailable: noRow),
      Binding(
        ["f"], .freezeAttention, nil, "a third answer: steered with the baseline's attention weights above the layer"),
      Binding(
        ["."], .nextSample, nil, "the next sample's answers",
        unavailable: { ($0.steer.run?.samples.count ?? 0) > 1 ? nil : "there is one sample: , sets how many" }),
      Binding(
        ["e"], .export, nil, "write the run to a file, also where it could not be saved",
        unavailable: { $0.steer.run?.document == nil ? "there is no finished run" : nil }),
      Binding(["x"], .tryAgain, nil, "load the model or preview again after a failure", unavailable: nothingFailed),
      Binding(["o"], .open, nil, "open the latent's page", unavailable: noRow),
      Binding(["T"], .temperature, nil, "temperature 0, 0.5, 0.7 or 1"),
      Binding(["L"], .answerLength, nil, "answers of 32, 96 or 256 tokens"),
      Binding(["R"], .seed, nil, "another seed"),
      Binding(
        ["P"], .tracePrompt, nil, "to the prompt screen: which latents fire on the prompt",
        unavailable: { $0.steer.prompt.isEmpty ? "the prompt is empty: i edits it" : nil }),
      Binding(["t"], .tag, nil, "tag the latent", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["n"], .note, nil, "write a note on the latent", unavailable: Unavailable.noLatentOrReadOnly),
    ] + GeneralBindings.moving,
    perform: performOnSteer,
    type: typeSteerPrompt,
    mouse: { mouse, state in
      let layout = SteerLayout(state)
      switch mouse.kind {
      case .wheelUp, .wheelDown:
        let isUp = mouse.kind == .wheelUp
        guard layout.rows.contains(mouse.point), !state.steer.rows.isEmpty else {
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
      guard state.steer.model == .absent else { return rows }
      state.steer.model = .loading("")
      return rows + [.loadModel]
    },
    draw: drawSteer, copy: copySteer,
    cursor: RowCursor(
      selected: { $0.steer.focus == .answers ? nil : $0.steer.list.selected },
      select: { row, state in
        state.steer.select(row)
        return []
      }))

  @Sendable private static func noRow(_ state: ExplorerState) -> String? {
    state.steer.selectedRow == nil ? "no latent is on the list: a adds one" : nil
  }

  @Sendable private static func cannotRun(_ state: ExplorerState) -> String? {
    if state.steer.prompt.isEmpty { return "the prompt is empty: i edits it" }
    if state.steer.isWaitingForModel { return "waiting for the model; Esc cancels" }
    return state.steer.isBusy ? "still running; Esc cancels" : LatentCheck.blocksRuns(state)
  }

  @Sendable private static func noAnswer(_ state: ExplorerState) -> String? {
    guard let run = state.steer.run, !run.baseline.isEmpty, !run.steered.isEmpty else {
      return "there is no answer yet"
    }
    return run.phase == .running ? "still running; Esc cancels" : nil
  }

  @Sendable private static func nothingFailed(_ state: ExplorerState) -> String? {
    if case .failed = state.steer.model { return nil }
    if case .failed = state.steer.preview.phase { return nil }
    return "nothing has failed"
  }

  private static func toggleTrace(_ state: inout ExplorerState) {
    state.steer.trace.isOn.toggle()
    if state.steer.run == nil {
      state.tell("the latents' activations \(state.steer.trace.isOn ? "come with the next answers" : "stay away")")
    }
  }

  /// Loads the model again, or asks for the preview again.
  private static func tryAgain(_ state: inout ExplorerState) -> [Effect] {
    state.steer.retryPreview()
    guard case .failed = state.steer.model else { return [] }
    state.steer.model = .loading("")
    return [.loadModel]
  }

  @Sendable private static func performOnSteer(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    switch action {
    case .run: return SteerState.start(&state)
    case .nextFocus: nextFocus(&state)
    case .editPrompt: state.steer.focus = .prompt
    case .tracePrompt: return traceSteerPrompt(&state)
    case .addLatent, .strength, .condition: state.openSteerEntry(action)
    case .open:
      guard let id = state.steer.selectedRow?.latent else { return [] }
      return LatentState.open(id, &state)
    case .temperature:
      state.steer.sampling.temperature = next(state.steer.sampling.temperature, SteerState.temperatures)
      state.steer.settle()
    case .settings: state.overlay = .settings(SettingsEditor())
    case .positions: _ = SteerSetting.positions.step(1, &state.steer)
    case .decoder: _ = SteerSetting.decoder.step(1, &state.steer)
    case .blocks: _ = SteerSetting.blocks.step(1, &state.steer)
    case .unit:
      _ = SteerSetting.unit.step(1, &state.steer)
      state.tell(
        "of mode add the strengths stay as numbers and are now "
          + (state.steer.plan.unit == .norm ? "lengths" : "multiples of the largest activation"))
    case .tryAgain: return tryAgain(&state)
    case .sweep, .sweepWithControl: return SteerSweep.start(withControl: action == .sweepWithControl, &state)
    case .sweepSet: return state.openPromptSets()
    case .continueBaseline, .continueSteered:
      SteerState.continueChat(isSteered: action == .continueSteered, &state)
    case .trace: toggleTrace(&state)
    case .freezeAttention: _ = SteerSetting.frozenAttention.step(1, &state.steer)
    case .export:
      if let document = state.steer.run?.document { state.openExport(.run(document)) }
    case .nextSample: state.steer.run?.showNextSample()
    case .cursorLeft, .cursorRight:
      state.steer.focus = .answers
      state.steer.run?.moveCursor(by: action == .cursorRight ? 1 : -1)
    case .answerLength: state.steer.sampling.maxTokens = next(state.steer.sampling.maxTokens, SteerState.lengths)
    case .seed: state.steer.sampling.seed &+= 1
    case .down, .up, .pageDown, .pageUp, .first, .last: move(action, &state)
    default: change(action, &state)
    }
    return []
  }

  private static func next<T: Equatable>(_ value: T, _ all: [T]) -> T {
    let index = all.firstIndex(of: value) ?? all.count - 1
    return all[(index + 1) % all.count]
  }

  private static func nextFocus(_ state: inout ExplorerState) {
    let all = SteerState.Focus.allCases
    let index = all.firstIndex(of: state.steer.focus) ?? 0
    state.steer.focus = all[(index + 1) % all.count]
  }

  private static func move(_ action: Action, _ state: inout ExplorerState) {
    guard state.steer.focus == .answers else {
      let selected = state.steer.list.selected
      let target = [Action.down: selected + 1, .up: selected - 1, .first: 0, .last: Int.max][action]
      if let target { state.steer.select(target) }
      return
    }
    let page = max(1, SteerLayout(state).answers.rows - 2)
    let step = [Action.down: -1, .up: 1, .pageDown: -page, .pageUp: page, .first: Int.max / 2, .last: -Int.max / 2][
      action]
    scrollAnswers(step ?? 0, &state)
  }

  /// Moves the answers' window up by so many lines, within them.
  private static func scrollAnswers(_ step: Int, _ state: inout ExplorerState) {
    state.steer.scrolledBack = min(SteerLayout.linesAbove(state), max(0, state.steer.scrolledBack + step))
  }

  /// Changes the selected row.
  private static func change(_ action: Action, _ state: inout ExplorerState) {
    let index = state.steer.list.selected
    guard state.steer.rows.indices.contains(index) else { return }
    let times = Double(state.count ?? 1)
    let former = state.steer.rows
    switch action {
    case .toggle: state.steer.rows[index].isOn.toggle()
    case .stronger: state.steer.rows[index].turn(by: SteerState.notch * times)
    case .weaker: state.steer.rows[index].turn(by: -SteerState.notch * times)
    case .slightlyStronger: state.steer.rows[index].turn(by: SteerState.fineNotch * times)
    case .slightlyWeaker: state.steer.rows[index].turn(by: -SteerState.fineNotch * times)
    case .mode:
      let mode = next(state.steer.rows[index].mode, SteeringMode.allCases)
      let begin = state.steer.strengthToBegin(mode, limit: state.store.coherenceLimit)
      if let text = state.steer.rows[index].change(to: mode, unit: state.steer.plan.unit, begin: begin) {
        state.tell(text)
      }
    case .deleteLatent: state.steer.remove(state.count ?? 1)
    case .clearLatents: state.steer.clear()
    default: break
    }
    if let text = SteerState.left(former, state.steer.rows) { state.tell(text) }
  }

  /// Keys of the prompt while it has the focus.
  @Sendable private static func typeSteerPrompt(_ input: Input, _ state: inout ExplorerState) -> [Effect]? {
    guard state.steer.focus == .prompt else { return nil }
    switch input {
    case .paste(let text):
      state.steer.prompt.insert(text)
      return []
    case .key("esc"):
      if state.steer.isBusy { return nil }
      state.steer.focus = .interventions
      return []
    case .key("backspace") where state.steer.prompt.isEmpty && !state.steer.turns.isEmpty:
      state.steer.takeBackTurn()
      return []
    case .key("alt-enter"), .key("ctrl-j"):
      state.steer.prompt.insert("\n")
      return []
    case .key("alt-e"): return state.editOutside()
    case .key(let key): return state.steer.prompt.handle(key) ? [] : nil
    case .mouse: return nil
    }
  }
}
