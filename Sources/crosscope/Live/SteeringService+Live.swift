// The explorer's steering on the real models: requests become steering runs, tokens come back as text.

import Diffing

extension SteeringService {
  /// Steering by the models of a store, loaded at first need.
  static func live(_ owner: ModelOwner) -> SteeringService {
    SteeringService(
      load: { progress in try await owner.load(progress: progress) },
      run: { request in stream { try await answer(request, owner: owner, $0) } },
      sweep: { request, withControl in stream { try await sweep(request, withControl, owner: owner, $0) } },
      trace: { request in try await owner.trace(request) },
      preview: { request in stream { try await preview(request, owner: owner, $0) } })
  }

  private static func answer(
    _ request: SteeringRequest, owner: ModelOwner,
    _ continuation: AsyncThrowingStream<SteeringEvent, any Error>.Continuation
  ) async throws {
    let number = try await owner.begin(request)
    let clock = ContinuousClock()
    let start = clock.now
    var steps = 0
    try await take(number, owner: owner) { pieces in
      steps += 1
      for piece in pieces {
        continuation.yield(
          piece.isBaseline
            ? .baseline(piece.text, sample: piece.sample) : .steered(piece.text, sample: piece.sample))
      }
    }
    let duration = (clock.now - start).components
    let seconds = Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
    continuation.yield(.answered)
    let speed = seconds > 0 ? Double(steps) / seconds : nil
    if let document = try await owner.document(number, tokensPerSecond: speed) {
      continuation.yield(.finished(document))
    }
  }

  /// Runs all streams to their ends, a token a step.
  private static func take(
    _ number: Int, owner: ModelOwner, _ body: ([ModelOwner.Piece]) -> Void
  ) async throws {
    while let pieces = try await owner.step(number) {
      if Task.isCancelled {
        await owner.end(number)
        throw CancellationError()
      }
      body(pieces)
    }
  }

  private static func sweep(
    _ request: SteeringRequest, _ withControl: Bool, owner: ModelOwner,
    _ continuation: AsyncThrowingStream<SweepEvent, any Error>.Continuation
  ) async throws {
    // A control that is not possible is refused before anything is computed.
    let control = withControl ? try await owner.control(of: request) : nil
    for (request, isControl) in [(request, false)] + (control.map { [($0, true)] } ?? []) {
      let number = try await owner.begin(request, strengths: SteerSweep.strengths)
      var tokens = 0
      try await take(number, owner: owner) { _ in
        tokens += 1
        continuation.yield(.tokens(tokens))
      }
      let document = try await owner.document(number, tokensPerSecond: nil) { scored, total in
        continuation.yield(.scored(scored, of: total))
      }
      guard let document else { return }
      continuation.yield(isControl ? .control(document) : .finished(document))
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
}

/// A stream that a task feeds; the task ends with the stream's consumer.
func stream<Event: Sendable>(
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
