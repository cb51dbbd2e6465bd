// Typing on the prompt screen: one raw text, or the turns of a chat, each with its role.
// Owns: the editors and what their keys do. Refuses: tokens of its own; those carried over from a context stay as they
// are until their text is changed.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// What is typed.
struct PromptEditor: Sendable, Equatable {
  /// One turn of a chat.
  struct Turn: Sendable, Equatable {
    var role: ChatMessage.Role
    var text = LineEditor(limit: PromptEditor.longest)
  }

  private static let longest = 40_000

  var isRaw = false
  var raw = LineEditor(limit: longest)
  /// Never empty.
  var turns = [Turn(role: .user)]
  /// The turn that keys go to.
  var turn = 0
  private var carried: Carried?

  /// Tokens that stand for the raw text as long as it is this one.
  private struct Carried: Equatable {
    var text: String
    var source: PromptSource
  }

  /// The editor that keys go to.
  var active: LineEditor {
    get { isRaw ? raw : turns[turn].text }
    set { if isRaw { raw = newValue } else { turns[turn].text = newValue } }
  }

  /// Whether the raw text stands for tokens of a context.
  var isCarried: Bool { isRaw && carried?.text == raw.text }

  /// What there is to trace: turns with nothing in them are left out; nil for nothing.
  var source: PromptSource? {
    guard !isRaw else {
      guard !raw.isEmpty else { return nil }
      return isCarried ? carried?.source : .raw(raw.text)
    }
    let messages = turns.filter { !$0.text.isEmpty }.map { ChatMessage(role: $0.role, content: $0.text.text) }
    return messages.isEmpty ? nil : .chat(messages)
  }

  /// A chat of one message of the user.
  mutating func set(user text: String) {
    isRaw = false
    (turns, turn) = ([Turn(role: .user)], 0)
    turns[0].text.text = text
  }

  /// The very tokens of a stored context.
  mutating func set(tokens: [Int32], templateMask: [Bool], text: String) {
    isRaw = true
    raw.text = text
    carried = Carried(text: raw.text, source: .tokens(tokens, templateMask: templateMask))
  }

  /// A turn after this one, of whoever speaks next.
  mutating func addTurn() {
    turns.insert(Turn(role: turns[turn].role == .user ? .assistant : .user), at: turn + 1)
    turn += 1
  }

  mutating func nextRole() {
    let all: [ChatMessage.Role] = [.user, .assistant, .system]
    let index = all.firstIndex(of: turns[turn].role) ?? 0
    turns[turn].role = all[(index + 1) % all.count]
  }

  /// What a key does to the text.
  /// - Returns: whether the key meant something here.
  mutating func handle(_ key: Key) -> Bool {
    switch key {
    case "alt-enter": active.insert("\n")
    case "ctrl-x": isRaw.toggle()
    case "ctrl-t" where !isRaw: addTurn()
    case "ctrl-o" where !isRaw: nextRole()
    case "up" where !isRaw && turns.count > 1: turn = max(0, turn - 1)
    case "down" where !isRaw && turns.count > 1: turn = min(turns.count - 1, turn + 1)
    case "backspace" where !isRaw && turns.count > 1 && active.isEmpty:
      turns.remove(at: turn)
      turn = max(0, turn - 1)
    default: return active.handle(key)
    }
    return true
  }
}

extension PromptState {
  /// The keys while typing, for help.
  static let typingHelp = [
    KeyHint("Enter", "trace what is typed"), KeyHint("Alt-Enter", "a new line"),
    KeyHint("Ctrl-T", "a turn after this one"), KeyHint("Ctrl-O", "who says it: user, assistant or system"),
    KeyHint("Backspace", "in an empty turn: take it away"), KeyHint("↑ ↓", "to the turn before or after"),
    KeyHint("Ctrl-X", "raw text instead of a chat, and back"), KeyHint("Esc Tab", "leave the text"),
  ]

  /// The key bar while typing.
  static let typingHints = [
    KeyHint("Enter", "trace"), KeyHint("Ctrl-T", "turn"), KeyHint("Ctrl-O", "role"), KeyHint("Ctrl-X", "raw"),
    KeyHint("Alt-Enter", "line"), KeyHint("Esc", "leave"),
  ]
}

extension ScreenDefinition {
  /// Keys of the text while it is typed.
  @Sendable static func typePrompt(_ input: Input, _ state: inout ExplorerState) -> [Effect]? {
    guard state.prompt.isTyping else { return nil }
    switch input {
    case .paste(let text): state.prompt.editor.active.insert(text)
    case .key("enter"):
      guard state.prompt.editor.source != nil else {
        state.tell("there is nothing to trace yet: type a text")
        return []
      }
      return PromptState.start(&state)
    case .key("esc"), .key("tab"):
      if state.prompt.isBusy { return nil }
      state.prompt.isTyping = false
    case .key(let key): return state.prompt.editor.handle(key) ? [] : nil
    case .mouse: return nil
    }
    return []
  }

  /// Traces the steer screen's prompt.
  static func traceSteerPrompt(_ state: inout ExplorerState) -> [Effect] {
    state.prompt.editor.set(user: state.steer.prompt.text)
    return state.show(.prompt) + PromptState.start(&state)
  }

  /// Traces the tokens of a latent's context, looking at that latent.
  static func trace(_ context: Context, of page: LatentPage, _ state: inout ExplorerState) -> [Effect] {
    let ids = context.sequence.tokenIDs
    state.prompt.editor.set(
      tokens: ids, templateMask: context.sequence.templateMask, text: tokenTexts(ids, page.tokens).joined())
    state.prompt.selected = page.latent.id
    return state.show(.prompt) + PromptState.start(&state)
  }
}
