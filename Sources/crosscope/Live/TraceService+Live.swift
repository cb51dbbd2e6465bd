// The explorer's traces on the real models.

import Diffing

extension TraceService {
  /// Traces by the models of a store, loaded at first need.
  static func live(_ owner: ModelOwner) -> TraceService {
    TraceService { request in
      AsyncThrowingStream { continuation in
        let task = Task {
          do {
            try await run(request, owner: owner, continuation)
            continuation.finish()
          } catch {
            continuation.finish(throwing: error)
          }
        }
        continuation.onTermination = { _ in task.cancel() }
      }
    }
  }

  private static func run(
    _ request: TraceRequest, owner: ModelOwner, _ continuation: AsyncThrowingStream<TraceEvent, any Error>.Continuation
  ) async throws {
    let number = try await owner.beginTrace(request) { continuation.yield(.loading($0)) }
    let clock = ContinuousClock()
    let start = clock.now
    do {
      while let event = try await owner.stepTrace(number) {
        try Task.checkCancellation()
        continuation.yield(event)
      }
    } catch DiffingError.file(.cancelled) {
      await owner.endTrace(number)
      throw CancellationError()
    } catch {
      await owner.endTrace(number)
      throw error
    }
    let duration = (clock.now - start).components
    continuation.yield(.finished(seconds: Double(duration.seconds) + Double(duration.attoseconds) * 1e-18))
  }
}
