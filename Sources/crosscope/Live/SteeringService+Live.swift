// The explorer's steering on the real models: requests become steering runs, tokens come back as text.

import Diffing

extension SteeringService {
  /// Steering by the models of a store, loaded at first need.
  static func live(_ owner: ModelOwner) -> SteeringService {
    SteeringService(
      load: { progress in try await owner.load(progress: progress) },
      run: { request in stream { try await answer(request, owner: owner, $0) } },
      preview: { request in stream { try await preview(request, owner: owner, $0) } })
  }

  /// A stream that a task feeds; the task ends with the stream's consumer.
  private static func stream<Event: Sendable>(
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

  private static func preview(
    _ request: SteeringRequest, owner: ModelOwner,
    _ continuation: AsyncThrowingStream<PreviewEvent, any Error>.Continuation
  ) async throws {
    let (number, tokens) = try await owner.preview(request)
    continuation.yield(.distribution(tokens))
    for _ in 0..<NextTokens.answerTokens {
      try Task.checkCancellation()
      guard let text = try await owner.previewToken(number) else { return }
      if !text.isEmpty { continuation.yield(.token(text)) }
    }
  }

  private static func answer(
    _ request: SteeringRequest, owner: ModelOwner,
    _ continuation: AsyncThrowingStream<SteeringEvent, any Error>.Continuation
  ) async throws {
    let number = try await owner.begin(request)
    let clock = ContinuousClock()
    let start = clock.now
    var steps = 0
    while let pieces = try await owner.step(number) {
      if Task.isCancelled {
        await owner.end(number)
        throw CancellationError()
      }
      steps += 1
      for piece in pieces where !piece.text.isEmpty {
        continuation.yield(piece.stream == SteeringRun.baseline ? .baseline(piece.text) : .steered(piece.text))
      }
    }
    let duration = (clock.now - start).components
    let seconds = Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
    if let info = await owner.info(number, tokensPerSecond: seconds > 0 ? Double(steps) / seconds : nil) {
      continuation.yield(.finished(info))
    }
    await owner.end(number)
  }
}
