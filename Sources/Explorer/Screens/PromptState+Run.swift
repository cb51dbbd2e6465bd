// The reading of a text in the explorer: its start, its tokens as they arrive, and its end.

import Diffing
import Experiments
import Kernels
import Reports
import Storage
import TUI

extension PromptState {
  /// The largest number of tokens of an answer.
  static let answerTokens = 128

  /// Reads the typed text; this replaces any other reading.
  static func start(answerTokens: Int = 0, _ state: inout ExplorerState) -> [Effect] {
    guard let source = state.prompt.editor.source else { return [] }
    let cancelled: [Effect] = state.prompt.isBusy ? [.cancel(.textActivations)] : []
    let request = TextActivationsJob(source, answerTokens: answerTokens)
    state.prompt.editor.active.commit()
    state.prompt.runNumber += 1
    state.prompt.run = PromptRun(request: request)
    (state.prompt.cursor, state.prompt.isFresh, state.prompt.isTyping) = (0, true, false)
    state.prompt.former = state.prompt.selected
    refresh(&state)
    return cancelled + [.start(.textActivations(request), number: state.prompt.runNumber)]
  }

  /// Ends the reading; its result so far stays.
  static func cancel(_ state: inout ExplorerState) -> [Effect] {
    state.prompt.run?.phase = .cancelled
    state.tell("cancelled")
    return [.cancel(.textActivations)]
  }

  static func loading(_ what: String, number: Int, _ state: inout ExplorerState) {
    guard number == state.prompt.runNumber, state.prompt.isBusy else { return }
    state.prompt.run?.phase = .loading(what)
  }

  static func failed(_ reason: String, number: Int, _ state: inout ExplorerState) {
    guard number == state.prompt.runNumber, state.prompt.isBusy else { return }
    state.prompt.run?.phase = .failed(reason)
    state.tell(reason, .error)
  }

  /// Takes tokens or the end of the reading with this number.
  static func take(_ event: TextActivationsEvent, number: Int, _ state: inout ExplorerState) -> [Effect] {
    guard number == state.prompt.runNumber, state.prompt.isBusy, var run = state.prompt.run else { return [] }
    switch event {
    case .finished(let seconds, _): run.phase = .finished(seconds: seconds)
    case .tokens(let tokens, let names, _):
      // The cursor follows a growing answer as long as it is at its end.
      if run.isAnswer, state.prompt.cursor >= run.tokens.count - 1 {
        state.prompt.cursor = run.tokens.count + tokens.count - 1
      }
      run.phase = .running
      run.tokens += tokens
      run.names.merge(names) { _, new in new }
      run.texts = tokenTexts(run.tokens.map(\.id), run.names)
    }
    state.prompt.run = run
    refresh(&state)
    guard case .tokens = event else { return [] }
    return missingRows(state)
  }

  /// The missing rows of latents that fire in the text.
  static func missingRows(_ state: ExplorerState) -> [Effect] {
    let ids = Set(state.prompt.tokens.flatMap { $0.activations.map(\.latent) })
      .union([state.prompt.selected].compactMap { $0 })
    let missing = ids.filter { state.latents.rows[$0] == nil }.sorted()
    return missing.isEmpty ? [] : [.loadRows(missing)]
  }

  /// The arrived rows decide which latents pass the filters. Rows for other screens wait until this one appears again.
  static func rowsArrived(_ state: inout ExplorerState) {
    if state.screen == .prompt, state.prompt.run != nil { refresh(&state) }
  }

  /// Makes the list of the whole text again. If nothing was selected in this text, the former latent stays selected if
  /// it fires here; otherwise the strongest latent is selected.
  static func refresh(_ state: inout ExplorerState) {
    let prompt = state.prompt
    // While tokens arrive, the list is only made if it is shown, since its cost grows with the text.
    guard prompt.isWholeText || !prompt.isBusy || prompt.selected == nil else { return keepInView(&state) }
    let before = state
    state.prompt.overall = latentsOverText(
      prompt.tokens, by: prompt.aggregate, template: prompt.countsTemplate, where: { isShown($0, before) })
    let overall = state.prompt.overall
    if prompt.isFresh, let chosen = overall.first(where: { $0.latent == prompt.former }) ?? overall.first {
      state.prompt.selected = chosen.latent
      // In an answer the cursor stays at the end, where new tokens arrive.
      if !(prompt.run?.isAnswer ?? false) { state.prompt.cursor = chosen.peak }
    }
    keepInView(&state)
  }
}
