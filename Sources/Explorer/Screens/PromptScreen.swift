// The prompt screen shows the user's text or chat, the latents that fire on each of its tokens, and what both models expect
// next there. Typing is in PromptScreen+Typing.swift, readings are in PromptState+Run.swift, drawing is in
// PromptScreen+Draw.swift and PromptScreen+Parts.swift.

import Diffing
import Experiments
import Kernels
import Reports
import Storage
import TUI

enum PromptScreen {
  static let definition = ScreenDefinition(
    title: { _ in "Prompt" },
    bindings: [
      Binding(["i", "tab"], .editPrompt, "edit", "edit the text or the chat; F1 there lists its keys"),
      Binding(["h", "left"], .left, nil, "go a token to the left", unavailable: noTokens),
      Binding(["l", "right"], .right, "token", "go a token to the right", unavailable: noTokens),
      Binding(["w", "ctrl-right"], .nextWord, nil, "go to the next word", unavailable: noTokens),
      Binding(["b", "ctrl-left"], .previousWord, nil, "go to the word before", unavailable: noTokens),
      Binding(["^"], .firstToken, nil, "go to the first token", unavailable: noTokens),
      Binding(["$"], .lastToken, nil, "go to the last token", unavailable: noTokens),
      Binding(
        ["p"], .toPeak, "peak", "go to the token where the latent is strongest", unavailable: Unavailable.noLatent),
      Binding(
        ["v"], .wholeText, "whole text", "show latents of the token, or of the whole text", unavailable: noTokens),
      Binding(["enter"], .open, "open", "open the latent's page", unavailable: Unavailable.noLatent),
      Binding(["s"], .steer, "steer", "steer with the latent alone", unavailable: Unavailable.noLatent),
      Binding(
        ["&"], .steerToo, "steer too", "steer with the latent beside those on the steer screen",
        unavailable: Unavailable.noLatent),
      Binding(["t"], .tag, "tag", "tag the latent", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(
        ["A"], .answer, "answer", "let the chat model answer and read each token; Esc stops", unavailable: noAnswer),
      Binding(["c"], .colourScale, nil, "colour by the selected latent, or by all that are listed"),
      Binding(["m"], .aggregation, nil, "order the whole text's latents by their max or their mean"),
      Binding(
        ["o"], .chatSpecificOnly, nil, "show only chat-specific latents: chat-only by Δ, or ν^ε < 0.2 and ν^r < 0.5"),
      Binding(["f"], .frequencyCut, nil, "show or hide latents that fire on more than 1 % of the corpus"),
      Binding(["T"], .templateTokens, nil, "count tokens of the chat template for the whole text, or not"),
      Binding(["n"], .note, nil, "write a note on the latent", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["S"], .steerScreen, nil, "go to the steer screen"),
    ] + GeneralBindings.moving,
    perform: perform,
    type: typePrompt,
    typing: { $0.prompt.isTyping ? typingKeys : nil },
    mouse: { mouse, state in
      let (list, rows) = (state.prompt.list, PromptState.rows(state))
      guard let row = list.row(after: mouse, in: PromptLayout(state).rows, count: rows.count) else { return [] }
      if mouse.kind == .press, row == list.selected { return state.perform(.open) }
      select(row, &state)
      return []
    },
    appear: { state in
      PromptState.refresh(&state)
      return PromptState.missingRows(state)
    },
    draw: draw,
    latent: { $0.prompt.selected },
    open: { _, state in state.show(.prompt) },
    back: cancel, cancel: cancel)

  @Sendable private static func noTokens(_ state: ExplorerState) -> String? {
    state.prompt.tokens.isEmpty ? "nothing is read yet: i edits the text, Enter reads it" : nil
  }

  @Sendable private static func noAnswer(_ state: ExplorerState) -> String? {
    if state.prompt.isBusy { return "the text is still being read; Esc stops that" }
    guard let source = state.prompt.editor.source else { return "there is nothing to answer: i edits the text" }
    return source.isOpen ? nil : "the last turn is the assistant's: add a user's turn (i, Ctrl-T)"
  }

  @Sendable private static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    switch action {
    case .editPrompt: state.prompt.isTyping = true
    case .answer: return PromptState.start(answerTokens: PromptState.answerTokens, &state)
    case .open:
      guard let id = state.prompt.selected else { return [] }
      return LatentState.open(id, &state)
    case .left, .right, .nextWord, .previousWord, .firstToken, .lastToken, .toPeak: moveCursor(action, &state)
    case .down, .up, .pageDown, .pageUp, .first, .last:
      let height = PromptLayout(state).rowsVisible
      let row = state.prompt.list.row(after: action, count: PromptState.rows(state).count, height: height)
      if let row { select(row, &state) }
    default: change(action, &state)
    }
    return []
  }

  /// Selects the latent of a row; in the list of the whole text it also moves to the token where the latent is
  /// strongest.
  private static func select(_ row: Int, _ state: inout ExplorerState) {
    let rows = PromptState.rows(state)
    guard !rows.isEmpty else { return }
    let chosen = rows[min(max(0, row), rows.count - 1)]
    state.prompt.selected = chosen.latent
    if let peak = chosen.peak { state.prompt.cursor = peak }
    state.prompt.isFresh = false
    PromptState.keepInView(&state)
  }

  private static func moveCursor(_ action: Action, _ state: inout ExplorerState) {
    let prompt = state.prompt
    let (count, cursor) = (prompt.tokens.count, prompt.cursor)
    let words = prompt.run?.wordStarts ?? []
    switch action {
    case .left: state.prompt.cursor -= 1
    case .right: state.prompt.cursor += 1
    case .nextWord: state.prompt.cursor = words.first { $0 > cursor } ?? count - 1
    case .previousWord: state.prompt.cursor = words.last { $0 < cursor } ?? 0
    case .firstToken: state.prompt.cursor = 0
    case .lastToken: state.prompt.cursor = count - 1
    default:
      guard let id = prompt.selected else { return }
      let values = prompt.tokens.map { $0.value(of: id) }
      guard let largest = values.max(), largest > 0, let peak = values.firstIndex(of: largest) else {
        return state.tell("latent \(id) is silent in this text")
      }
      state.prompt.cursor = peak
    }
    state.prompt.isFresh = false
    PromptState.keepInView(&state)
  }

  /// Changes what is shown.
  private static func change(_ action: Action, _ state: inout ExplorerState) {
    switch action {
    case .wholeText: state.prompt.isWholeText.toggle()
    case .colourScale:
      state.prompt.colours = state.prompt.colours == .latent ? .total : .latent
      state.tell(
        state.prompt.colours == .latent
          ? "colours show the selected latent" : "colours show the sum of the latents that pass the filters")
    case .aggregation:
      state.prompt.aggregate = state.prompt.aggregate == .max ? .mean : .max
      state.prompt.isWholeText = true
    case .chatSpecificOnly:
      state.prompt.filter.chatSpecificOnly.toggle()
      state.tell(
        state.prompt.filter.chatSpecificOnly
          ? "only chat-specific latents count: chat-only by Δ, or ν^ε < 0.2 and ν^r < 0.5" : "all latents count")
    case .frequencyCut:
      let isCut = state.prompt.filter.maxFrequency != nil
      state.prompt.filter.maxFrequency = isCut ? nil : ActivationFilter.usualFrequency
      state.tell(
        isCut
          ? "latents of any frequency are shown"
          : "latents that fire on more than 1 % of the corpus are hidden")
    case .templateTokens:
      state.prompt.countsTemplate.toggle()
      state.tell(
        "tokens of the chat template \(state.prompt.countsTemplate ? "count" : "do not count") for the whole text")
    default: return
    }
    PromptState.refresh(&state)
  }
}
