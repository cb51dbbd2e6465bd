// Chats before and after a template: messages, and tokens with what each of them is.

/// One message of a chat.
public struct ChatMessage: Codable, Equatable, Sendable {
  /// Who speaks.
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

/// A chat as tokens, with what each token is.
public struct RenderedChat: Equatable, Sendable {
  /// The token ids, `[T]`.
  public var ids: [Int32] = []
  /// Whether each token belongs to the template rather than to what somebody wrote, `[T]`: turn markers, role names,
  /// their newlines, and all of a default system prompt. A token that holds a newline of the template and the
  /// beginning of the content counts as template.
  public var templateMask: [Bool] = []
  /// Whose turn each token is part of, markers included, `[T]`.
  public var roles: [ChatMessage.Role] = []

  /// A chat to append to.
  init() {}

  /// Text outside any chat: nothing is template, all is the user's.
  public init(plain ids: [Int32]) { append(ids, role: .user, isTemplate: false) }

  /// At most the first `count` tokens.
  public func prefix(_ count: Int) -> RenderedChat {
    var result = RenderedChat()
    result.ids = Array(ids.prefix(count))
    result.templateMask = Array(templateMask.prefix(count))
    result.roles = Array(roles.prefix(count))
    return result
  }

  /// Token for token, what `templateMask` and `roles` say about `ids`.
  mutating func append(_ ids: some Collection<Int32>, role: ChatMessage.Role, isTemplate: Bool) {
    self.ids += ids
    templateMask += [Bool](repeating: isTemplate, count: ids.count)
    roles += [ChatMessage.Role](repeating: role, count: ids.count)
  }
}
