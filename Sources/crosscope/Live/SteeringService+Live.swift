// The explorer's steering on the real models: requests become steering runs, tokens come back as text.

import Diffing

extension SteeringService {
  /// Steering by the models of a store, loaded at first need.
  static func live(_ owner: ModelOwner) -> SteeringService {
    SteeringService(
      load: { progress in try await owner.load(progress: progress) },
      run: { request in
        AsyncThrowingStream { continuation in
          let task = Task {
            do {
              try await answer(request, owner: owner, continuation)
              continuation.finish()
            } catch {
              continuation.finish(throwing: error)
            }
          }
          continuation.onTermination = { _ in task.cancel() }
        }
      })
  }

  private static func answer(
    _ request: SteeringRequest, owner: ModelOwner,
    _ continuation: AsyncThrowingStream<SteeringEvent, any Error>.Continuation
  ) async throws {
    let plan = SteeringPlan(
      interventions: request.interventions.map {
        Intervention(latent: Int($0.latent), mode: $0.mode, strength: $0.strength)
      }, positions: request.positions)
    let settings = GenerationSettings(
      maxTokens: request.maxTokens, temperature: request.temperature, seed: request.seed)
    let number = try await owner.begin(prompt: request.prompt, plan: plan, settings: settings)
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
