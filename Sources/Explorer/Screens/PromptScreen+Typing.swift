// The keys of the prompt screen while text is typed, and the texts that other screens bring here.

import Diffing
import Experiments
import Reports
import Storage
import TUI

extension PromptScreen {
  /// The keys beside those that are text.
  static let typingKeys = TypingKeys(
    bar: [
      KeyHint("Enter", "read"), KeyHint("Ctrl-T", "turn"), KeyHint("Ctrl-O", "role"), KeyHint("Ctrl-X", "raw"),
      KeyHint("Alt-Enter", "line"), KeyHint("Esc", "leave"),
    ],
    help: [
      KeyHint("Enter", "read what is typed"), KeyHint("Alt-Enter", "begin a new line"),
      KeyHint("Ctrl-T", "add a turn after this one"),
      KeyHint("Ctrl-O", "choose who says it: user, assistant or system"),
      KeyHint("Backspace", "take an empty turn away"), KeyHint("↑ ↓", "go to the turn before or after"),
      KeyHint("Ctrl-X", "change between a chat and raw text"), KeyHint("Esc Tab", "leave the text"),
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
        state.tell("there is nothing to read yet: type a text")
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

  /// Reads the tokens of a text on which the models part.
  static func read(_ text: DifferenceDocument.Text, _ state: inout ExplorerState) -> [Effect] {
    state.prompt.editor.set(
      tokens: text.tokens.map(\.id), templateMask: text.tokens.map { $0.role == .template },
      text: text.tokens.map(\.text).joined())
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
