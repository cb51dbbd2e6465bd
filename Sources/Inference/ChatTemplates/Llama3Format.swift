// Llama 3 Instruct: `<|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>` after a beginning of text, with
// trimmed contents. Since 3.1 there is always a system turn, which begins with two lines of dates.

struct Llama3Format: ChatFormat {
  /// The day that the system turn mentions, such as `26 Jul 2024`; nil for Llama 3, which has no such lines.
  let date: String?
  /// The text of the token that begins a sequence; empty if the model's files name none.
  let beginning: String
  /// Whether the assistant's turn is opened even if the caller does not ask for it, as in the template first released.
  var alwaysOpens = false

  func spans(_ messages: [ChatMessage], addGenerationPrompt: Bool) -> [ChatSpan] {
    var messages = messages
    let firstRole = date == nil ? messages.first?.role ?? .system : .system
    var spans: [ChatSpan] = []
    // The first template writes the beginning of text only together with the first message.
    if date != nil || !messages.isEmpty { spans.append(.template(beginning, firstRole)) }
    if let date {
      let system = messages.first.flatMap { $0.role == .system ? $0 : nil }
      if system != nil { messages.removeFirst() }
      spans += Self.head(.system)
      spans += [
        .template("Cutting Knowledge Date: December 2023\nToday Date: \(date)\n\n", .system),
        .content(system?.content.trimmedAsJinja ?? "", .system), .template("<|eot_id|>", .system),
      ]
    }
    for message in messages {
      spans += Self.head(message.role)
      spans += [.content(message.content.trimmedAsJinja, message.role), .template("<|eot_id|>", message.role)]
    }
    if addGenerationPrompt || alwaysOpens { spans += Self.head(.assistant) }
    return spans
  }

  private static func head(_ role: ChatMessage.Role) -> [ChatSpan] {
    [
      .template("<|start_header_id|>", role), .template(role.rawValue, role), .template("<|end_header_id|>", role),
      .template("\n\n", role),
    ]
  }
}
