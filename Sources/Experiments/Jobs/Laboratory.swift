// Where jobs are done: on the models in this process, on those of a service, or on a script in tests. Commands and the
// explorer ask all of them in the same way.

/// Something that does jobs.
package protocol Laboratory: Sendable {
  /// Makes the models ready.
  /// - Parameter progress: what is being done.
  /// - Returns: the chat model's name.
  func load(_ progress: @escaping @Sendable (String) -> Void) async throws -> String

  /// What decides the bits of a run beside its settings; see `SteeringContext.versions`.
  func versions() async throws -> [String: String]

  /// Does a job. Ending the consumer of the stream ends the job within a token.
  /// - Parameter loading: what is done before the job can begin.
  func events<J: Job>(
    of job: J, loading: @escaping @Sendable (String) -> Void
  ) -> AsyncThrowingStream<J.Event, any Error>

  /// The files that answer.
  var identity: EngineIdentity { get throws }

  /// The error of a job whose events ended early, or do not answer it.
  func failure(_ unexpected: UnexpectedAnswer?) -> any Error
}

extension Laboratory {
  /// Does a job to its end.
  /// - Parameter event: takes what happens meanwhile.
  /// - Returns: what its events add up to.
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

/// A stream that a task feeds; the task ends with the stream's consumer.
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
