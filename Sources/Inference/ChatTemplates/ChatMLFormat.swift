// ChatML, used by SmolLM2, Qwen 2 and 2.5 and many others: `<|im_start|>role\ncontent<|im_end|>\n`, with or without a
// default system prompt.

struct ChatMLFormat: ChatFormat {
  static let start = "<|im_start|>"
  static let end = "<|im_end|>"

  let defaultSystemPrompt: String?

  func spans(_ messages: [ChatMessage], addGenerationPrompt: Bool) -> [ChatSpan] {
    var spans: [ChatSpan] = []
    if let defaultSystemPrompt, let first = messages.first, first.role != .system {
      spans += Self.turn(.system, [.template(defaultSystemPrompt, .system)])
    }
    for message in messages { spans += Self.turn(message.role, [.content(message.content, message.role)]) }
    if addGenerationPrompt { spans += Self.head(.assistant) }
    return spans
  }

  static func turn(_ role: ChatMessage.Role, _ content: [ChatSpan]) -> [ChatSpan] {
    head(role) + content + [.template(end, role), .template("\n", role)]
  }

  static func head(_ role: ChatMessage.Role) -> [ChatSpan] {
    [.template(start, role), .template(role.rawValue + "\n", role)]
  }
}
