// A loaded model pair: the chat model with its tokenizer and chat template, and the base model. The two differ by an
// adapter that turns base into chat, or they are two files of the same shape. The engine loads them, identifies them,
// and runs passes over both. It is immutable; timelines live in `KVCache` and `Decoding`.

import Kernels

/// One of the two models of a pair. Chat is base after fine-tuning.
public enum PairModel: String, CaseIterable, Codable, Sendable {
  case base, chat

  /// The model's place in published tensors: 0 for base, 1 for chat.
  public var index: Int { self == .base ? 0 : 1 }
}

/// The loaded, immutable models. With an adapter, base and chat share one copy of the weights.
public final class Engine: Sendable {
  /// The weights of both models.
  public let models: PairedModels
  public let tokenizer: Tokenizer
  /// The chat template; nil if the model has none that is known, so that it can only run raw text.
  let chatTemplate: ChatTemplate?
  /// Whether chats can be rendered.
  public var hasChatTemplate: Bool { chatTemplate != nil }
  /// Why the model's own template cannot be used, if it has one.
  private let templateError: InferenceError?
  /// The weights of chat.
  public var model: Transformer { models.chat }
  /// The weights of base: the same object unless base has a file of its own.
  public var baseModel: Transformer { models.base }
  /// The change by fine-tuning, on top of `model`; nil if chat is a whole model or there is no pair.
  public var adapter: Adapter? { models.adapter }
  /// The GGUF file or Hugging Face folder of `model`.
  public let modelPath: String
  /// The file or folder of base, if it has one of its own.
  public let basePath: String?

  /// Loads a model and the other one of its pair, if there is one.
  /// - Parameters:
  ///   - model: a GGUF file or a Hugging Face folder, which also provides tokenizer and chat template.
  ///   - adapter: a directory in PEFT's format that turns `model`, which is base, into chat. A chat template in it
  ///     counts before the model's own.
  ///   - base: a GGUF file or folder of base, if `model` is all of chat.
  ///   - precision: how products with the weights are computed, for all streams.
  ///   - vocabulariesMayDiffer: whether one model may know tokens that the other one lacks; only the comparison of two models
  ///     (`DifferencePass`) can use such a pair.
  /// - Throws: `InferenceError` naming the file and what is wrong with it.
  public init(
    model path: String, adapter adapterPath: String? = nil, base basePath: String? = nil,
    precision: Precision = .exact, vocabulariesMayDiffer: Bool = false
  ) throws(InferenceError) {
    let source = try ModelSource(path: path)
    (modelPath, self.basePath) = (path, basePath)
    models = try PairedModels(
      source, adapter: adapterPath, base: basePath, precision: precision,
      vocabulariesMayDiffer: vocabulariesMayDiffer)
    let shape = models.chat.configuration
    tokenizer = try source.tokenizer()
    // There may be more embeddings than ids in the tokenizer, but never fewer.
    guard tokenizer.vocabularySize <= shape.vocabSize else {
      throw .shapeMismatch(
        path: path, tensor: "of token embeddings",
        expected: [tokenizer.vocabularySize, shape.dModel],
        found: [shape.vocabSize, shape.dModel])
    }
    // A model whose template is unknown can still run raw text.
    let (template, templateError): (ChatTemplate?, InferenceError?)
    do {
      (template, templateError) = (try source.chatTemplate(adapter: adapterPath), nil)
    } catch {
      guard case .unsupported = error else { throw error }
      (template, templateError) = (nil, error)
    }
    chatTemplate = template
    self.templateError = templateError
  }

  /// Whether there are two models: chat is base with an adapter, or each has its own file.
  public var isPair: Bool { models.isPair }

  /// The weights of one of the models.
  public func transformer(of model: PairModel) -> Transformer { models.transformer(of: model) }

  /// The adapter that goes on top of `transformer(of:)`.
  public func adapter(of model: PairModel) -> Adapter? { models.adapter(of: model) }

  /// Runs timelines of both models; see `PairedModels.forward`.
  /// - Throws: the errors of `Transformer.forward`; no timeline has then advanced.
  public func forward(
    _ segments: [Segment], of models: [PairModel], hooks: Hooks = Hooks()
  ) throws(InferenceError) -> [Matrix] {
    try self.models.forward(segments, of: models, hooks: hooks)
  }

  /// The bytes of both models' weights that are read directly from their files.
  var mappedBytes: Int { model.mappedBytes + (baseModel === model ? 0 : baseModel.mappedBytes) }

  /// Checks that the models' files are unchanged since they were read.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkFiles() throws(InferenceError) { try models.checkFiles() }

  /// Checks also that their paths still lead to them, so that a hash of the files is a hash of what was loaded.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkNames() throws(InferenceError) {
    for file in model.files + baseModel.files { try file.checkName() }
  }

  /// The tokens that the model expects before a text: mostly its beginning-of-sequence token, or none.
  public var beginning: [Int32] { tokenizer.prefix }

  /// A prompt as tokens: one user message in the chat template, with the assistant's turn opened, or raw text. Raw text
  /// follows the beginning-of-sequence token if the model's tokenizer puts one there.
  /// - Throws: `InferenceError.unsupported` for a chat prompt if the model has no known template.
  public func encodePrompt(_ text: String, raw: Bool = false) throws(InferenceError) -> RenderedChat {
    if raw {
      return RenderedChat(plain: beginning + tokenizer.encode(text, parseSpecial: false))
    }
    return try encodeChat([ChatMessage(role: .user, content: text)], addGenerationPrompt: true)
  }

  /// A chat as tokens.
  /// - Parameter addGenerationPrompt: whether to open the assistant's next turn at the end.
  /// - Throws: `InferenceError.unsupported` without a known template; the template's error if it refuses the chat.
  public func encodeChat(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws(InferenceError) -> RenderedChat {
    guard let chatTemplate else {
      throw templateError
        ?? .unsupported(path: modelPath, what: "a chat with", found: "no chat template", supported: "one, or use --raw")
    }
    return try chatTemplate.encode(messages, addGenerationPrompt: addGenerationPrompt, tokenizer: tokenizer)
  }
}
