// The chat format of a model family turns messages into spans, each of which is the template's text or a message's.
// This folder has one file per family; `KnownTemplates` lists which template texts belong to which format.

/// How a family writes chats.
protocol ChatFormat: Sendable {
  /// The system prompt that is used if a chat does not begin with a system message.
  var defaultSystemPrompt: String? { get }

  /// Returns the chat as spans in order.
  /// - Throws: `InferenceError.settingInvalid` for a chat that the family's template refuses.
  func spans(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws(InferenceError) -> [ChatSpan]
}

extension ChatFormat {
  var defaultSystemPrompt: String? { nil }
}

/// A piece of a rendered chat.
struct ChatSpan: Equatable, Sendable {
  var text: String
  var role: ChatMessage.Role
  /// Whether the text belongs to the template.
  var isTemplate = true

  static func template(_ text: String, _ role: ChatMessage.Role) -> ChatSpan { ChatSpan(text: text, role: role) }

  static func content(_ text: String, _ role: ChatMessage.Role) -> ChatSpan {
    ChatSpan(text: text, role: role, isTemplate: false)
  }
}

extension String {
  /// The text without the white space around it that Jinja's `trim` removes: Python's, which includes U+001C to U+001F.
  var trimmedAsJinja: String {
    func isSpace(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
    let scalars = unicodeScalars
    guard let first = scalars.firstIndex(where: { !isSpace($0) }), let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[first...last])
  }

  /// The text without newlines at one or both ends, as by Python's `strip('\n')`.
  func strippedOfNewlines(left: Bool = true, right: Bool = true) -> String {
    var scalars = unicodeScalars[...]
    while left, scalars.first == "\n" { scalars.removeFirst() }
    while right, scalars.last == "\n" { scalars.removeLast() }
    return String(scalars)
  }
}
