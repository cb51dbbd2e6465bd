// The typed text of the prompt screen: one raw text, or the turns of a chat, each with its role. Tokens that came from a
// context are used as they are until their text is changed.

import Experiments
import Inference
import Storage
import TUI

/// The typed text.
struct PromptEditor: Sendable, Equatable {
  /// One turn of a chat.
  struct Turn: Sendable, Equatable {
    var role: ChatMessage.Role
    var text = LineEditor(limit: PromptEditor.longest)
  }

  private static let longest = 40_000

  var isRaw = false
  var raw = LineEditor(limit: longest)
  /// The turns, of which there is at least one.
  var turns = [Turn(role: .user)]
  /// The index of the turn that takes keys.
  var turn = 0
  private var carried: Carried?

  /// Tokens that replace the raw text as long as it equals this text.
  private struct Carried: Equatable {
    var text: String
    var source: PromptSource
  }

  /// The editor that takes keys.
  var active: LineEditor {
    get { isRaw ? raw : turns[turn].text }
    set { if isRaw { raw = newValue } else { turns[turn].text = newValue } }
  }

  /// Whether the raw text stands for tokens of a context.
  var isCarried: Bool { isRaw && carried?.text == raw.text }

  /// The text to read. Empty turns are left out; nil if there is nothing.
  var source: PromptSource? {
    guard !isRaw else {
      guard !raw.isEmpty else { return nil }
      return isCarried ? carried?.source : .raw(raw.text)
    }
    let messages = turns.filter { !$0.text.isEmpty }.map { ChatMessage(role: $0.role, content: $0.text.text) }
    return messages.isEmpty ? nil : .chat(messages)
  }

  /// Sets a chat with one message of the user.
  mutating func set(user text: String) {
    isRaw = false
    (turns, turn) = ([Turn(role: .user)], 0)
    turns[0].text.text = text
  }

  /// Sets the tokens of a stored context.
  mutating func set(tokens: [Int32], templateMask: [Bool], text: String) {
    isRaw = true
    raw.text = text
    carried = Carried(text: raw.text, source: .tokens(tokens, templateMask: templateMask))
  }

  /// Adds a turn after this one, in the role of the next speaker.
  mutating func addTurn() {
    turns.insert(Turn(role: turns[turn].role == .user ? .assistant : .user), at: turn + 1)
    turn += 1
  }

  mutating func nextRole() {
    let all: [ChatMessage.Role] = [.user, .assistant, .system]
    let index = all.firstIndex(of: turns[turn].role) ?? 0
    turns[turn].role = all[(index + 1) % all.count]
  }

  /// Takes a key or a pasted text.
  /// - Returns: whether the editor uses the input.
  mutating func take(_ input: Input) -> Bool {
    switch input {
    case .key("ctrl-x"): isRaw.toggle()
    case .key("ctrl-t") where !isRaw: addTurn()
    case .key("ctrl-o") where !isRaw: nextRole()
    case .key("up") where !isRaw && turns.count > 1: turn = max(0, turn - 1)
    case .key("down") where !isRaw && turns.count > 1: turn = min(turns.count - 1, turn + 1)
    case .key("backspace") where !isRaw && turns.count > 1 && active.isEmpty:
      turns.remove(at: turn)
      turn = max(0, turn - 1)
    default: return active.take(input, lineBreaks: .kept)
    }
    return true
  }
}
