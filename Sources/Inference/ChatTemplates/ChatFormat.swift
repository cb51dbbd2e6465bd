// What a family's chat format makes of messages: a row of spans, each the template's or somebody's.
// One file a family in this folder; `KnownTemplates` lists which template texts mean which.

/// A family's way of writing chats.
protocol ChatFormat: Sendable {
  /// What is said in the system's name if a chat does not begin with a system message.
  var defaultSystemPrompt: String? { get }

  /// The chat in order.
  /// - Throws: `InferenceError.settingInvalid` for a chat that the family's template refuses.
  func spans(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws(InferenceError) -> [ChatSpan]
}

extension ChatFormat {
  var defaultSystemPrompt: String? { nil }
}

/// A stretch of a rendered chat.
struct ChatSpan: Equatable, Sendable {
  var text: String
  var role: ChatMessage.Role
  /// Whether the text is the template's own.
  var isTemplate = true

  static func template(_ text: String, _ role: ChatMessage.Role) -> ChatSpan { ChatSpan(text: text, role: role) }

  static func content(_ text: String, _ role: ChatMessage.Role) -> ChatSpan {
    ChatSpan(text: text, role: role, isTemplate: false)
  }
}

extension String {
  /// The text without the white space around it that Jinja's `trim` takes: Python's, which includes U+001C to U+001F.
  var trimmedAsJinja: String {
    func isSpace(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
    let scalars = unicodeScalars
    guard let first = scalars.firstIndex(where: { !isSpace($0) }), let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[first...last])
  }

  /// The text without newlines around it, as `strip('\n')` or one side of it.
  func strippedOfNewlines(left: Bool = true, right: Bool = true) -> String {
    var scalars = unicodeScalars[...]
    while left, scalars.first == "\n" { scalars.removeFirst() }
    while right, scalars.last == "\n" { scalars.removeLast() }
    return String(scalars)
  }
}
