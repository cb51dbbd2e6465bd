// What is traced: raw text, a chat, or the tokens of a stored context.
// Owns: the tokens of each. Refuses: what the model's template refuses, and nothing at all to trace.

import Inference

/// A text whose latents are asked for.
package enum PromptSource: Sendable, Equatable {
  /// As it is, after the model's beginning-of-sequence token.
  case raw(String)
  /// In the model's template; the assistant's turn is opened unless the last turn is the assistant's.
  case chat([ChatMessage])
  /// Tokens as a store has them.
  case tokens([Int32], templateMask: [Bool])

  /// Whether an answer of the model can follow: a turn of the assistant's that has ended cannot be gone on with.
  package var isOpen: Bool {
    if case .chat(let messages) = self { messages.last?.role != .assistant } else { true }
  }

  /// The text as tokens.
  /// - Throws: `InferenceError` for a chat that the template refuses, a model without a template, or an empty text.
  package func rendered(by engine: Engine) throws(InferenceError) -> RenderedChat {
    let result: RenderedChat
    switch self {
    case .raw(let text): result = try engine.encodePrompt(text, raw: true)
    case .chat(let messages): result = try engine.encodeChat(messages, addGenerationPrompt: isOpen)
    case .tokens(let ids, let templateMask):
      var chat = RenderedChat(plain: ids)
      chat.templateMask = templateMask
      result = chat
    }
    guard !result.ids.isEmpty else {
      throw .settingInvalid(name: "the text", expected: "at least one token", found: "empty")
    }
    return result
  }
}
