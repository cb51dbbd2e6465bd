// A loaded model pair: the model to talk to, with its tokenizer and chat template, and what tells base from chat: an
// adapter that makes base into chat, or a whole file of base's own.
// Owns: loading, the identity of what was loaded, a pass over both models. Immutable; timelines live in `KVCache` and
// `Decoding`. Refuses: a base of another shape.

import Kernels

/// One of the two models of a pair. Chat is base after fine-tuning.
public enum PairModel: String, CaseIterable, Codable, Sendable {
  case base, chat

  /// The model's place in published tensors: 0 for base, 1 for chat.
  public var index: Int { self == .base ? 0 : 1 }
}

/// The loaded, immutable models. With an adapter base and chat share one copy of the weights.
public final class Engine: Sendable {
  /// The weights that chat runs on.
  public let model: Transformer
  /// The weights that base runs on: the same object unless base is a file of its own.
  public let baseModel: Transformer
  public let tokenizer: Tokenizer
  /// Nil where the model has none that is known; then only raw text can be run.
  public let chatTemplate: ChatTemplate?
  /// Why the model's own template cannot be used, where it has one.
  private let templateError: InferenceError?
  /// What fine-tuning changed, on top of `model`; nil where chat is a whole model or there is no pair.
  public let adapter: Adapter?
  /// The GGUF file or Hugging Face folder of `model`.
  public let modelPath: String

  /// Loads a model and, on top of it or beside it, the other one of a pair.
  /// - Parameters:
  ///   - model: a GGUF file or a Hugging Face folder; tokenizer and chat template are its own.
  ///   - adapter: a directory in PEFT's format that makes `model`, then the base, into chat.
  ///   - base: a GGUF file or folder of the base, where `model` is all of chat.
  ///   - precision: how products with the weights are computed, for all streams alike.
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
    baseModel =
      try baseSource.map { source throws(InferenceError) in
        try Self.base(source, of: model, precision: precision)
      } ?? model
  }

  /// Loads the other model of a pair, which must read the same tokens and have the same residual stream.
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
        path: source.path, what: "as base", found: shape(base), supported: "the shape of chat, \(shape(chat))")
    }
    return base
  }

  /// Whether there are two models: chat is base with an adapter, or a file of its own beside base's.
  public var isPair: Bool { adapter != nil || baseModel !== model }

  /// The weights that one of the pair runs on.
  public func transformer(of model: PairModel) -> Transformer { model == .base ? baseModel : self.model }

  /// The adapter on top of `transformer(of:)`.
  public func adapter(of model: PairModel) -> Adapter? { model == .base ? nil : adapter }

  /// One pass over timelines of both models: together where they share weights, else base's first.
  /// - Parameters:
  ///   - segments: their adapter is set here.
  ///   - models: the model that each segment's timeline belongs to.
  ///   - hooks: see all segments of a pass at once; with two sets of weights base's have been seen when chat's come.
  /// - Returns: logits, by segment.
  /// - Throws: as `Transformer.forward`; then no timeline has advanced.
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

  /// Bytes of both models' weights that are read where the files have them.
  var mappedBytes: Int { model.mappedBytes + (baseModel === model ? 0 : baseModel.mappedBytes) }

  /// Makes sure that the models' files are what they were when they were read.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkFiles() throws(InferenceError) {
    try model.checkFiles()
    try baseModel.checkFiles()
  }

  /// Makes sure as well that their paths still lead to them, so that a hash of what is there is one of what was loaded.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkNames() throws(InferenceError) {
    for file in model.files + baseModel.files { try file.checkName() }
  }

  /// What the model expects in front of a text: mostly its beginning-of-sequence token, or nothing.
  public var beginning: [Int32] { tokenizer.prefix }

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
