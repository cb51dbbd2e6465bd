// A loaded model pair: weights, tokenizer and chat template of one file or folder, and the adapter that makes base into chat.
// Owns: loading and the identity of what was loaded. Immutable; timelines live in `KVCache` and `Decoding`.

import Kernels

/// The loaded, immutable models. Base and chat share one copy of the weights.
public final class Engine: Sendable {
  public let model: Transformer
  public let tokenizer: Tokenizer
  /// Nil where the model has none that is known; then only raw text can be run.
  public let chatTemplate: ChatTemplate?
  /// Why the model's own template cannot be used, where it has one.
  private let templateError: InferenceError?
  /// What fine-tuning changed; nil when only one model was loaded.
  public let adapter: Adapter?
  /// The GGUF file or Hugging Face folder.
  public let modelPath: String

  /// Loads a model and, on top of it, an adapter.
  /// - Parameters:
  ///   - model: a GGUF file or a Hugging Face folder.
  ///   - adapter: a directory in PEFT's format.
  ///   - precision: how products with the weights are computed, for all streams alike.
  /// - Throws: `InferenceError` naming the file and what is wrong with it.
  public init(
    model path: String, adapter adapterPath: String? = nil, precision: Precision = .exact
  ) throws(InferenceError) {
    let source = try ModelSource(path: path)
    modelPath = path
    let model = try source.transformer(precision: precision)
    tokenizer = try source.tokenizer()
    // Embeddings may be padded beyond the tokenizer's ids, never the other way round.
    guard tokenizer.vocabularySize <= model.configuration.vocabSize else {
      throw .shapeMismatch(
        path: path, tensor: "of token embeddings",
        expected: [tokenizer.vocabularySize, model.configuration.dModel],
        found: [model.configuration.vocabSize, model.configuration.dModel])
    }
    // A model with a template that nobody here knows still serves raw text.
    let (template, templateError): (ChatTemplate?, InferenceError?)
    do {
      (template, templateError) = (try source.chatTemplate(), nil)
    } catch {
      guard case .unsupported = error else { throw error }
      (template, templateError) = (nil, error)
    }
    chatTemplate = template
    self.templateError = templateError
    if let adapterPath {
      adapter = try Adapter(path: adapterPath, for: model)
    } else {
      adapter = nil
    }
    self.model = model
  }

  /// SHA-256 of the model, see `ModelSource.sha256(path:)`; reads all of it.
  public func modelSHA256() throws(InferenceError) -> String { try ModelSource.sha256(path: modelPath) }

  /// What the model expects in front of a text: its beginning-of-sequence token, or nothing.
  public var beginning: [Int32] {
    tokenizer.addsBeginningOfSequence ? tokenizer.beginningOfSequence.map { [$0] } ?? [] : []
  }

  /// A prompt as tokens: one user message in the chat template with the assistant's turn opened, or raw text, after the
  /// beginning-of-sequence token where the model's tokenizer puts one.
  /// - Throws: `InferenceError.unsupported` where a chat prompt is asked of a model without a known template.
  public func encodePrompt(_ text: String, raw: Bool = false) throws(InferenceError) -> RenderedChat {
    if raw {
      return RenderedChat(plain: beginning + tokenizer.encode(text, parseSpecial: false))
    }
    return try encodeChat([ChatMessage(role: .user, content: text)], addGenerationPrompt: true)
  }

  /// A chat as tokens.
  /// - Parameter addGenerationPrompt: whether to open the assistant's next turn at the end.
  /// - Throws: `InferenceError.unsupported` for a model without a known template, and for chats that its template refuses.
  public func encodeChat(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws(InferenceError) -> RenderedChat {
    guard let chatTemplate else {
      throw templateError
        ?? .unsupported(path: modelPath, what: "a chat with", found: "no chat template", supported: "one, or use --raw")
    }
    return try chatTemplate.encode(messages, addGenerationPrompt: addGenerationPrompt, tokenizer: tokenizer)
  }
}
