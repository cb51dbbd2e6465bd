// The actions of keys on the steer screen, and the text of its prompt.

import Diffing
import Inference
import Kernels
import Reports
import Storage
import TUI

extension SteerScreen {
  @Sendable static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    switch action {
    case .run: return SteerState.start(&state)
    case .nextFocus: nextFocus(&state)
    case .editPrompt: state.steer.focus = .prompt
    case .promptActivations: return PromptScreen.readSteerPrompt(&state)
    case .addLatent, .strength, .condition: state.overlay = SteerEntry(for: action, state)
    case .amplify:
      state.steer.put([AmplificationTerm(.logits, AmplificationTerm.Part.logits.usualValue)])
      state.steer.focus = .interventions
    case .addDirection: state.overlay = Chooser(.direction, state)
    case .open:
      guard let id = state.steer.selectedRow?.latent else { return [] }
      return LatentState.open(id, &state)
    case .temperature:
      state.steer.sampling.temperature = next(state.steer.sampling.temperature, SteerState.temperatures)
      state.steer.settle()
    case .settings: state.overlay = SettingsEditor()
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
    case .activations: toggleActivations(&state)
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

  private static func toggleActivations(_ state: inout ExplorerState) {
    state.steer.activations.isOn.toggle()
    if state.steer.run == nil {
      state.tell(
        "the latents' activations \(state.steer.activations.isOn ? "come with the next answers" : "stay away")")
    }
  }

  /// Loads the model again, or asks for the preview again.
  private static func tryAgain(_ state: inout ExplorerState) -> [Effect] {
    state.steer.retryPreview()
    guard case .failed = state.steer.model else { return [] }
    state.steer.model = .loading("")
    return [.loadModel]
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

  /// Moves the answers' window up by this many lines, within their bounds.
  static func scrollAnswers(_ step: Int, _ state: inout ExplorerState) {
    state.steer.scrolledBack = min(SteerLayout.linesAbove(state), max(0, state.steer.scrolledBack + step))
  }

  /// Changes the selected row.
  static func change(_ action: Action, _ state: inout ExplorerState) {
    let index = state.steer.list.selected
    let times = Double(state.count ?? 1)
    let former = state.steer.listed
    switch action {
    case .deleteLatent, .clearLatents:
      if action == .clearLatents { state.steer.clear() } else { state.steer.remove(state.count ?? 1) }
      if let text = state.steer.left(of: former) { state.tell(text) }
    default:
      if let amplified = state.steer.selectedAmplified {
        changeAmplified(amplified, action, times, &state)
      } else if let direction = state.steer.selectedDirection {
        changeDirection(direction, action, times, &state)
      } else if state.steer.rows.indices.contains(index) {
        changeLatent(index, action, times, &state)
      }
    }
  }

  private static func changeAmplified(_ index: Int, _ action: Action, _ times: Double, _ state: inout ExplorerState) {
    if action == .mode {
      state.tell(state.steer.changePart(index) ?? "every part is on the list already")
    } else {
      state.steer.amplified[index].perform(action, times)
    }
  }

  private static func changeDirection(_ index: Int, _ action: Action, _ times: Double, _ state: inout ExplorerState) {
    guard action == .mode else { return state.steer.directions[index].perform(action, times) }
    let mode = next(state.steer.directions[index].mode, SteeredDirection.Mode.allCases)
    state.steer.directions[index].mode = mode
    state.tell(mode == .add ? "the direction is added" : "the direction is taken out of h − mean")
  }

  private static func changeLatent(_ index: Int, _ action: Action, _ times: Double, _ state: inout ExplorerState) {
    guard action == .mode else { return state.steer.rows[index].perform(action, times) }
    let mode = next(state.steer.rows[index].mode, SteeringMode.allCases)
    let begin = state.steer.strengthToBegin(mode, limit: state.store.coherenceLimit)
    if let text = state.steer.rows[index].change(to: mode, unit: state.steer.plan.unit, begin: begin) {
      state.tell(text)
    }
  }

  /// Ends the run, the sweep, or the waiting for the model, if there is one.
  @Sendable static func cancel(_ state: inout ExplorerState) -> [Effect]? {
    state.steer.isBusy ? SteerState.cancel(&state) : nil
  }

  /// The keys that are not text while the prompt is typed.
  static let typingKeys = TypingKeys(bar: [
    KeyHint("Enter", "run"), KeyHint("Tab", "latents"), KeyHint("↑ ↓", "history"), KeyHint("Esc", "leave prompt"),
  ])

  /// Takes keys of the prompt while it has the focus.
  @Sendable static func typePrompt(_ input: Input, _ state: inout ExplorerState) -> [Effect]? {
    guard state.steer.focus == .prompt else { return nil }
    switch input {
    case .key("esc"):
      if state.steer.isBusy { return nil }
      state.steer.focus = .interventions
      return []
    case .key("backspace") where state.steer.prompt.isEmpty && !state.steer.turns.isEmpty:
      state.steer.takeBackTurn()
      return []
    case .key("ctrl-j"):
      state.steer.prompt.insert("\n")
      return []
    case .key("alt-e"): return state.editOutside()
    default: return state.steer.prompt.take(input, lineBreaks: .kept) ? [] : nil
    }
  }
}
