// The paths of jobs, which the explorer and the commands ask with --engine. A whole answer is the document that its events
// add up to; a stream names the files that answer and hands the events on as they come. Nothing is said before the first
// event, so that what can be refused is refused with a status.

import Experiments
import Foundation
import Serving

extension Routes {
  /// The jobs that are done for others.
  static let jobs: [any Job.Type] = [
    SteeringJob.self, SweepJob.self, PromptSetJob.self, PreviewJob.self, AnswerActivationsJob.self,
    TextActivationsJob.self, CausalCheckJob.self, CalibrationJob.self, LatentPatchingJob.self,
  ]

  /// Does the job that a body asks for.
  func answer<J: Job>(_ type: J.Type, _ body: Data) async throws -> ServiceReply {
    let request = try JobBody<J>.read(body)
    var job = request.job
    do { try job.limit(to: limits, store: store) } catch { throw described(error, of: job) }
    let events = described(owner.events(of: job) { _ in }, of: job)
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

  /// Waits for the first event: from then on nothing is refused.
  func first<Event: Sendable>(of events: AsyncThrowingStream<Event, any Error>) async throws -> Event {
    for try await event in events { return event }
    throw CancellationError()
  }

  private func described(_ error: any Error, of job: some Job) -> any Error {
    APIError.describing(error, text: job.textField, latents: job.latentsField)
  }

  /// Events whose errors are what the client is told.
  private func described<Event: Sendable>(
    _ events: AsyncThrowingStream<Event, any Error>, of job: some Job
  ) -> AsyncThrowingStream<Event, any Error> {
    stream { continuation in
      do {
        for try await event in events { continuation.yield(event) }
      } catch {
        throw described(error, of: job)
      }
    }
  }
}
