// Chats as text and as tokens, in the form a model was trained on.
// Owns: the formats of the families below, recognised by the template string in the GGUF file; adding one is one
// entry in `known`. Refuses: templates it does not know (there is no Jinja here), by naming them.
// What users write cannot forge a turn: in `encode`, markers inside a message's content stay plain text.

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

  /// Token for token, what `templateMask` and `roles` say about `ids`.
  mutating func append(_ ids: some Collection<Int32>, role: ChatMessage.Role, isTemplate: Bool) {
    self.ids += ids
    templateMask += [Bool](repeating: isTemplate, count: ids.count)
    roles += [ChatMessage.Role](repeating: role, count: ids.count)
  }
}

/// ChatML turns, `<|im_start|>role\ncontent<|im_end|>\n`, with or without a default system prompt.
public struct ChatTemplate: Equatable, Sendable {
  private static let start = "<|im_start|>"
  private static let end = "<|im_end|>"

  /// What is said in the system's name if a chat does not begin with a system message.
  public let defaultSystemPrompt: String?

  /// The Jinja templates that are known, with newlines written as `\n`.
  private static let known: [(template: String, defaultSystemPrompt: String?)] = [
    // SmolLM2 Instruct.
    (
      "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
        + "{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\\n' }}"
        + "{% endif %}" + turnsOfAll,
      "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    ),
    // Plain ChatML, such as SmolLM2 before instruction tuning.
    ("{% for message in messages %}" + turnsOfAll, nil),
  ]

  private static let turnsOfAll =
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

  /// Recognises `tokenizer.chat_template`.
  /// - Throws: `InferenceError.keyMissing` if the file has none, `.unsupported` if it is not known.
  public init(gguf: GGUFFile) throws(InferenceError) {
    let template = try gguf.string("tokenizer.chat_template")
    var normal = ""
    for character in template.unicodeScalars {
      if character == "\n" { normal += "\\n" } else { normal.unicodeScalars.append(character) }
    }
    guard let found = Self.known.first(where: { $0.template == normal }) else {
      throw .unsupported(
        path: gguf.path, what: "the chat template", found: "\"\(InferenceError.excerpt(template, limit: 120))\"",
        supported: "ChatML as SmolLM2 writes it, or give the prompt as raw text")
    }
    defaultSystemPrompt = found.defaultSystemPrompt
  }

  /// The chat as text, exactly as the model's own template renders it.
  /// - Parameter addGenerationPrompt: whether to open the assistant's next turn at the end.
  public func render(_ messages: [ChatMessage], addGenerationPrompt: Bool) -> String {
    var text = ""
    for (message, _) in turns(messages) {
      text += Self.start + message.role.rawValue + "\n" + message.content + Self.end + "\n"
    }
    if addGenerationPrompt { text += Self.start + ChatMessage.Role.assistant.rawValue + "\n" }
    return text
  }

  /// The chat as tokens: those of the rendered text, except that special tokens written inside a message's content
  /// are encoded as plain text.
  /// - Parameter addGenerationPrompt: whether to open the assistant's next turn at the end.
  public func encode(_ messages: [ChatMessage], addGenerationPrompt: Bool, tokenizer: Tokenizer) -> RenderedChat {
    let start = tokenizer.encode(Self.start, parseSpecial: true)
    let end = tokenizer.encode(Self.end, parseSpecial: true)
    let newline = tokenizer.encode("\n", parseSpecial: false)
    var chat = RenderedChat()
    for (message, isDefault) in turns(messages) {
      chat.append(start, role: message.role, isTemplate: true)
      // Role and content are one stretch of plain text, whose pieces may cross the border between them.
      let head = message.role.rawValue + "\n"
      var offset = 0
      for id in tokenizer.encode(head + message.content, parseSpecial: false) {
        chat.append(CollectionOfOne(id), role: message.role, isTemplate: isDefault || offset < head.utf8.count)
        offset += tokenizer.bytes(of: id).count
      }
      chat.append(end + newline, role: message.role, isTemplate: true)
    }
    if addGenerationPrompt {
      let head = tokenizer.encode(ChatMessage.Role.assistant.rawValue + "\n", parseSpecial: false)
      chat.append(start + head, role: .assistant, isTemplate: true)
    }
    return chat
  }

  /// The messages, after the default system prompt where the template puts it.
  private func turns(_ messages: [ChatMessage]) -> [(message: ChatMessage, isDefault: Bool)] {
    var turns = messages.map { (message: $0, isDefault: false) }
    if let defaultSystemPrompt, let first = messages.first, first.role != .system {
      turns.insert((ChatMessage(role: .system, content: defaultSystemPrompt), true), at: 0)
    }
    return turns
  }
}
