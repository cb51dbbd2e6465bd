// A loaded model pair: weights, tokenizer and chat template of one file, and the adapter that makes base into chat.
// Owns: loading and the identity of what was loaded. Immutable; timelines live in `KVCache` and `Decoding`.

import Kernels

/// The loaded, immutable models. Base and chat share one copy of the weights.
public final class Engine: Sendable {
  public let model: Llama
  public let tokenizer: Tokenizer
  /// Nil where the file carries none; then only raw text can be run.
  public let chatTemplate: ChatTemplate?
  /// What fine-tuning changed; nil when only one model was loaded.
  public let adapter: Adapter?
  /// The GGUF file.
  public let modelPath: String
  private let file: GGUFFile

  /// Loads a model and, on top of it, an adapter.
  /// - Parameters:
  ///   - model: a GGUF file.
  ///   - adapter: a directory in PEFT's format.
  /// - Throws: `InferenceError` naming the file and what is wrong with it.
  public init(model path: String, adapter adapterPath: String? = nil) throws(InferenceError) {
    file = try GGUFFile(path: path)
    modelPath = path
    let model = try Llama(gguf: file)
    tokenizer = try Tokenizer(gguf: file)
    guard tokenizer.vocabularySize == model.configuration.vocabSize else {
      throw .shapeMismatch(
        path: path, tensor: "token_embd.weight",
        expected: [tokenizer.vocabularySize, model.configuration.dModel],
        found: [model.configuration.vocabSize, model.configuration.dModel])
    }
    chatTemplate = file.contains("tokenizer.chat_template") ? try ChatTemplate(gguf: file) : nil
    if let adapterPath {
      adapter = try Adapter(path: adapterPath, layers: model.configuration.nLayers) {
        model.configuration.shape(of: $0)
      }
    } else {
      adapter = nil
    }
    self.model = model
  }

  /// SHA-256 of the model file; reads all of it.
  public func modelSHA256() throws(InferenceError) -> String { try MappedFile(path: modelPath).sha256() }

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
