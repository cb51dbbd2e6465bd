// Chat completions, as one document or as a stream. Nothing is sent before the prompt was read, so that a bad request gets an
// error status.

import Experiments
import Foundation
import Serving

extension Routes {
  /// POST /v1/chat/completions
  func chatCompletion(_ body: Data) async throws -> ServiceReply {
    var request = try ChatCompletionRequest.read(body)
    let (wanted, isOpenEnded) = (request.task.settings.maxTokens, request.task.fitsContext)
    do {
      request.task.settings.maxTokens = try limits.length(
        wanted, isOpenEnded: isOpenEnded, field: request.lengthField)
    } catch { throw APIError(error) }
    if let name = request.model { _ = try model(named: name) }
    let head = CompletionHead(model: pair.chat)
    let events = chat(request.task)
    _ = try await first(of: events)
    guard request.isStreamed else { return .document(try await whole(request.task, head, events)) }
    return .events { [request] send in try await stream(request, head, events, send) }
  }

  /// The events of a chat; its errors are those that the client is told.
  func chat(_ task: ChatTask) -> AsyncThrowingStream<ChatEvent, any Error> {
    owner.events(ofTask: task).describingErrors(text: "messages", latents: "interventions")
  }

  private func whole(
    _ request: ChatTask, _ head: CompletionHead, _ events: AsyncThrowingStream<ChatEvent, any Error>
  ) async throws -> String {
    var choices = (0..<request.settings.samples).map { ChatCompletion.Choice(index: $0) }
    var logs = choices.map { _ in [CompletionLogProbability]() }
    for try await event in events {
      switch event {
      case .began: break
      case .token(let token):
        choices[token.answer].message.content += token.text
        logs[token.answer] += token.tokens.map(CompletionLogProbability.init)
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
    _ request: ChatCompletionRequest, _ head: CompletionHead, _ events: AsyncThrowingStream<ChatEvent, any Error>,
    _ send: (String) async throws -> Void
  ) async throws {
    func part(_ choice: ChatCompletionChunk.Choice) async throws {
      try await send(try jsonText(ChatCompletionChunk(head, choices: [choice])))
    }
    for index in 0..<request.task.settings.samples {
      try await part(.init(index: index, delta: .init(role: .assistant, content: "")))
    }
    for try await event in events {
      switch event {
      case .began: break
      case .token(let token):
        let logs = token.tokens.map(CompletionLogProbability.init)
        if !token.text.isEmpty || !logs.isEmpty {
          try await part(
            .init(
              index: token.answer, delta: .init(content: token.text),
              logprobs: logs.isEmpty ? nil : CompletionLogProbabilities(content: logs)))
        }
        if let ending = token.ending { try await part(.init(index: token.answer, finish_reason: ending)) }
      case .finished(let info, let tokensPerSecond):
        guard request.includesUsage else { return }
        let more = CompletionExtension(request.task, info, tokensPerSecond: tokensPerSecond)
        try await send(
          try jsonText(ChatCompletionChunk(head, choices: [], usage: CompletionUsage(info), crosscope: more)))
        return
      }
    }
    throw CancellationError()
  }
}
