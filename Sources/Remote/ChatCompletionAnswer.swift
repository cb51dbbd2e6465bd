// The answer of POST /v1/chat/completions: OpenAI's documents, whole or in chunks, made from the events of the answer. Names
// are the API's; the field "crosscope" holds everything for which the API has no name.

import Experiments
import Foundation
import Inference

/// The fields that all documents of one answer share.
struct CompletionHead: Sendable {
  let id: String
  let created: Int
  let model: String

  init(model: String, created: Date = Date()) {
    id = "chatcmpl-" + UUID().uuidString.lowercased().replacing("-", with: "")
    self.created = Int(created.timeIntervalSince1970)
    self.model = model
  }
}

struct CompletionUsage: Encodable {
  let prompt_tokens: Int
  let completion_tokens: Int
  let total_tokens: Int

  init(_ info: ChatSummary) {
    prompt_tokens = info.promptTokens
    completion_tokens = info.answers.reduce(0) { $0 + $1.ids.count }
    total_tokens = prompt_tokens + completion_tokens
  }
}

/// A token with its log-probability; `bytes` are the token's own, which may be part of a character.
struct CompletionLogProbability: Encodable {
  let token: String
  let bytes: [UInt8]
  let logprob: Double
  /// The likeliest tokens at this position; they have no such list themselves.
  var top_logprobs: [CompletionLogProbability]?

  init(_ token: AnswerToken.Logged) {
    self.init(token.bytes, token.logProbability)
    top_logprobs = token.likeliest.map { CompletionLogProbability($0.bytes, $0.logProbability) }
  }

  private init(_ bytes: [UInt8], _ value: Double) {
    (token, self.bytes, logprob) = (String(decoding: bytes, as: UTF8.self), bytes, value)
  }
}

struct CompletionLogProbabilities: Encodable { let content: [CompletionLogProbability] }

/// The fields for which the API has no name.
struct CompletionExtension: Encodable {
  let seed: UInt64
  let layer: Int
  let versions: [String: String]
  /// One value for each choice; nil if nothing was steered.
  let relative_change: [Double?]?
  let tokens_per_second: Double?

  init(_ request: ChatTask, _ info: ChatSummary, tokensPerSecond: Double?) {
    (seed, layer, versions, tokens_per_second) = (request.settings.seed, info.layer, info.versions, tokensPerSecond)
    relative_change = request.plan == nil ? nil : info.answers.map(\.relativeChange)
  }
}

/// A whole answer.
struct ChatCompletion: Encodable {
  struct Choice: Encodable {
    struct Message: Encodable {
      let role = ChatMessage.Role.assistant
      var content = ""

      private enum CodingKeys: CodingKey { case role, content }
    }

    let index: Int
    var message = Message()
    var logprobs: CompletionLogProbabilities?
    var finish_reason: AnswerToken.Ending?
  }

  let id: String
  let object = "chat.completion"
  let created: Int
  let model: String
  let choices: [Choice]
  let usage: CompletionUsage
  let crosscope: CompletionExtension

  private enum CodingKeys: CodingKey { case id, object, created, model, choices, usage, crosscope }

  init(_ head: CompletionHead, choices: [Choice], usage: CompletionUsage, crosscope: CompletionExtension) {
    (id, created, model) = (head.id, head.created, head.model)
    (self.choices, self.usage, self.crosscope) = (choices, usage, crosscope)
  }
}

/// A part of a streamed answer.
struct ChatCompletionChunk: Encodable {
  struct Choice: Encodable {
    struct Delta: Encodable {
      var role: ChatMessage.Role?
      var content: String?
    }

    let index: Int
    var delta = Delta()
    var logprobs: CompletionLogProbabilities?
    var finish_reason: AnswerToken.Ending?

    private enum CodingKeys: CodingKey { case index, delta, logprobs, finish_reason }

    /// As long as there is no reason, the field is null instead of missing, since some clients read it.
    func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(index, forKey: .index)
      try fields.encode(delta, forKey: .delta)
      try fields.encodeIfPresent(logprobs, forKey: .logprobs)
      try fields.encode(finish_reason, forKey: .finish_reason)
    }
  }

  let id: String
  let object = "chat.completion.chunk"
  let created: Int
  let model: String
  let choices: [Choice]
  var usage: CompletionUsage?
  var crosscope: CompletionExtension?

  private enum CodingKeys: CodingKey { case id, object, created, model, choices, usage, crosscope }

  init(
    _ head: CompletionHead, choices: [Choice], usage: CompletionUsage? = nil, crosscope: CompletionExtension? = nil
  ) {
    (id, created, model) = (head.id, head.created, head.model)
    (self.choices, self.usage, self.crosscope) = (choices, usage, crosscope)
  }
}
