// Chats as text and as tokens, in the form that the model was trained on. The template that comes with the model is
// recognised by its text, because there is no Jinja here; an unknown template is an error. The rendered chat is encoded
// as a whole, since a token may reach from a marker into the text beside it. Users cannot forge a turn: `encode` treats
// markers inside a message's content as plain text.

import Foundation

/// The chat format of a model.
public struct ChatTemplate: Sendable {
  private let format: any ChatFormat

  /// The system prompt that is used if a chat does not begin with a system message.
  var defaultSystemPrompt: String? { format.defaultSystemPrompt }

  /// Recognises `tokenizer.chat_template`.
  /// - Parameter today: the date for templates that mention it, such as Llama 3.2's.
  /// - Throws: `InferenceError.keyMissing` if the file has no template, `.unsupported` if the template is not known.
  public init(gguf: GGUFFile, today: Date = Date()) throws(InferenceError) {
    let text = try gguf.string("tokenizer.chat_template")
    let beginning = try Tokenizer.beginning(gguf: gguf)
    try self.init(text: text, path: gguf.path, beginning: beginning, today: today)
  }

  /// Recognises the template of a Hugging Face folder: chat_template.jinja, or `chat_template` in
  /// tokenizer_config.json. The latter is one text, or several with names, of which the one named default is used.
  /// - Parameter today: the date for templates that mention it.
  /// - Throws: `InferenceError.keyMissing` if the folder has no template, `.unsupported` if the template is not known.
  public init(folder: String, today: Date = Date()) throws(InferenceError) {
    try self.init(folder: folder, beginning: Tokenizer.beginning(folder: folder), today: today)
  }

  /// Recognises the template of a folder whose tokenizer is elsewhere, such as an adapter's.
  /// - Parameter beginning: the text of the token that begins a sequence; some templates write it first.
  /// - Throws: the errors of `init(folder:today:)`.
  init(folder: String, beginning: String?, today: Date = Date()) throws(InferenceError) {
    guard let (text, path) = try Self.find(folder: folder) else {
      throw .keyMissing(path: folder + "/tokenizer_config.json", key: "chat_template")
    }
    try self.init(text: text, path: path, beginning: beginning, today: today)
  }

  /// Whether a Hugging Face folder has a template, known or not.
  /// - Throws: `InferenceError` if a file cannot be read.
  public static func exists(folder: String) throws(InferenceError) -> Bool { try file(folder: folder) != nil }

  /// The file of a Hugging Face folder that holds its template; nil if there is none.
  /// - Throws: `InferenceError` if a file cannot be read.
  static func file(folder: String) throws(InferenceError) -> String? { try find(folder: folder)?.path }

  /// - Parameter beginning: the text of the token that begins a sequence; some templates write it first.
  init(text: String, path: String, beginning: String?, today: Date) throws(InferenceError) {
    guard let format = KnownTemplates.format(of: text, beginning: beginning, today: today) else {
      throw .unsupported(
        path: path, what: "the chat template", found: "\"\(InferenceError.excerpt(text, limit: 120))\"",
        supported: "the template of \(KnownTemplates.names), or give the prompt as raw text (--raw)")
    }
    if let format = format as? Llama3Format, format.date == nil, beginning == nil {
      throw .unsupported(
        path: path, what: "the chat template with a bos_token of", found: "none",
        supported: "a bos_token, which this template adds to its first message")
    }
    self.format = format
  }

  private static func find(folder: String) throws(InferenceError) -> (text: String, path: String)? {
    let jinja = folder + "/chat_template.jinja"
    if FileManager.default.fileExists(atPath: jinja) {
      let data = try MappedFile(path: jinja).contents()
      guard data.count <= 1 << 20, let text = String(validating: data, as: UTF8.self) else {
        throw .fileMalformed(
          path: jinja, place: "content", expected: "UTF-8 text of at most 1 MB", found: "something else")
      }
      return (text, jinja)
    }
    let others = folder + "/additional_chat_templates"
    if let name = try? FileManager.default.contentsOfDirectory(atPath: others).filter({ $0.hasSuffix(".jinja") }).min()
    {
      throw .unsupported(
        path: others, what: "the chat template", found: InferenceError.excerpt(name),
        supported: "a chat_template.jinja beside the folder, which is the default")
    }
    for name in ["tokenizer_config.json", "chat_template.json"] {
      let path = folder + "/" + name
      guard FileManager.default.fileExists(atPath: path) else { continue }
      let value = try JSONValue(path: path)["chat_template"]
      switch value {
      case .null: continue
      case .string(let text): return (text, path)
      default:
        let named = value.array?.last { $0["name"] == .string("default") }?["template"] ?? value["default"]
        guard let text = named.string else {
          throw .unsupported(
            path: path, what: "the chat template", found: value.summary, supported: "a text, or one named default")
        }
        return (text, path)
      }
    }
    return nil
  }

  /// The chat as text, exactly as the model's own template renders it.
  /// - Parameter addGenerationPrompt: whether to open the assistant's next turn at the end.
  /// - Throws: `InferenceError.settingInvalid` if the template refuses the chat.
  func render(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws(InferenceError) -> String {
    try format.spans(messages, addGenerationPrompt: addGenerationPrompt).map(\.text).joined()
  }

  /// The chat as tokens. They are those of the rendered text, but special tokens written inside a message's content are
  /// encoded as plain text.
  /// - Parameter addGenerationPrompt: whether to open the assistant's next turn at the end.
  /// - Throws: `InferenceError.settingInvalid` if the template refuses the chat.
  public func encode(
    _ messages: [ChatMessage], addGenerationPrompt: Bool, tokenizer: Tokenizer
  ) throws(InferenceError) -> RenderedChat {
    let spans = try format.spans(messages, addGenerationPrompt: addGenerationPrompt).filter { !$0.text.isEmpty }
    guard !spans.isEmpty else { return RenderedChat() }
    var ends: [Int] = []
    for span in spans { ends.append((ends.last ?? 0) + span.text.utf8.count) }
    /// The index of the span that holds the byte at `offset`.
    func index(_ offset: Int) -> Int {
      var (low, high) = (0, ends.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if ends[middle] > offset { high = middle } else { low = middle + 1 }
      }
      return low
    }
    /// Only the template writes markers. A marker inside a content is text; one that only reaches into a content is
    /// none.
    func reading(_ token: AddedToken, _ range: Range<Int>) -> SpecialTokens.Reading {
      guard token.isControl else { return .token }
      let touched = spans[index(range.lowerBound)...index(range.upperBound - 1)]
      if touched.allSatisfy(\.isTemplate) { return .token }
      return touched.contains(where: \.isTemplate) ? .nothing : .text
    }
    var chat = RenderedChat()
    tokenizer.encode(spans.map(\.text).joined(), reading: reading) { id, start in
      let span = spans[index(start)]
      chat.append(CollectionOfOne(id), role: span.role, isTemplate: span.isTemplate)
    }
    return chat
  }
}
