// Requests in a row before the one model: each waits its turn, runs to its end whether its client reads fast or not, and
// ends at once where the client goes away or the service stops.
// Owns: the queues, errors of the modules as those of a request.

import Diffing
import Foundation
import Inference
import Serving
import Storage

/// What happens while a request is answered.
enum AnswerEvent: Sendable {
  case began
  case token(AnswerToken)
  case finished(AnswerInfo, tokensPerSecond: Double?)
}

/// Answers requests one after another; previews, which are short, go between the tokens of what is under way.
struct AnswerService: Sendable {
  let owner: ModelOwner
  let turns: TurnQueue
  /// Of previews, among themselves.
  let previewTurns: TurnQueue

  /// - Parameter queue: requests that may wait besides the one being answered; as many previews.
  init(owner: ModelOwner, queue: Int) {
    self.owner = owner
    (turns, previewTurns) = (TurnQueue(limit: queue), TurnQueue(limit: queue))
  }

  /// Answers a request. The first event comes when the prompt was read and nothing can be refused any more.
  /// Ending the stream's consumer ends the run within one token.
  /// - Returns: a stream that throws `APIError`.
  func answer(_ request: AnswerRequest) -> AsyncThrowingStream<AnswerEvent, any Error> {
    queued(text: "messages") { try await run(request, $0) }
  }

  /// Answers a prompt without and with steering; the first event comes as for `answer`.
  func steer(_ request: SteeringRequest) -> AsyncThrowingStream<SteeringEvent, any Error> {
    queued(text: "prompt") { continuation in
      try await SteeringService.answer(request, owner: owner) { continuation.yield($0) }
    }
  }

  /// Answers a prompt at several strengths; the first event comes as for `answer`.
  func sweep(_ request: SweepRequest) -> AsyncThrowingStream<SweepEvent, any Error> {
    queued(text: "prompt") { continuation in
      try await SteeringService.sweep(request, owner: owner) { continuation.yield($0) }
    }
  }

  /// Answers a set of prompts at several strengths; the first event comes when nothing can be refused any more.
  func sweepSet(_ request: SetSweepRequest) -> AsyncThrowingStream<SetSweepEvent, any Error> {
    queued(text: "prompts") { continuation in
      try await SteeringService.sweepSet(request, owner: owner) { continuation.yield($0) }
    }
  }

  /// What steering makes of the token after a prompt; the first event comes as for `answer`.
  func preview(_ request: SteeringRequest) -> AsyncThrowingStream<PreviewEvent, any Error> {
    queued(by: previewTurns, text: "prompt") { continuation in
      try await SteeringService.preview(request, owner: owner) { continuation.yield($0) }
    }
  }

  /// Reads activations along two answers; the one event comes when both are read.
  func traceAnswers(_ request: AnswerTraceRequest) -> AsyncThrowingStream<AnswerTrace, any Error> {
    queued(text: "prompt") { continuation in continuation.yield(try await owner.trace(request)) }
  }

  /// Traces a text; the first event comes with the first pass over it.
  func trace(_ request: TraceRequest) -> AsyncThrowingStream<TraceEvent, any Error> {
    queued(text: request.source.fieldName) { continuation in
      try await TraceService.trace(request, owner: owner) { continuation.yield($0) }
    }
  }

  /// Checks what a latent does; the first event comes when its first text is finished.
  func check(_ latent: Int32, _ size: CausalCheck.Size) -> AsyncThrowingStream<CheckEvent, any Error> {
    queued(text: "latent", latents: "latent") { continuation in
      try await CheckService.check(latent, size, owner: owner) { continuation.yield($0) }
    }
  }

  /// What a task yields in its turn; the task ends with the stream's consumer.
  /// - Parameters:
  ///   - text: the field whose text may be too long.
  ///   - latents: the field that names latents.
  private func queued<Event: Sendable>(
    by queue: TurnQueue? = nil, text: String, latents: String = "interventions",
    _ body: @escaping @Sendable (AsyncThrowingStream<Event, any Error>.Continuation) async throws -> Void
  ) -> AsyncThrowingStream<Event, any Error> {
    AsyncThrowingStream { continuation in
      let task = Task {
        do {
          try await (queue ?? turns).take { try await body(continuation) }
          continuation.finish()
        } catch {
          continuation.finish(throwing: Self.described(error, text: text, latents: latents))
        }
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  /// Ends the request being answered within one token, refuses those that wait and those to come.
  func stop() async {
    await turns.close()
    await previewTurns.close()
  }

  private func run(
    _ request: AnswerRequest, _ continuation: AsyncThrowingStream<AnswerEvent, any Error>.Continuation
  ) async throws {
    let clock = ContinuousClock()
    var (tokens, steps): ([AnswerToken]?, Int) = (try await owner.begin(request), 0)
    let began = clock.now
    continuation.yield(.began)
    do {
      while let some = tokens {
        for token in some { continuation.yield(.token(token)) }
        try Task.checkCancellation()
        tokens = try await owner.stepAnswers()
        steps += 1
      }
    } catch {
      await owner.endAnswers()
      throw error
    }
    let duration = (clock.now - began).components
    let seconds = Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
    if let info = try await owner.answerInfo() {
      continuation.yield(.finished(info, tokensPerSecond: seconds > 0 && steps > 1 ? Double(steps - 1) / seconds : nil))
    }
    await owner.endAnswers()
  }

  /// What a request's client is told of an error; others pass as they are.
  private static func described(_ error: any Error, text: String, latents: String) -> any Error {
    switch error {
    case TurnQueue.Refusal.full: APIError.busy
    case TurnQueue.Refusal.closed: APIError.stopping
    case DiffingError.settingInvalid("text length", _, _):
      APIError.invalid("\(error)", param: text, code: "context_length_exceeded")
    case DiffingError.settingInvalid(let name, _, _): APIError.invalid("\(error)", param: Self.field(of: name))
    case DiffingError.file(let inner): described(inner, text: text, latents: latents)
    case StorageError.noSuchLatent: APIError.invalid("\(error)", param: latents)
    case InferenceError.settingInvalid("prompt and answer", _, _), InferenceError.settingInvalid("text length", _, _):
      APIError.invalid("\(error)", param: text, code: "context_length_exceeded")
    case InferenceError.settingInvalid, InferenceError.notFinite, DiffingError.notFinite, CommandError.notSaid,
      CommandError.inputInvalid,
      InferenceError.unsupported(_, "a chat with", _, _):
      APIError.invalid("\(error)")
    case InferenceError.memoryShort: APIError.invalid("\(error)")
    case InferenceError.cancelled: CancellationError()
    default: error
    }
  }

  /// The request's field that a module's setting came from.
  private static func field(of setting: String) -> String? {
    if setting.hasPrefix("condition") { return "conditions" }
    if setting.hasPrefix("steering at all layers") { return "all_layers" }
    if setting.hasPrefix("raw strength") { return "raw_strength" }
    return setting.contains("latent") || setting.contains("mode") ? "interventions" : nil
  }
}
