// The one owner of loaded models and running experiments in an interactive program.
// Owns: a serial queue of its own, so that neither the terminal nor Swift's small thread pool ever waits for a model.
// Each step is one token of every stream: cancelling a run costs at most that.

import Diffing
import Dispatch
import Inference
import Kernels
import Storage

/// Runs an actor's jobs one after another on a queue of their own.
private final class ComputeExecutor: SerialExecutor {
  private let queue = DispatchQueue(label: "crosscope.compute", qos: .userInitiated)

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedSerialExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}

/// Owns the models of one store and the steering run in progress.
actor ModelOwner {
  private let executor = ComputeExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  let store: Store
  private let files: ModelLocations
  let precision: Precision
  /// Prompts that were computed up to the steered block: another strength re-runs only what is above.
  let prefixes: PromptPrefixes
  private var context: SteeringContext?
  /// What `crosscope serve` is answering.
  var answering: Answering?
  private var run: SteeringRun?
  private var texts: [GeneratedText] = []
  /// Counts the runs: what still asks for a former one gets nothing, and does not disturb the present one.
  private var runNumber = 0

  /// - Parameters:
  ///   - files: where to find the models, if not where the store says.
  ///   - precision: how all runs compute.
  ///   - prefixes: where prompts are kept from run to run.
  init(store: Store, files: ModelLocations, precision: Precision, prefixes: PromptPrefixes = PromptPrefixes()) {
    (self.store, self.files, self.precision, self.prefixes) = (store, files, precision, prefixes)
  }

  /// Loads the models if they are not loaded yet.
  /// - Returns: the chat model's name.
  func load(progress: @Sendable (String) -> Void) throws -> String { try loaded(progress).pair.chat }

  func loaded(_ progress: (String) -> Void = { _ in }) throws -> SteeringContext {
    if let context { return context }
    let loaded = try SteeringContext.load(
      store: store, files: files, precision: precision, progress: progress)
    context = loaded
    return loaded
  }

  /// Begins a run in place of any other; nothing is computed yet.
  /// - Returns: the run's number, by which to ask for it.
  func begin(prompt: String, plan: SteeringPlan, settings: GenerationSettings) throws -> Int {
    let context = try loaded()
    let latents = try store.latents(ids: plan.interventions.map { Int32($0.latent) })
    let largest = Dictionary(latents.map { (Int($0.id), $0.maxActivation) }, uniquingKeysWith: { a, _ in a })
    if plan.needsBase(context.crosscoder) {
      try context.requireBase(store: store, otherwise: SteeringContext.withoutBase)
    }
    run = try SteeringRun(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer,
      prompt: context.engine.encodePrompt(prompt), plans: [plan], settings: settings,
      prefixes: prefixes, maxActivations: { context.activation(largest[$0] ?? nil, of: $0) })
    texts = [GeneratedText](repeating: GeneratedText(tokenizer: context.engine.tokenizer), count: 2)
    runNumber += 1
    return runNumber
  }

  /// One token of both streams.
  /// - Returns: text pieces by stream (0 baseline, 1 steered), or nil when both have ended.
  func step(_ number: Int) throws -> [(stream: Int, text: String)]? {
    guard number == runNumber, let run, !run.isFinished else { return nil }
    return try run.step().map { token in
      var piece = texts[token.stream].append(token.id)
      if token.isLast { piece += texts[token.stream].finish() }
      return (token.stream, piece)
    }
  }

  /// What the run has come to, and what an experiment records of the program and the models; nil if another has begun.
  func info(_ number: Int, tokensPerSecond: Double?) -> SteeringInfo? {
    guard number == runNumber, let run, let pair = context?.pair else { return nil }
    return SteeringInfo(
      tokensPerSecond: tokensPerSecond, relativeChange: run.size(ofPlan: 0).relative, layer: pair.layer,
      decoder: "chat", baseline: run.produced(SteeringRun.baseline), steered: run.produced(SteeringRun.baseline + 1),
      baselineEnded: run.ended(SteeringRun.baseline), steeredEnded: run.ended(SteeringRun.baseline + 1),
      versions: versions(pair))
  }

  /// What computed a run: the program and the files, by their SHA-256.
  func versions(_ pair: ModelPair) -> [String: String] {
    [
      "program": "crosscope \(Crosscope.configuration.version)", "model": pair.model?.sha256 ?? "",
      "adapter": pair.adapter?.sha256 ?? "", "base_model": pair.baseModel?.sha256 ?? "",
      "crosscoder": pair.crosscoder?.sha256 ?? "",
      "precision": precision.rawValue, "kernels": Compute.kernelLevel,
    ]
  }

  /// Forgets the run, unless another one has begun.
  func end(_ number: Int) {
    if number == runNumber { run = nil }
  }
}
