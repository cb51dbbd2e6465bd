// The paths of jobs, which the explorer and commands with --engine use. The client gets one document, or a stream that first
// names the files that answer and then passes the events on. Nothing is sent before the first event, so that a bad request gets
// an error status.

import Experiments
import Foundation
import Serving

extension Routes {
  /// The jobs that the service does for its clients.
  static let jobs: [any Job.Type] = [
    SteeringJob.self, SweepJob.self, PromptSetJob.self, PreviewJob.self, AnswerActivationsJob.self,
    TextActivationsJob.self, CausalCheckJob.self, CalibrationJob.self, LatentPatchingJob.self,
    EvaluationJob.self, ArmAnswersJob.self, PromptActivationsJob.self, BlockSweepJob.self,
  ]

  /// Does the job that the body describes.
  func answer<J: Job>(_ type: J.Type, _ body: Data) async throws -> ServiceReply {
    let request = try JobBody<J>.read(body)
    var job = request.job
    do { try job.limit(to: limits, store: store) } catch { throw described(error, of: job) }
    let events = owner.events(of: job) { _ in }.describingErrors(text: job.textField, latents: job.latentsField)
    let first = try await first(of: events)
    guard request.isStreamed else {
      var answer = job.answer(from: identity)
      try answer.take(first)
      for try await event in events { try answer.take(event) }
      try Task.checkCancellation()
      guard let outcome = answer.outcome else { throw CancellationError() }
      return .document(try job.document(outcome, store: store))
    }
    return .events { [identity] send in
      try await send(try jsonText(Began(began: identity)))
      try await send(try jsonText(first))
      for try await event in events { try await send(try jsonText(event)) }
      try Task.checkCancellation()
    }
  }

  /// Waits for the first event; once it is there, the request can no longer be refused.
  func first<Event: Sendable>(of events: AsyncThrowingStream<Event, any Error>) async throws -> Event {
    for try await event in events { return event }
    throw CancellationError()
  }

  private func described(_ error: any Error, of job: some Job) -> any Error {
    APIError.describing(error, text: job.textField, latents: job.latentsField)
  }
}

extension AsyncThrowingStream where Element: Sendable, Failure == any Error {
  /// The same events, with errors as the client is told them; see `APIError.describing`.
  func describingErrors(text: String, latents: String) -> AsyncThrowingStream<Element, any Error> {
    stream { continuation in
      do {
        for try await event in self { continuation.yield(event) }
      } catch {
        throw APIError.describing(error, text: text, latents: latents)
      }
    }
  }
}
