// A loaded model pair: weights, tokenizer and chat template of one file or folder, and the adapter that makes base into chat.
// Owns: loading and the identity of what was loaded. Immutable; timelines live in `KVCache` and `Decoding`.

import Kernels

/// The loaded, immutable models. Base and chat share one copy of the weights.
public final class Engine: Sendable {
  public let model: Transformer
  public let tokenizer: Tokenizer
  /// Nil where the file carries none; then only raw text can be run.
  public let chatTemplate: ChatTemplate?
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
    chatTemplate = try source.chatTemplate()
    if let adapterPath {
      adapter = try Adapter(path: adapterPath, for: model)
    } else {
      adapter = nil
    }
    self.model = model
  }

  /// SHA-256 of the model, see `ModelSource.sha256(path:)`; reads all of it.
  public func modelSHA256() throws(InferenceError) -> String { try ModelSource.sha256(path: modelPath) }

  /// A prompt as tokens: one user message in the chat template with the assistant's turn opened, or raw text.
  /// - Throws: `InferenceError.unsupported` where a chat prompt is asked of a model without a template.
  public func encodePrompt(_ text: String, raw: Bool = false) throws(InferenceError) -> RenderedChat {
    if raw {
      return RenderedChat(plain: tokenizer.encode(text, parseSpecial: false))
    }
    guard let chatTemplate else {
      throw .unsupported(path: modelPath, what: "a chat prompt with", found: "no chat template", supported: "--raw")
    }
    return try chatTemplate.encode(
      [ChatMessage(role: .user, content: text)], addGenerationPrompt: true, tokenizer: tokenizer)
  }
}
