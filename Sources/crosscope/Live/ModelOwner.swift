// The one owner of loaded models and running experiments in an interactive program.
// Owns: a serial queue of its own, so that neither the terminal nor Swift's small thread pool ever waits for a model.
// Each step is one token of every stream: cancelling a run costs at most that.

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

/// Owns the models of one store and the steering run in progress.
actor ModelOwner {
  private let executor = ComputeExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  let store: Store
  private let files: ModelLocations
  nonisolated let precision: Precision
  /// How often the models were asked to go on: a token of every stream, a pass over a text, a text of a check.
  nonisolated let steps = Atomic(0)
  /// Prompts that were computed up to the steered block: another strength re-runs only what is above.
  let prefixes: PromptPrefixes
  private var context: SteeringContext?
  /// What `crosscope serve` is answering of chat completions.
  var answering: Answering?
  private var trace: TraceRun?
  private var traceNumber = 0
  private var check: CausalCheck?
  private var checkNumber = 0
  /// A sweep over a set of prompts.
  var setSweep: PromptSetSweep?
  var setNumber = 0
  private var run: Run?
  /// Counts the runs: what still asks for a former one gets nothing, and does not disturb the present one.
  private var runNumber = 0
  private var preview: Preview?
  /// The chat of the last preview as chat reads it unsteered.
  private var unsteered: UnsteeredPrompt?

  /// The run in progress.
  private struct Run {
    var prompt: String
    var experiment: SteeringExperiment
    var steering: SteeringRun
    var texts: [GeneratedText]
    var traced: [Int32]
    /// Of each stream, the tokens whose activations were told.
    var told: [Int]
    var hasReadLastTokens = false
  }

  /// The last preview asked for.
  private struct Preview {
    var number: Int
    var steering: SteeringPreview
    var text: GeneratedText
  }

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

  func countStep() { steps.add(1, ordering: .relaxed) }

  func loaded(_ progress: (String) -> Void = { _ in }) throws -> SteeringContext {
    if let context {
      do {
        try context.engine.checkFiles()
        return context
      } catch {
        // What is there now is loaded, where it is what the store names; what was computed with the former goes with it.
        (self.context, unsteered, preview) = (nil, nil, nil)
        prefixes.removeAll()
      }
    }
    let loaded = try SteeringContext.load(
      store: store, files: files, precision: precision, progress: progress)
    context = loaded
    return loaded
  }

  func experiment(_ request: SteeringRequest, strengths: [Double] = [1]) throws -> SteeringExperiment {
    try SteeringExperiment(
      context: loaded(), store: store,
      interventions: request.planned, parameters: request.parameters, strengths: strengths, watch: request.watched,
      freezesAttention: request.freezesAttention, prefixes: prefixes)
  }

  /// Begins a run in place of any other; nothing is computed yet.
  /// - Parameter strengths: one arm each; they multiply those of the latents.
  /// - Returns: the run's number, by which to ask for it.
  func begin(_ request: SteeringRequest, strengths: [Double] = [1]) throws -> Int {
    let experiment = try experiment(request, strengths: strengths)
    // Without base the answers come all the same; asking for the activations afterwards says why there are none.
    let traced = experiment.context.isTraceable ? request.traced : []
    let steering = try experiment.begin(request.prompt, reading: traced.map { Int($0) })
    let streams = request.samples * steering.arms
    let text = GeneratedText(tokenizer: experiment.context.engine.tokenizer)
    run = Run(
      prompt: request.prompt, experiment: experiment, steering: steering,
      texts: [GeneratedText](repeating: text, count: streams), traced: traced,
      told: [Int](repeating: 0, count: streams))
    runNumber += 1
    return runNumber
  }

  /// One token of every stream, and activations that are known by then; after the last token those that are left.
  /// - Returns: what they say, or nil when all have ended.
  func step(_ number: Int) throws -> [SteeringEvent]? {
    guard number == runNumber, let steering = run?.steering else { return nil }
    guard !steering.isFinished else {
      guard run?.traced.isEmpty == false, run?.hasReadLastTokens == false else { return nil }
      try steering.readLastTokens()
      run?.hasReadLastTokens = true
      return newActivations(steering)
    }
    countStep()
    let tokens = try steering.step().map { token in
      var text = run?.texts[token.stream].append(token.id) ?? ""
      if token.isLast { text += run?.texts[token.stream].finish() ?? "" }
      let (sample, arm) = place(of: token.stream, steering)
      return switch arm {
      case .baseline: SteeringEvent.baseline(text, sample: sample)
      case .steered: SteeringEvent.steered(text, sample: sample)
      case .frozen: SteeringEvent.frozen(text, sample: sample)
      }
    }
    return tokens + newActivations(steering)
  }

  /// The answer that a stream gives. Of a sweep all steered streams count as one; nobody looks at them token by token.
  private func place(of stream: Int, _ steering: SteeringRun) -> (sample: Int, arm: AnswerArm) {
    let (sample, arm) = stream.quotientAndRemainder(dividingBy: steering.arms)
    return (sample, AnswerArm.allCases.indices.contains(arm) ? AnswerArm.allCases[arm] : .steered)
  }

  /// The activations that were read since they were last told, in the store's units.
  private func newActivations(_ steering: SteeringRun) -> [SteeringEvent] {
    guard let run, !run.traced.isEmpty else { return [] }
    var events: [SteeringEvent] = []
    for stream in run.told.indices {
      let read = steering.activations(stream)
      let (sample, arm) = place(of: stream, steering)
      for token in read.dropFirst(run.told[stream]) {
        let values = zip(run.traced, token).map {
          Double(run.experiment.context.inStoreUnits($1, of: Int($0)))
        }
        events.append(.activations(values, arm, sample: sample))
      }
      self.run?.told[stream] = read.count
    }
    return events
  }

  /// What a run has come to, with what is measured of its answers; nil if another has begun. The run is forgotten.
  /// - Parameter progress: how many texts are scored, of how many.
  func document(
    _ number: Int, tokensPerSecond: Double?, progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> SteeringDocument? {
    guard number == runNumber, let run else { return nil }
    self.run = nil
    var document = try run.experiment.document(run.prompt, of: run.steering, progress: progress)
    document.outputs.tokensPerSecond = tokensPerSecond
    return document
  }

  /// Forgets the run, unless another one has begun.
  func end(_ number: Int) {
    if number == runNumber { run = nil }
  }

  // MARK: Traces

  /// Begins a trace in place of any other; nothing of it is computed yet.
  /// - Returns: the trace's number, by which to ask for it.
  func beginTrace(_ request: TraceRequest, progress: @Sendable (String) -> Void) throws -> Int {
    let context = try loaded(progress)
    try context.requireTraceable(store: store)
    trace = try TraceRun(
      context: context, text: request.source.rendered(by: context.engine), answerTokens: request.answerTokens)
    traceNumber += 1
    return traceNumber
  }

  /// One pass over the text, or one token of the answer.
  /// - Returns: nil when it has ended, or another one has begun.
  func stepTrace(_ number: Int) throws -> TraceEvent? {
    guard number == traceNumber, let tokenizer = context?.engine.tokenizer else { return nil }
    countStep()
    guard let tokens = try trace?.step() else {
      trace = nil
      return nil
    }
    return .tokens(tokens, names: tokenizer.names(of: tokens))
  }

  /// Forgets the trace, unless another one has begun.
  func endTrace(_ number: Int) {
    if number == traceNumber { trace = nil }
  }

  // MARK: Causal checks

  /// Begins a check of one latent in place of any other; nothing of it is computed yet.
  /// - Returns: the check's number, by which to ask for it.
  func beginCheck(_ latent: Int32, _ size: CausalCheck.Size, progress: @Sendable (String) -> Void) throws -> Int {
    check = try CausalCheck(latent, size: size, context: loaded(progress), store: store)
    checkNumber += 1
    return checkNumber
  }

  /// The next prompt or context.
  /// - Returns: nil if another one has begun.
  func stepCheck(_ number: Int) throws -> CheckEvent? {
    countStep()
    guard number == checkNumber, let report = try check?.step() else {
      return number == checkNumber ? check.map { .progress(done: $0.done, of: $0.total) } : nil
    }
    check = nil
    return .finished(report)
  }

  /// Forgets the check, unless another one has begun.
  func endCheck(_ number: Int) {
    if number == checkNumber { check = nil }
  }

  // MARK: Live steering

  /// The request with random living latents in the places of its own, each with the same norm of the change.
  /// - Throws: `CommandError.inputInvalid` for modes whose change has no norm of its own.
  func control(of request: SteeringRequest) throws -> SteeringRequest {
    try request.withRandomLatents(experiment(request), store)
  }

  /// The scaled activations of some latents at each token of the answers, in the store's units; 0 where a code means
  /// nothing.
  func trace(_ request: AnswerTraceRequest) throws -> AnswerTrace {
    let experiment = try experiment(request.run)
    let context = experiment.context
    try context.requireTraceable(store: store)
    let prompt = try experiment.rendered(request.run.prompt)
    func activations(_ answer: [Int32]) throws -> [[Double]] {
      let trace = try TextActivations(
        engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, candidates: 1)
      let mask = prompt.templateMask + [Bool](repeating: false, count: answer.count)
      let tokens = try trace.append(prompt.ids + answer, templateMask: mask).suffix(answer.count)
      return request.latents.map { latent in
        tokens.map { token in
          let value = token.activations.first { $0.latent == Int(latent) }?.value ?? 0
          return Double(context.inStoreUnits(value, of: Int(latent)))
        }
      }
    }
    return AnswerTrace(
      baseline: try activations(request.baseline), steered: try activations(request.steered),
      frozen: try request.frozen.map(activations) ?? [])
  }

  /// What a request makes of the token after the prompt, in place of any other preview. Blocks up to the crosscoder's
  /// are computed once a prompt.
  /// - Returns: with it the preview's number, by which to ask for the tokens that follow.
  func preview(_ request: SteeringRequest) throws -> (number: Int, tokens: NextTokens) {
    let experiment = try experiment(request)
    let (engine, layer) = (experiment.context.engine, experiment.context.pair.layer)
    let prompt = try experiment.rendered(request.prompt)
    let read: UnsteeredPrompt
    if let unsteered, unsteered.prompt == prompt {
      read = unsteered
    } else {
      read = try UnsteeredPrompt(engine: engine, layer: layer, prompt: prompt, prefixes: prefixes)
      unsteered = read
    }
    let steering = try SteeringPreview(
      engine: engine, crosscoder: experiment.context.crosscoder, unsteered: read, plan: experiment.plans[0],
      prefixes: prefixes, maxActivations: { experiment.maxActivations[$0] })
    let shift = try steering.shift(count: NextTokens.count)
    let number = (preview?.number ?? 0) + 1
    preview = Preview(number: number, steering: steering, text: GeneratedText(tokenizer: engine.tokenizer))
    func named(_ tokens: [NextTokenShift.Token]) -> [NextTokens.Token] {
      tokens.map {
        NextTokens.Token(text: engine.tokenizer.decode([$0.id]), unsteered: $0.unsteered, steered: $0.steered)
      }
    }
    let tokens = NextTokens(
      likelyUnsteered: named(shift.likelyUnsteered), likelySteered: named(shift.likelySteered),
      divergence: shift.divergence, relativeChange: shift.size.relative)
    return (number, tokens)
  }

  /// The next token of a preview's steered answer as text; nil when it has ended, or another preview has begun.
  func previewToken(_ number: Int) throws -> String? {
    countStep()
    guard number == preview?.number, let id = try preview?.steering.next() else { return nil }
    return preview?.text.append(id)
  }
}
