// POST /v1/activations: which latents fire on which token of a text. Owns: the request and the events of a stream.
// The whole answer is the document of `crosscope activations --json`; a stream hands its tokens over as they come, with
// all latents, and the bytes of every token that is spoken of.

import Diffing
import Foundation
import Inference
import Kernels
import Serving
import Storage

/// What is asked of /v1/activations.
struct TraceExchangeRequest: Decodable {
  let trace: TraceRequest
  let isStreamed: Bool
  /// What the whole answer shows.
  let options: ActivationsReport.Options

  private static let sources = ["text", "messages", "tokens"]
  private static let choices = ["top", "limit", "latents", "aggregate", "template", "chat_only", "max_frequency"]

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(
      decoder, known: Self.sources + Self.choices + ["template_mask", "generate", "stream"])
    isStreamed = try fields.value("stream") ?? false
    if isStreamed, let choice = try Self.choices.first(where: { try !fields.isAbsent($0) }) {
      throw fields.invalid(choice, "a stream has all latents; leave it out")
    }
    trace = TraceRequest(
      source: try Self.source(fields), answerTokens: try fields.value("generate", in: 0...Int(Int32.max)) ?? 0)
    guard trace.answerTokens == 0 || trace.source.isOpen else {
      throw fields.invalid("generate", "the last message is the assistant's already")
    }
    let latents: [Int32] = try fields.value("latents") ?? []
    options = ActivationsReport.Options(
      only: Set(latents), top: try fields.value("top", in: 0...1000),
      limit: try fields.value("limit", in: 0...Routes.mostRows), aggregate: try fields.choice("aggregate"),
      template: try fields.value("template"), chatSpecificOnly: try fields.value("chat_only"),
      maxFrequency: try fields.value("max_frequency", in: 0...1))
  }

  private static func source(_ fields: RequestFields) throws -> PromptSource {
    guard try sources.count(where: { try !fields.isAbsent($0) }) == 1 else {
      throw fields.invalid("text", "one of text, messages and tokens is needed")
    }
    let ids: [Int32]? = try fields.value("tokens")
    let mask: [Bool]? = try fields.value("template_mask")
    guard mask == nil || mask?.count == ids?.count else {
      throw fields.invalid("template_mask", "an entry for each of tokens is expected")
    }
    if let ids { return .tokens(ids, templateMask: mask ?? ids.map { _ in false }) }
    if let messages: [RequestedMessage] = try fields.value("messages") {
      guard !messages.isEmpty else { throw fields.invalid("messages", "at least one is needed") }
      return .chat(messages.map(\.message))
    }
    return .raw(try fields.required("text"))
  }
}

extension PromptSource {
  /// The field of a request that holds it.
  var fieldName: String {
    switch self {
    case .raw: "text"
    case .chat: "messages"
    case .tokens: "tokens"
    }
  }
}

/// An event of a streamed trace: one of these is there.
struct TraceExchangeEvent: ExchangeEvent {
  var began: EngineIdentity?
  /// More tokens of the text or of the answer, with all latents that are on; shares are left out.
  var tokens: [ActivationsReport.Document.Token]?
  /// With them: every token that they speak of.
  var names: [Name]?
  /// The last event.
  var finished: End?

  struct Name: Codable, Sendable {
    var token_id: Int32
    /// Its own, which may be a part of a character.
    var bytes: [UInt8]
    var special: Bool
  }

  struct End: Codable, Sendable {
    var seconds: Double
    var precision: Precision
  }

  init(began: EngineIdentity) { self.began = began }

  /// Nil for what a service never has to do first.
  /// - Parameter position: of the next token, counted from 0.
  init?(_ event: TraceEvent, from position: inout Int, precision: Precision) {
    switch event {
    case .loading: return nil
    case .finished(let seconds): finished = End(seconds: seconds, precision: precision)
    case .tokens(let found, let records):
      tokens = found.enumerated().map { index, token in
        ActivationsReport.Document.Token(
          token, position: position + index, names: records,
          activations: token.activations.map { .init(latent: Int32($0.latent), activation: $0.value, share: nil) })
      }
      names = records.values.sorted { $0.id < $1.id }.map {
        Name(token_id: $0.id, bytes: $0.bytes, special: $0.isSpecial)
      }
      position += found.count
    }
  }
}

extension TokenActivations {
  /// A token as a stream has it.
  init(_ token: ActivationsReport.Document.Token) {
    func candidates(_ list: [ActivationsReport.Document.Candidate]?) -> [TokenProbability] {
      (list ?? []).map { TokenProbability(id: $0.token_id, probability: $0.probability) }
    }
    self.init(
      id: token.id, isTemplate: token.template, isLeftOut: token.left_out,
      activations: token.activations.map { LatentActivation(latent: Int($0.latent), value: $0.activation) },
      base: candidates(token.base), chat: candidates(token.chat), klChatBase: token.kl_chat_base,
      klBaseChat: token.kl_base_chat)
  }
}
