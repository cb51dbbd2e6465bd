// Gemma Instruct: `<start_of_turn>role\ncontent<end_of_turn>\n` after a beginning of sequence. Contents are trimmed,
// the assistant is called model, and users and model must alternate. Gemma 1 and 2 refuse a system prompt; Gemma 3 puts
// it before the user's first message.

struct GemmaFormat: ChatFormat {
  /// Whether a system message becomes part of the first turn.
  let foldsSystem: Bool
  /// The text of the token that begins a sequence; empty if the model's files name none.
  let beginning: String

  func spans(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws(InferenceError) -> [ChatSpan] {
    var messages = messages
    var system: ChatMessage?
    if let first = messages.first, first.role == .system {
      guard foldsSystem else {
        throw .settingInvalid(
          name: "the chat", expected: "without a system message, which this model's template refuses",
          found: "one that begins with \"\(InferenceError.excerpt(first.content, limit: 40))\"")
      }
      system = messages.removeFirst()
    }
    var spans: [ChatSpan] = [.template(beginning, messages.first?.role ?? .user)]
    for (index, message) in messages.enumerated() {
      guard (message.role == .user) == (index % 2 == 0) else {
        throw .settingInvalid(
          name: "the chat", expected: "user and assistant in turn, the user first, as this model's template wants",
          found: "the \(message.role.rawValue)'s as message \(index + 1)")
      }
      spans += Self.head(message.role)
      if index == 0, let system { spans += [.content(system.content, .system), .template("\n\n", message.role)] }
      spans += [
        .content(message.content.trimmedAsJinja, message.role), .template("<end_of_turn>", message.role),
        .template("\n", message.role),
      ]
    }
    if addGenerationPrompt { spans += Self.head(.assistant) }
    return spans
  }

  private static func head(_ role: ChatMessage.Role) -> [ChatSpan] {
    [
      .template("<start_of_turn>", role),
      .template((role == .assistant ? "model" : role.rawValue) + "\n", role),
    ]
  }
}
