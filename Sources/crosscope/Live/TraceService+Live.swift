// The explorer's traces on the real models.

import Diffing

extension TraceService {
  /// Traces by the models of a store, loaded at first need.
  static func live(_ owner: ModelOwner) -> TraceService {
    TraceService { request in
      stream { continuation in try await trace(request, owner: owner) { continuation.yield($0) } }
    }
  }

  /// Traces a text and its answer, a pass at a time.
  static func trace(
    _ request: TraceRequest, owner: ModelOwner, _ emit: @Sendable (TraceEvent) -> Void
  ) async throws {
    let number = try await owner.beginTrace(request) { emit(.loading($0)) }
    let clock = ContinuousClock()
    let start = clock.now
    do {
      while let event = try await owner.stepTrace(number) {
        try Task.checkCancellation()
        emit(event)
      }
    } catch DiffingError.file(.cancelled) {
      await owner.endTrace(number)
      throw CancellationError()
    } catch {
      await owner.endTrace(number)
      throw error
    }
    let duration = (clock.now - start).components
    emit(.finished(seconds: Double(duration.seconds) + Double(duration.attoseconds) * 1e-18))
  }
}
