// Chats as text and as tokens, in the form a model was trained on.
// Owns: recognising the format by the template that comes with the model, and encoding what the format writes.
// Refuses: templates it does not know (there is no Jinja here), by naming them.
// What users write cannot forge a turn: in `encode`, markers inside a message's content stay plain text.

import Foundation

/// The chat format of a model.
public struct ChatTemplate: Sendable {
  private let format: any ChatFormat

  /// What is said in the system's name if a chat does not begin with a system message.
  public var defaultSystemPrompt: String? { format.defaultSystemPrompt }

  /// Recognises `tokenizer.chat_template`.
  /// - Parameter today: the date for templates that name it, such as Llama 3.2's.
  /// - Throws: `InferenceError.keyMissing` if the file has none, `.unsupported` if it is not known.
  public init(gguf: GGUFFile, today: Date = Date()) throws(InferenceError) {
    try self.init(text: gguf.string("tokenizer.chat_template"), path: gguf.path, today: today)
  }

  /// Recognises the template of a Hugging Face folder: chat_template.jinja, or `chat_template` in
  /// tokenizer_config.json, a text or a list of named ones, of which the one named default counts.
  /// - Parameter today: the date for templates that name it.
  /// - Throws: `InferenceError.keyMissing` if the folder has none, `.unsupported` if it is not known.
  public init(folder: String, today: Date = Date()) throws(InferenceError) {
    guard let (text, path) = try Self.find(folder: folder) else {
      throw .keyMissing(path: folder + "/tokenizer_config.json", key: "chat_template")
    }
    try self.init(text: text, path: path, today: today)
  }

  /// Whether a Hugging Face folder has a template, known or not.
  /// - Throws: `InferenceError` for a file that cannot be read.
  public static func exists(folder: String) throws(InferenceError) -> Bool { try find(folder: folder) != nil }

  init(text: String, path: String, today: Date) throws(InferenceError) {
    guard let format = KnownTemplates.format(of: text, today: today) else {
      throw .unsupported(
        path: path, what: "the chat template", found: "\"\(InferenceError.excerpt(text, limit: 120))\"",
        supported: "the template of \(KnownTemplates.names), or give the prompt as raw text (--raw)")
    }
    self.format = format
  }

  private static func find(folder: String) throws(InferenceError) -> (text: String, path: String)? {
    let jinja = folder + "/chat_template.jinja"
    if FileManager.default.fileExists(atPath: jinja) {
      let data = try MappedFile(path: jinja).contents()
      guard data.count <= 1 << 20, let text = String(validating: data, as: UTF8.self) else {
        throw .fileMalformed(path: jinja, place: "content", expected: "UTF-8 text of at most 1 MB", found: "other")
      }
      return (text, jinja)
    }
    for name in ["tokenizer_config.json", "chat_template.json"] {
      let path = folder + "/" + name
      guard FileManager.default.fileExists(atPath: path) else { continue }
      let value = try JSONValue(path: path)["chat_template"]
      if let text = value.string { return (text, path) }
      let named = value.array?.first { $0["name"] == .string("default") }
      if let text = named?["template"].string { return (text, path) }
    }
    return nil
  }

  /// The chat as text, exactly as the model's own template renders it.
  /// - Parameter addGenerationPrompt: whether to open the assistant's next turn at the end.
  /// - Throws: `InferenceError.settingInvalid` for a chat that the template refuses.
  public func render(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws(InferenceError) -> String {
    try format.spans(messages, addGenerationPrompt: addGenerationPrompt).map(\.text).joined()
  }

  /// The chat as tokens: those of the rendered text, except that special tokens written inside a message's content
  /// are encoded as plain text.
  /// - Parameter addGenerationPrompt: whether to open the assistant's next turn at the end.
  /// - Throws: `InferenceError.settingInvalid` for a chat that the template refuses.
  public func encode(
    _ messages: [ChatMessage], addGenerationPrompt: Bool, tokenizer: Tokenizer
  ) throws(InferenceError) -> RenderedChat {
    let spans = try format.spans(messages, addGenerationPrompt: addGenerationPrompt)
    var chat = RenderedChat()
    var start = 0
    while start < spans.count {
      if spans[start].isMarker {
        let ids = tokenizer.encode(spans[start].text, parseSpecial: true)
        chat.append(ids, role: spans[start].role, isTemplate: true)
        start += 1
      } else {
        let end = spans[start...].firstIndex(where: \.isMarker) ?? spans.count
        Self.append(spans[start..<end], to: &chat, tokenizer)
        start = end
      }
    }
    return chat
  }

  /// Spans without a marker between them are one stretch of text, whose tokens may cross the borders between them; a
  /// token belongs to the span in which it begins.
  private static func append(_ spans: ArraySlice<ChatSpan>, to chat: inout RenderedChat, _ tokenizer: Tokenizer) {
    var rest = spans.filter { !$0.text.isEmpty }[...]
    var end = rest.first?.text.utf8.count ?? 0
    var offset = 0
    for id in tokenizer.encode(spans.map(\.text).joined(), parseSpecial: false) {
      while offset >= end, rest.count > 1 {
        rest.removeFirst()
        end += rest.first?.text.utf8.count ?? 0
      }
      guard let span = rest.first else { return }
      chat.append(CollectionOfOne(id), role: span.role, isTemplate: span.isTemplate)
      offset += tokenizer.bytes(of: id).count
    }
  }
}
