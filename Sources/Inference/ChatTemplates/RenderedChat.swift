// Chats before and after a template is applied: messages, and tokens with the role of each.

/// One message of a chat.
public struct ChatMessage: Codable, Equatable, Sendable {
  /// The speaker.
  public enum Role: String, Codable, Sendable, CaseIterable {
    case system, user, assistant
  }

  public var role: Role
  public var content: String

  public init(role: Role, content: String) {
    self.role = role
    self.content = content
  }
}

/// A chat as tokens, with information on each token.
public struct RenderedChat: Equatable, Sendable {
  /// The token ids `[T]`.
  public var ids: [Int32] = []
  /// Whether each token belongs to the template and not to what somebody wrote, `[T]`. The template's part is turn
  /// markers, role names, their newlines, and all of a default system prompt. A token that holds a newline of the
  /// template and the beginning of the content counts as template.
  public var templateMask: [Bool] = []
  /// The speaker of the turn to which each token belongs, markers included, `[T]`.
  public var roles: [ChatMessage.Role] = []

  /// Makes an empty chat to append to.
  init() {}

  /// Makes one of text outside any chat: no token is the template's, and all belong to the user.
  public init(plain ids: [Int32]) { append(ids, role: .user, isTemplate: false) }

  /// At most the first `count` tokens.
  public func prefix(_ count: Int) -> RenderedChat {
    var result = RenderedChat()
    result.ids = Array(ids.prefix(count))
    result.templateMask = Array(templateMask.prefix(count))
    result.roles = Array(roles.prefix(count))
    return result
  }

  /// Appends tokens, which all have the same role and the same origin.
  mutating func append(_ ids: some Collection<Int32>, role: ChatMessage.Role, isTemplate: Bool) {
    self.ids += ids
    templateMask += [Bool](repeating: isTemplate, count: ids.count)
    roles += [ChatMessage.Role](repeating: role, count: ids.count)
  }
}
