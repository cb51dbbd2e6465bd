// The keys of the prompt screen while text is typed, and the texts that other screens bring here.

import Diffing
import Reports
import Storage
import TUI

extension PromptScreen {
  /// The keys beside those that are text.
  static let typingKeys = TypingKeys(
    bar: [
      KeyHint("Enter", "trace"), KeyHint("Ctrl-T", "turn"), KeyHint("Ctrl-O", "role"), KeyHint("Ctrl-X", "raw"),
      KeyHint("Alt-Enter", "line"), KeyHint("Esc", "leave"),
    ],
    help: [
      KeyHint("Enter", "trace what is typed"), KeyHint("Alt-Enter", "a new line"),
      KeyHint("Ctrl-T", "a turn after this one"), KeyHint("Ctrl-O", "who says it: user, assistant or system"),
      KeyHint("Backspace", "in an empty turn: take it away"), KeyHint("↑ ↓", "to the turn before or after"),
      KeyHint("Ctrl-X", "raw text instead of a chat, and back"), KeyHint("Esc Tab", "leave the text"),
    ])

  /// Ends the reading, if there is one.
  @Sendable static func cancel(_ state: inout ExplorerState) -> [Effect]? {
    state.prompt.isBusy ? PromptState.cancel(&state) : nil
  }

  /// Takes keys of the text while it is typed.
  @Sendable static func typePrompt(_ input: Input, _ state: inout ExplorerState) -> [Effect]? {
    guard state.prompt.isTyping else { return nil }
    switch input {
    case .key("enter"):
      guard state.prompt.editor.source != nil else {
        state.tell("there is nothing to trace yet: type a text")
        return []
      }
      return PromptState.start(&state)
    case .key("esc"), .key("tab"):
      if state.prompt.isBusy { return nil }
      state.prompt.isTyping = false
    default: return state.prompt.editor.take(input) ? [] : nil
    }
    return []
  }

  /// Reads the steer screen's prompt.
  static func readSteerPrompt(_ state: inout ExplorerState) -> [Effect] {
    state.prompt.editor.set(user: state.steer.prompt.text)
    return state.show(.prompt) + PromptState.start(&state)
  }

  /// Reads the tokens of a latent's context and selects that latent.
  static func read(_ context: Context, of page: LatentPage, _ state: inout ExplorerState) -> [Effect] {
    let ids = context.sequence.tokenIDs
    state.prompt.editor.set(
      tokens: ids, templateMask: context.sequence.templateMask, text: tokenTexts(ids, page.tokens).joined())
    state.prompt.selected = page.latent.id
    return state.show(.prompt) + PromptState.start(&state)
  }
}
