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
  /// The weights of chat.
  public let model: Transformer
  /// The weights of base: the same object unless base has a file of its own.
  public let baseModel: Transformer
  public let tokenizer: Tokenizer
  /// The chat template; nil if the model has none that is known, so that it can only run raw text.
  let chatTemplate: ChatTemplate?
  /// Why the model's own template cannot be used, if it has one.
  private let templateError: InferenceError?
  /// The change by fine-tuning, on top of `model`; nil if chat is a whole model or there is no pair.
  public let adapter: Adapter?
  /// The GGUF file or Hugging Face folder of `model`.
  public let modelPath: String

  /// Loads a model and the other one of its pair, if there is one.
  /// - Parameters:
  ///   - model: a GGUF file or a Hugging Face folder, which also provides tokenizer and chat template.
  ///   - adapter: a directory in PEFT's format that turns `model`, which is base, into chat. A chat template in it
  ///     counts before the model's own.
  ///   - base: a GGUF file or folder of base, if `model` is all of chat.
  ///   - precision: how products with the weights are computed, for all streams.
  /// - Throws: `InferenceError` naming the file and what is wrong with it.
  public init(
    model path: String, adapter adapterPath: String? = nil, base basePath: String? = nil,
    precision: Precision = .exact
  ) throws(InferenceError) {
    guard adapterPath == nil || basePath == nil else {
      throw .settingInvalid(
        name: "the pair", expected: "an adapter or a base model, not both",
        found: "\(adapterPath ?? "") and \(basePath ?? "")")
    }
    let source = try ModelSource(path: path)
    let baseSource = try basePath.map { path throws(InferenceError) in try ModelSource(path: path) }
    try ModelSource.requireMemory([source] + (baseSource.map { [$0] } ?? []))
    modelPath = path
    let model = try source.transformer(precision: precision)
    tokenizer = try source.tokenizer()
    // There may be more embeddings than ids in the tokenizer, but never fewer.
    guard tokenizer.vocabularySize <= model.configuration.vocabSize else {
      throw .shapeMismatch(
        path: path, tensor: "of token embeddings",
        expected: [tokenizer.vocabularySize, model.configuration.dModel],
        found: [model.configuration.vocabSize, model.configuration.dModel])
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
    if let adapterPath {
      adapter = try Adapter(path: adapterPath, for: model)
    } else {
      adapter = nil
    }
    self.model = model
    baseModel =
      try baseSource.map { source throws(InferenceError) in
        try Self.base(source, of: model, precision: precision)
      } ?? model
  }

  /// Loads the other model of a pair, which must read the same tokens and have a residual stream of the same width.
  private static func base(
    _ source: ModelSource, of chat: Transformer, precision: Precision
  ) throws(InferenceError) -> Transformer {
    let base = try source.transformer(precision: precision)
    func shape(_ model: Transformer) -> String {
      let shape = model.configuration
      return "\(model.family) of \(shape.nLayers) blocks, width \(shape.dModel), \(shape.vocabSize) tokens"
    }
    guard shape(base) == shape(chat) else {
      throw .unsupported(
        path: source.path, what: "the base model", found: shape(base), supported: "the shape of chat, \(shape(chat))")
    }
    return base
  }

  /// Whether there are two models: chat is base with an adapter, or each has its own file.
  public var isPair: Bool { adapter != nil || baseModel !== model }

  /// The weights of one of the models.
  public func transformer(of model: PairModel) -> Transformer { model == .base ? baseModel : self.model }

  /// The adapter that goes on top of `transformer(of:)`.
  public func adapter(of model: PairModel) -> Adapter? { model == .base ? nil : adapter }

  /// Runs timelines of both models: in one pass if they share weights, otherwise base's pass comes first.
  /// - Parameters:
  ///   - segments: this function sets their adapters.
  ///   - models: the model to which each segment's timeline belongs.
  ///   - hooks: they see all segments of a pass at once; with two sets of weights they see base's before chat's.
  /// - Returns: the logits of each segment.
  /// - Throws: the errors of `Transformer.forward`; no timeline has then advanced.
  public func forward(
    _ segments: [Segment], of models: [PairModel], hooks: Hooks = Hooks()
  ) throws(InferenceError) -> [Matrix] {
    precondition(segments.count == models.count, "a model for each segment")
    var segments = segments
    for index in segments.indices { segments[index].adapter = adapter(of: models[index]) }
    guard baseModel !== model else { return try model.forward(segments, hooks: hooks) }
    var logits = segments.map { _ in Matrix(rows: 0, columns: model.configuration.vocabSize) }
    let counts = segments.map(\.cache.count)
    do {
      for side in PairModel.allCases {
        let here = segments.indices.filter { models[$0] == side }
        guard !here.isEmpty else { continue }
        let found = try transformer(of: side).forward(here.map { segments[$0] }, hooks: hooks)
        for (index, found) in zip(here, found) { logits[index] = found }
      }
    } catch {
      for (segment, count) in zip(segments, counts) { segment.cache.truncate(to: count) }
      throw error
    }
    return logits
  }

  /// The bytes of both models' weights that are read directly from their files.
  var mappedBytes: Int { model.mappedBytes + (baseModel === model ? 0 : baseModel.mappedBytes) }

  /// Checks that the models' files are unchanged since they were read.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkFiles() throws(InferenceError) {
    try model.checkFiles()
    try baseModel.checkFiles()
  }

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
