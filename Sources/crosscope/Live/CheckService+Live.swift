// The explorer's causal checks on the real models.

import Diffing

extension CheckService {
  /// Checks by the models of a store, loaded at first need.
  static func live(_ owner: ModelOwner) -> CheckService {
    CheckService { latent in
      stream { continuation in
        try await check(latent, .interactive, owner: owner) { continuation.yield($0) }
      }
    }
  }

  /// Checks a latent, a prompt or a context at a time.
  static func check(
    _ latent: Int32, _ size: CausalCheck.Size, owner: ModelOwner, _ emit: @Sendable (CheckEvent) -> Void
  ) async throws {
    let number = try await owner.beginCheck(latent, size) { emit(.loading($0)) }
    do {
      while let event = try await owner.stepCheck(number) {
        try Task.checkCancellation()
        emit(event)
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
