// This job reads a text: which latents fire on which token and what both models expect next. If asked, it also reads the chat
// model's answer as it is generated (POST /v1/activations). Its document is what `crosscope activations --json` prints. Events
// contain all latents and the bytes of every token that they mention.

import Diffing
import Foundation
import Inference
import Kernels
import Storage

/// Reads the activations of a text.
package struct TextActivationsJob: Job {
  package var source: PromptSource
  /// The length limit of the chat model's greedy answer in tokens; 0 for no answer.
  package var answerTokens: Int
  /// What the whole document shows.
  package var options: ActivationsDocument.Options

  package init(
    _ source: PromptSource, answerTokens: Int = 0,
    options: ActivationsDocument.Options = ActivationsDocument.Options()
  ) {
    (self.source, self.answerTokens, self.options) = (source, answerTokens, options)
  }

  package static let path = "/v1/activations"
  private static let sources = ["text", "messages", "tokens"]
  private static let choices = ["top", "limit", "latents", "aggregate", "template", "chat_only", "max_frequency"]
  package static let fieldNames = sources + choices + ["template_mask", "generate"]
  package var textField: String {
    switch source {
    case .raw: "text"
    case .chat: "messages"
    case .tokens: "tokens"
    }
  }

  /// The largest number of latents of a token, and of rows in the document.
  private static let (mostTop, mostRows) = (1000, 1000)

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    if isStreamed, let choice = try Self.choices.first(where: { try !fields.isAbsent($0) }) {
      throw fields.invalid(choice, "a stream has all latents; leave this out")
    }
    source = try Self.source(fields)
    answerTokens = try fields.value("generate", in: 0...Int(Int32.max)) ?? 0
    guard answerTokens == 0 || source.isOpen else {
      throw fields.invalid("generate", "the last message is the assistant's already; leave generate out")
    }
    let latents: [Int] = try fields.value("latents") ?? []
    options = ActivationsDocument.Options(
      only: Set(latents), top: try fields.value("top", in: 0...Self.mostTop),
      limit: try fields.value("limit", in: 0...Self.mostRows), aggregate: try fields.choice("aggregate"),
      template: try fields.value("template"), chatSpecificOnly: try fields.value("chat_only"),
      maxFrequency: try fields.value("max_frequency", in: 0...1))
  }

  private static func source(_ fields: JSONFields) throws -> PromptSource {
    guard try sources.count(where: { try !fields.isAbsent($0) }) == 1 else {
      throw fields.invalid("text", "one of text, messages and tokens is needed")
    }
    let ids: [Int32]? = try fields.value("tokens")
    let mask: [Bool]? = try fields.value("template_mask")
    guard mask == nil || mask?.count == ids?.count else {
      throw fields.invalid("template_mask", "it needs an entry for each token")
    }
    if let ids { return .tokens(ids, templateMask: mask ?? ids.map { _ in false }) }
    if let messages: [MessageFields] = try fields.value("messages") {
      guard !messages.isEmpty else { throw fields.invalid("messages", "at least one is needed") }
      return .chat(messages.map(\.message))
    }
    return .raw(try fields.required("text"))
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    switch source {
    case .raw(let text): try fields.write(text, "text")
    case .chat(let messages): try fields.write(messages, "messages")
    case .tokens(let ids, let mask):
      try fields.write(ids, "tokens")
      try fields.write(mask, "template_mask")
    }
    try fields.write(answerTokens, "generate")
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    _ = try limits.length(answerTokens, isOpenEnded: false, field: "generate")
    try store.check(options.only, field: "latents")
  }

  package func begin(on models: LoadedModels) throws -> TextActivationsSteps {
    try TextActivationsSteps(self, models)
  }

  package func answer(from identity: EngineIdentity) -> TextActivationsAnswer {
    TextActivationsAnswer(nLatents: identity.n_latents)
  }

  package func document(_ outcome: TextReading, store: Store) throws -> String {
    try jsonText(ActivationsDocument(outcome, options: options, store: store))
  }
}

/// An event of the reading of a text.
package enum TextActivationsEvent: Sendable, Equatable {
  /// More tokens of the text or of the answer, and the names of all tokens that they mention.
  /// - from: the position of the first of them, counted from 0.
  case tokens([TokenActivations], names: [Int32: TokenRecord], from: Int = 0)
  /// The text has ended. The event has the time since the models were ready, and the precision.
  case finished(seconds: Double, Precision)
}

extension TextActivationsEvent: Codable {
  private enum Key: CodingKey { case tokens, names, finished }

  private struct Name: Codable {
    var token_id: Int32
    /// The bytes of the token, which may be a part of a character.
    var bytes: [UInt8]
    var special: Bool
  }

  private struct End: Codable {
    var seconds: Double
    var precision: Precision
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let end = try fields.decodeIfPresent(End.self, forKey: .finished) {
      self = .finished(seconds: end.seconds, end.precision)
      return
    }
    let tokens = try fields.decode([ActivationsDocument.Token].self, forKey: .tokens)
    let names = try fields.decode([Name].self, forKey: .names).map {
      ($0.token_id, TokenRecord(id: $0.token_id, bytes: $0.bytes, isSpecial: $0.special))
    }
    let first = tokens.first?.position ?? 0
    guard tokens.map(\.position) == Array(first..<first + tokens.count) else {
      throw UnexpectedAnswer("tokens of something else")
    }
    self = .tokens(
      tokens.map { TokenActivations($0) }, names: Dictionary(names, uniquingKeysWith: { a, _ in a }), from: first)
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .finished(let seconds, let precision):
      try fields.encode(End(seconds: seconds, precision: precision), forKey: .finished)
    case .tokens(let tokens, let records, let first):
      try fields.encode(
        tokens.enumerated().map { index, token in
          ActivationsDocument.Token(
            token, position: first + index, names: records,
            activations: token.activations.map { .init(latent: $0.latent, activation: $0.value, share: nil) })
        }, forKey: .tokens)
      try fields.encode(
        records.values.sorted { $0.id < $1.id }.map {
          Name(token_id: $0.id, bytes: $0.bytes, special: $0.isSpecial)
        }, forKey: .names)
    }
  }
}

/// The result for a text.
package struct TextReading: Sendable {
  package var tokens: [TokenActivations] = []
  /// Every token that `tokens` mention.
  package var names: [Int32: TokenRecord] = [:]
  package var precision = Precision.fast
  package var seconds = 0.0
}

/// A text in progress. One step is a pass over the text or one token of the answer.
package struct TextActivationsSteps: TaskSteps {
  private let models: LoadedModels
  private let trace: TextActivations
  private let text: RenderedChat
  private let answerTokens: Int
  private var sampler = Sampler.greedy
  private var answered = 0
  private var hasEnded = false
  private var start: ContinuousClock.Instant?

  /// - Throws: `DiffingError` if the text and its answer do not fit the model's context.
  fileprivate init(_ job: TextActivationsJob, _ models: LoadedModels) throws {
    self.models = models
    let context = models.context
    try context.requireActivations(store: models.store)
    text = try job.source.rendered(by: context.engine)
    trace = try TextActivations(engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer)
    answerTokens = job.answerTokens
    try trace.checkRoom(for: text.ids.count + answerTokens)
  }

  package mutating func step(_ tell: (TextActivationsEvent) -> Void) throws -> Bool {
    let start = start ?? .now
    self.start = start
    if trace.count < text.ids.count {
      let part = trace.count..<min(text.ids.count, trace.count + trace.tokensPerPass)
      tell(
        event(
          try trace.append(Array(text.ids[part]), templateMask: Array(text.templateMask[part])), from: part.lowerBound))
      return true
    }
    guard answered < answerTokens, !hasEnded else {
      tell(.finished(seconds: (.now - start).seconds, models.context.engine.model.precision))
      return false
    }
    answered += 1
    let id = try sampler.next(trace.chatLogits)
    hasEnded = models.context.engine.tokenizer.endOfTurnIDs.contains(id)
    let place = trace.count
    tell(event(try trace.append([id], templateMask: [hasEnded]), from: place))
    return true
  }

  /// The event for tokens whose activations are converted to the store's units, with the names of all tokens it
  /// mentions.
  private func event(_ tokens: [TokenActivations], from first: Int) -> TextActivationsEvent {
    let tokens = tokens.map { token in
      var token = token
      for index in token.activations.indices {
        let activation = token.activations[index]
        token.activations[index].value = models.context.inStoreUnits(activation.value, of: activation.latent)
      }
      return token
    }
    let tokenizer = models.context.engine.tokenizer
    let ids = Set(tokens.flatMap { token in [token.id] + (token.base + token.chat).map(\.id) })
    return .tokens(
      tokens, names: Dictionary(ids.map { ($0, tokenizer.record($0)) }, uniquingKeysWith: { a, _ in a }), from: first)
  }
}

/// The tokens of a text, which are accepted if their numbers are possible.
package struct TextActivationsAnswer: JobAnswer {
  private let nLatents: Int
  private var found = TextReading()
  package private(set) var outcome: TextReading?

  fileprivate init(nLatents: Int) { self.nLatents = nLatents }

  /// The largest accepted number of tokens of a text and its answer; no model has a longer context.
  private static let mostTokens = 1 << 21

  package mutating func take(_ event: TextActivationsEvent) throws(UnexpectedAnswer) {
    guard outcome == nil else { throw UnexpectedAnswer() }
    switch event {
    case .finished(let seconds, let precision):
      (found.seconds, found.precision) = (seconds, precision)
      outcome = found
    case .tokens(let tokens, let names, let first):
      guard first == found.tokens.count, tokens.allSatisfy(isSound) else {
        throw UnexpectedAnswer("tokens of something else")
      }
      found.tokens += tokens
      found.names.merge(names) { _, new in new }
      guard found.tokens.count <= Self.mostTokens else { throw UnexpectedAnswer("more tokens than any text has") }
    }
  }

  private func isSound(_ token: TokenActivations) -> Bool {
    (token.base + token.chat).allSatisfy { (0...1).contains($0.probability) }
      && token.activations.allSatisfy { (0..<nLatents).contains($0.latent) && $0.value >= 0 }
  }
}

extension SteeringContext {
  /// Whether a text's activations can be read: the codes of a crosscoder are read from both models.
  package var readsActivations: Bool { !crosscoder.readsBase || engine.isPair }

  /// - Throws: `InputError.notSaid` if the crosscoder reads two models and only one is loaded.
  package func requireActivations(store: Store) throws(InputError) {
    if !readsActivations { try requireBase(store: store) }
  }
}
