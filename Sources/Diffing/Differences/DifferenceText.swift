// A text as both models of a pair read it, with the part that each token plays.

import Inference

/// The part that a token plays in its text.
public enum TokenRole: String, Sendable, Codable, CaseIterable {
  /// A token of a plain text.
  case plain
  /// What the chat template wrote, and a system message.
  case template
  case user, assistant

  /// The place in lists by role.
  var number: Int {
    switch self {
    case .plain: 0
    case .template: 1
    case .user: 2
    case .assistant: 3
    }
  }
}

/// A text of at least one token.
public struct DifferenceText: Sendable, Equatable {
  public let ids: [Int32]
  /// `[T]`.
  public let roles: [TokenRole]
  public let corpus: Corpus
  /// In a chat the place of the first token that the assistant wrote, if there is one.
  public let answerStart: Int?

  /// A plain text.
  public init(plain ids: [Int32]) {
    (self.ids, corpus, answerStart) = (ids, .plain, nil)
    roles = ids.map { _ in .plain }
  }

  /// A chat, of which at most `limit` tokens are kept.
  public init(chat: RenderedChat, limit: Int) {
    let chat = chat.prefix(limit)
    ids = chat.ids
    roles = chat.ids.indices.map { index in
      if chat.templateMask[index] { return .template }
      return switch chat.roles[index] {
      case .user: .user
      case .assistant: .assistant
      case .system: .template
      }
    }
    corpus = .chat
    answerStart = roles.firstIndex(of: .assistant)
  }

  /// The tokens before the assistant's first one that count as its beginning, as the toolkit of the method's authors has it.
  public static let beforeAnswer = 3

  /// The positions over which logits are compared: all of a plain text; of a chat those from shortly before the answer on.
  var compared: Range<Int> {
    guard corpus == .chat else { return 0..<ids.count }
    return answerStart.map { max(0, $0 - Self.beforeAnswer)..<ids.count } ?? 0..<0
  }

  /// The place of a position in lists of means by position: of a plain text the position itself, of a chat counted from
  /// `beforeAnswer` tokens before the answer.
  func slot(of position: Int) -> Int? {
    guard corpus == .chat else { return position }
    guard let answerStart, position >= answerStart - Self.beforeAnswer else { return nil }
    return position - answerStart + Self.beforeAnswer
  }
}
