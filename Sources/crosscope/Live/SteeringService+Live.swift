// The explorer's steering on the real models: requests become steering runs, tokens come back as text.

import Diffing

extension SteeringService {
  /// Steering by the models of a store, loaded at first need.
  static func live(_ owner: ModelOwner) -> SteeringService {
    SteeringService(
      load: { progress in try await owner.load(progress: progress) },
      run: { request in
        stream { continuation in try await answer(request, owner: owner) { continuation.yield($0) } }
      },
      sweep: { request, withControl in stream { try await sweep(request, withControl, owner: owner, $0) } },
      sweepSet: { request, choice in stream { try await sweepSet(request, choice, owner: owner, $0) } },
      trace: { request in try await owner.trace(request) },
      preview: { request in
        stream { continuation in try await preview(request, owner: owner) { continuation.yield($0) } }
      })
  }

  /// Answers a request, a token of every stream at a time.
  /// - Parameter checking: is asked after each token whether to go on; what it throws ends the run, as cancelling does.
  static func answer(
    _ request: SteeringRequest, owner: ModelOwner, checking: @Sendable () async throws -> Void = {},
    _ emit: (SteeringEvent) -> Void
  ) async throws {
    let number = try await owner.begin(request)
    let clock = ContinuousClock()
    let start = clock.now
    var steps = 0
    try await take(number, owner: owner, checking: checking) { events in
      // After the last token there may be a step for activations alone.
      if events.contains(where: \.isToken) { steps += 1 }
      for event in events { emit(event) }
    }
    let duration = (clock.now - start).components
    let seconds = Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
    emit(.answered)
    let speed = seconds > 0 ? Double(steps) / seconds : nil
    if let document = try await owner.document(number, tokensPerSecond: speed) {
      emit(.finished(document))
    }
  }

  /// Runs all streams to their ends, a token a step.
  private static func take(
    _ number: Int, owner: ModelOwner, checking: @Sendable () async throws -> Void = {},
    _ body: ([SteeringEvent]) -> Void
  ) async throws {
    do {
      while let events = try await owner.step(number) {
        try Task.checkCancellation()
        try await checking()
        body(events)
      }
    } catch {
      await owner.end(number)
      throw error
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

  private static func sweepSet(
    _ request: SteeringRequest, _ choice: PromptSetChoice, owner: ModelOwner,
    _ continuation: AsyncThrowingStream<SetSweepEvent, any Error>.Continuation
  ) async throws {
    let (number, total) = try await owner.beginSet(request, choice)
    continuation.yield(.progress(done: 0, of: total))
    do {
      while let event = try await owner.stepSet(number) {
        try Task.checkCancellation()
        continuation.yield(event)
        if case .finished = event { return }
      }
    } catch DiffingError.file(.cancelled) {
      await owner.endSet(number)
      throw CancellationError()
    } catch {
      await owner.endSet(number)
      throw error
    }
  }

  /// Previews a request; `checking` as for `answer`.
  static func preview(
    _ request: SteeringRequest, owner: ModelOwner, checking: @Sendable () async throws -> Void = {},
    _ emit: (PreviewEvent) -> Void
  ) async throws {
    let (number, tokens) = try await owner.preview(request)
    emit(.distribution(tokens))
    for _ in 0..<NextTokens.answerTokens {
      try Task.checkCancellation()
      try await checking()
      guard let text = try await owner.previewToken(number) else { return }
      if !text.isEmpty { emit(.token(text)) }
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
