// A laboratory does jobs: on the models in this process, on those of a service, or from a script in tests. Commands and the
// explorer use all of them in the same way.

/// A place where jobs are done.
package protocol Laboratory: Sendable {
  /// Makes the models ready.
  /// - Parameter progress: receives a description of the present work.
  /// - Returns: the chat model's name.
  func load(_ progress: @escaping @Sendable (String) -> Void) async throws -> String

  /// Everything beside its settings that decides the bits of a run; see `SteeringContext.versions`.
  func versions() async throws -> [String: String]

  /// Does a job. If the stream's consumer ends, the job ends within a token.
  /// - Parameter loading: receives a description of the work before the job can begin.
  func events<J: Job>(
    of job: J, loading: @escaping @Sendable (String) -> Void
  ) -> AsyncThrowingStream<J.Event, any Error>

  /// The identity of the store and models that answer.
  var identity: EngineIdentity { get throws }

  /// The error for a job whose events ended early or did not answer the request.
  func failure(_ unexpected: UnexpectedAnswer?) -> any Error
}

extension Laboratory {
  /// Does a job to its end.
  /// - Parameter event: receives each event.
  /// - Returns: the result that the events add up to.
  package func outcome<J: Job>(
    of job: J, event: (J.Event) throws -> Void = { _ in }, loading: @escaping @Sendable (String) -> Void = { _ in }
  ) async throws -> J.Answer.Outcome {
    var answer = job.answer(from: try identity)
    for try await next in events(of: job, loading: loading) {
      do { try answer.take(next) } catch { throw failure(error) }
      try event(next)
    }
    try Task.checkCancellation()
    guard let outcome = answer.outcome else { throw failure(nil) }
    return outcome
  }
}

/// A stream that a task feeds; the task ends when the stream's consumer ends.
package func stream<Event: Sendable>(
  _ body: @escaping @Sendable (AsyncThrowingStream<Event, any Error>.Continuation) async throws -> Void
) -> AsyncThrowingStream<Event, any Error> {
  AsyncThrowingStream { continuation in
    let task = Task {
      do {
        try await body(continuation)
        continuation.finish()
      } catch {
        continuation.finish(throwing: error)
      }
    }
    continuation.onTermination = { _ in task.cancel() }
  }
}
