// The text whose latents are asked for: raw text, a chat, or the tokens of a stored context. It is turned into tokens here.

import Inference

/// A text whose latents are asked for.
package enum PromptSource: Sendable, Equatable {
  /// Raw text, which follows the model's beginning-of-sequence token.
  case raw(String)
  /// A chat in the model's template. The assistant's turn is opened unless the last turn is the assistant's.
  case chat([ChatMessage])
  /// The tokens that a store holds.
  case tokens([Int32], templateMask: [Bool])

  /// Whether the model can answer: it cannot continue an assistant's turn that has ended.
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
