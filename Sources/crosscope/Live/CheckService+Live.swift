// The explorer's causal checks on the real models.

import Diffing

extension CheckService {
  /// Checks by the models of a store, loaded at first need.
  static func live(_ owner: ModelOwner) -> CheckService {
    CheckService { latent in stream { try await run(latent, owner: owner, $0) } }
  }

  private static func run(
    _ latent: Int32, owner: ModelOwner, _ continuation: AsyncThrowingStream<CheckEvent, any Error>.Continuation
  ) async throws {
    let number = try await owner.beginCheck(latent) { continuation.yield(.loading($0)) }
    do {
      while let event = try await owner.stepCheck(number) {
        try Task.checkCancellation()
        continuation.yield(event)
        if case .finished = event { return }
      }
    } catch DiffingError.file(.cancelled) {
      await owner.endCheck(number)
      throw CancellationError()
    } catch {
      await owner.endCheck(number)
      throw error
    }
  }
}
