// The two paths that run the model. A whole answer is what its events add up to; a stream hands them on as they come.
// Either way nothing is said before the prompt was read, so that what can be refused is refused with a status.

import Diffing
import Foundation
import Inference
import Serving

extension Routes {
  /// POST /v1/chat/completions
  func chatCompletion(_ body: Data) async throws -> ServiceReply {
    var request = try ChatCompletionRequest.read(body)
    try limits.check(&request.answer)
    if let model = request.model, model != pair.chat {
      throw APIError.notFound(
        "there is no model \(model.debugDescription); it is \(pair.chat)", code: "model_not_found")
    }
    let head = CompletionHead(model: pair.chat)
    let events = answers.answer(request.answer)
    try await begun(events)
    guard request.isStreamed else { return .document(try await whole(request.answer, head, events)) }
    return .events { [request] send in try await stream(request, head, events, send) }
  }

  /// Waits for the first event: from then on nothing is refused.
  @discardableResult
  private func begun(_ events: AsyncThrowingStream<AnswerEvent, any Error>) async throws -> Int {
    for try await case .began(let promptTokens) in events { return promptTokens }
    throw CancellationError()
  }

  private func whole(
    _ request: AnswerRequest, _ head: CompletionHead, _ events: AsyncThrowingStream<AnswerEvent, any Error>
  ) async throws -> String {
    var choices = (0..<request.settings.samples).map { ChatCompletion.Choice(index: $0) }
    var logs = choices.map { _ in [CompletionLogProbability]() }
    for try await event in events {
      switch event {
      case .began: break
      case .token(let token):
        choices[token.answer].message.content += token.text
        logs[token.answer] += logProbability(token)
        if let ending = token.ending { choices[token.answer].finish_reason = ending }
      case .finished(let info, let tokensPerSecond):
        if request.recordsLogProbabilities {
          for index in choices.indices { choices[index].logprobs = CompletionLogProbabilities(content: logs[index]) }
        }
        return try jsonText(
          ChatCompletion(
            head, choices: choices, usage: CompletionUsage(info),
            crosscope: CompletionExtension(request, info, tokensPerSecond: tokensPerSecond)))
      }
    }
    throw CancellationError()
  }

  private func stream(
    _ request: ChatCompletionRequest, _ head: CompletionHead, _ events: AsyncThrowingStream<AnswerEvent, any Error>,
    _ send: (String) async throws -> Void
  ) async throws {
    func part(_ choice: ChatCompletionChunk.Choice) async throws {
      try await send(try jsonText(ChatCompletionChunk(head, choices: [choice])))
    }
    for index in 0..<request.answer.settings.samples {
      try await part(.init(index: index, delta: .init(role: .assistant, content: "")))
    }
    for try await event in events {
      switch event {
      case .began: break
      case .token(let token):
        let logs = logProbability(token)
        if !token.text.isEmpty || !logs.isEmpty {
          try await part(
            .init(
              index: token.answer, delta: .init(content: token.text),
              logprobs: logs.isEmpty ? nil : CompletionLogProbabilities(content: logs)))
        }
        if let ending = token.ending { try await part(.init(index: token.answer, finish_reason: ending)) }
      case .finished(let info, let tokensPerSecond):
        guard request.includesUsage else { return }
        let more = CompletionExtension(request.answer, info, tokensPerSecond: tokensPerSecond)
        try await send(
          try jsonText(ChatCompletionChunk(head, choices: [], usage: CompletionUsage(info), crosscope: more)))
        return
      }
    }
    throw CancellationError()
  }

  /// The end of a turn is no part of an answer.
  private func logProbability(_ token: AnswerToken) -> [CompletionLogProbability] {
    guard let value = token.logProbability, !token.isEndOfTurn else { return [] }
    return [
      CompletionLogProbability(
        token: String(decoding: token.bytes, as: UTF8.self), bytes: token.bytes, logprob: value)
    ]
  }

  /// POST /v1/steer
  func steer(_ body: Data) async throws -> ServiceReply {
    var request = try SteerExchangeRequest.read(body)
    try limits.check(&request.answer)
    let decoder = request.answer.plan?.decoder ?? .chat
    let events = answers.answer(request.answer)
    let promptTokens = try await begun(events)
    guard request.isStreamed else {
      for try await case .finished(let info, let tokensPerSecond) in events {
        return .document(try jsonText(try result(info, decoder, tokensPerSecond)))
      }
      throw CancellationError()
    }
    return .events { send in
      try await send(
        try jsonText(
          SteerExchangeEvent(began: .init(prompt_tokens: promptTokens, identity: EngineIdentity(pair)))))
      for try await event in events {
        switch event {
        case .began: break
        case .token(let token):
          let stream: SteerExchangeEvent.Token.Stream = token.answer == 0 ? .baseline : .steered
          try await send(
            try jsonText(SteerExchangeEvent(token: .init(stream: stream, id: token.id, text: token.text))))
        case .finished(let info, let tokensPerSecond):
          return try await send(
            try jsonText(SteerExchangeEvent(finished: try result(info, decoder, tokensPerSecond))))
        }
      }
      throw CancellationError()
    }
  }

  private func result(
    _ info: AnswerInfo, _ decoder: PairModel, _ tokensPerSecond: Double?
  ) throws -> SteerExchangeResult {
    SteerExchangeResult(
      baseline: info.answers[0], steered: info.answers[1], layer: info.layer, decoder: decoder,
      tokens_per_second: tokensPerSecond, versions: info.versions)
  }
}
