// Qwen 3 without tools: ChatML in which the assistant thinks before it answers. Thoughts of turns before the last
// question are removed; turns after it show theirs, even if empty. The next turn is opened without `<think>`, which the
// model writes itself.

struct Qwen3Format: ChatFormat {
  func spans(_ messages: [ChatMessage], addGenerationPrompt: Bool) -> [ChatSpan] {
    var spans: [ChatSpan] = []
    let lastQuestion = messages.lastIndex(where: Self.isQuestion) ?? messages.count - 1
    for (index, message) in messages.enumerated() {
      guard message.role == .assistant else {
        spans += ChatMLFormat.turn(message.role, [.content(message.content, message.role)])
        continue
      }
      let (thought, answer) = Self.parts(message.content)
      let isLast = index == messages.count - 1
      if index > lastQuestion, isLast || !thought.isEmpty {
        spans += ChatMLFormat.turn(
          .assistant,
          [
            .template("<think>\n", .assistant), .content(thought.strippedOfNewlines(), .assistant),
            .template("\n</think>\n\n", .assistant), .content(answer.strippedOfNewlines(right: false), .assistant),
          ])
      } else {
        spans += ChatMLFormat.turn(.assistant, [.content(answer, .assistant)])
      }
    }
    if addGenerationPrompt { spans += ChatMLFormat.head(.assistant) }
    return spans
  }

  /// Users' messages may also carry the answers of tools, which are not questions.
  private static func isQuestion(_ message: ChatMessage) -> Bool {
    message.role == .user
      && !(message.content.hasPrefix("<tool_response>") && message.content.hasSuffix("</tool_response>"))
  }

  /// The thought and the answer in an assistant's message.
  private static func parts(_ content: String) -> (thought: String, answer: String) {
    let parts = content.split(pattern: "</think>")
    guard parts.count > 1, let before = parts.first, let answer = parts.last else { return ("", content) }
    let thought = before.strippedOfNewlines(left: false).split(pattern: "<think>").last ?? ""
    return (thought.strippedOfNewlines(right: false), answer.strippedOfNewlines(right: false))
  }
}

extension String {
  /// The parts between occurrences of `pattern`, at least one. The comparison is by bytes.
  fileprivate func split(pattern: String) -> [String] {
    let (text, pattern) = (Array(utf8), Array(pattern.utf8))
    var parts: [String] = []
    var (start, index) = (0, 0)
    while index + pattern.count <= text.count {
      if text[index..<index + pattern.count].elementsEqual(pattern) {
        parts.append(String(decoding: text[start..<index], as: UTF8.self))
        index += pattern.count
        start = index
      } else {
        index += 1
      }
    }
    return parts + [String(decoding: text[start...], as: UTF8.self)]
  }
}
