// The owner of the loaded models does jobs on a queue of its own, so that neither the terminal nor Swift's small thread pool
// ever waits for a model. It has two lanes: jobs run one after another, and previews, which are short, run between their steps.
// A step is at most a token of every stream, so a cancelled job ends after at most one more step.

import Diffing
import Dispatch
import Inference
import Kernels
import Storage
import Synchronization

/// Runs an actor's jobs one after another on a queue of their own.
private final class ComputeExecutor: SerialExecutor {
  private let queue = DispatchQueue(label: "crosscope.compute", qos: .userInitiated)

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedSerialExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}

/// Owns the models of one store and does jobs on them.
package actor ModelOwner: Laboratory {
  private let executor = ComputeExecutor()
  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  package nonisolated let store: Store
  private let files: ModelLocations
  package nonisolated let precision: Precision
  /// How often a job went on after a step.
  package nonisolated let steps = Atomic(0)
  /// The turns of jobs; previews have a queue of their own.
  package nonisolated let turns: TurnQueue
  private nonisolated let previewTurns: TurnQueue
  private let prefixes: PromptPrefixes
  private var models: LoadedModels?
  /// The versions of the models that are loaded, so that who asks for them does not wait for a job's step.
  private nonisolated let knownVersions = Mutex<[String: String]?>(nil)

  /// - Parameters:
  ///   - files: where the models are found; nil paths keep those of the store.
  ///   - precision: how all jobs compute.
  ///   - queue: how many jobs may wait besides the running one; as many previews may wait.
  ///   - prefixes: where prompts are kept from run to run.
  package init(
    store: Store, files: ModelLocations, precision: Precision, queue: Int = .max,
    prefixes: PromptPrefixes = PromptPrefixes()
  ) {
    (self.store, self.files, self.precision, self.prefixes) = (store, files, precision, prefixes)
    (turns, previewTurns) = (TurnQueue(limit: queue), TurnQueue(limit: queue))
  }

  package nonisolated var identity: EngineIdentity {
    get throws { EngineIdentity(try store.modelPair()) }
  }

  /// Loads the models if they are not loaded yet.
  package func load(_ progress: @escaping @Sendable (String) -> Void) throws -> String {
    try loaded(progress).context.pair.chat
  }

  package nonisolated func versions() async throws -> [String: String] {
    if let known = knownVersions.withLock({ $0 }) { return known }
    return try await loadedVersions()
  }

  private func loadedVersions() throws -> [String: String] { try loaded { _ in }.context.versions }

  package nonisolated func events<J: Job>(
    of job: J, loading: @escaping @Sendable (String) -> Void
  ) -> AsyncThrowingStream<J.Event, any Error> {
    events(ofTask: job, loading: loading)
  }

  /// Does any work for the models; see `events(of:loading:)`.
  package nonisolated func events<T: ModelTask>(
    ofTask task: T, loading: @escaping @Sendable (String) -> Void = { _ in }
  ) -> AsyncThrowingStream<T.Event, any Error> {
    stream { continuation in
      try await (T.isPreview ? self.previewTurns : self.turns).take {
        try await self.run(task, loading) { continuation.yield($0) }
      }
    }
  }

  package nonisolated func failure(_ unexpected: UnexpectedAnswer?) -> any Error { CancellationError() }

  /// Ends the running job within one token and refuses waiting and new ones.
  package func stop() async {
    await turns.close()
    await previewTurns.close()
  }

  private func run<T: ModelTask>(
    _ task: T, _ loading: @Sendable (String) -> Void, _ tell: @Sendable (T.Event) -> Void
  ) async throws {
    do {
      var work = try task.begin(on: loaded(loading))
      while try work.step(tell) {
        steps.add(1, ordering: .relaxed)
        // The other lane gets its turn here.
        await Task.yield()
        try Task.checkCancellation()
      }
    } catch InferenceError.cancelled, DiffingError.file(.cancelled) {
      throw CancellationError()
    }
  }

  private func loaded(_ progress: (String) -> Void) throws -> LoadedModels {
    if let models {
      do {
        try models.context.engine.checkFiles()
        return models
      } catch {
        // The files may have changed: they are loaded again and checked against the store, and all kept results go.
        self.models = nil
        knownVersions.withLock { $0 = nil }
        prefixes.removeAll()
      }
    }
    let context = try SteeringContext.load(store: store, files: files, precision: precision, progress: progress)
    let loaded = LoadedModels(context: context, store: store, prefixes: prefixes)
    models = loaded
    knownVersions.withLock { $0 = context.versions }
    return loaded
  }
}
