// A laboratory without models: its answers, figures and activations are made up, the same each time.

import Diffing
import Storage

@testable import Experiments
@testable import Explorer

/// Does jobs by a script.
package struct ScriptedLaboratory: Laboratory {
  package struct Broken: Error, CustomStringConvertible { package let description: String }

  package var loads = true
  /// Steering fails in the midst of its answers.
  package var breaks = false
  /// A text's activations fail after the first tokens.
  package var breaksTexts = false
  /// False leaves a text under way when all tokens have come.
  package var endsTexts = true
  /// A causal check fails after the first text.
  package var breaksChecks = false

  package static let baselineAnswer = ["Building", " a", " bomb", " is", " complex", ".", " Here", " is", " how", "."]
  package static let frozenAnswer = ["Building", " is", " not", " allowed", "."]
  package static let steeredAnswer = [
    "I", " am", " sorry", ",", " but", " I", " cannot", " help", " with", " that", ".",
  ]

  package func load(_ progress: @escaping @Sendable (String) -> Void) async throws -> String {
    guard loads else { throw Broken(description: "model.gguf: no such file; give it with --model") }
    progress("loading 50 %")
    return "SmolLM2-135M-chat"
  }

  package func versions() -> [String: String] { ["crosscope": "0.1.0"] }

  package var identity: EngineIdentity { get throws { throw Broken(description: "there are no files") } }

  package func failure(_ unexpected: UnexpectedAnswer?) -> any Error { Broken(description: "no answer") }

  package func events<J: Job>(
    of job: J, loading: @escaping @Sendable (String) -> Void
  ) -> AsyncThrowingStream<J.Event, any Error> {
    AsyncThrowingStream { stream in
      func tell<Event>(_ event: Event) { if let event = event as? J.Event { stream.yield(event) } }
      do {
        switch job {
        case let job as SteeringJob: try run(job.request) { tell($0) }
        case let job as SweepJob: try sweep(job) { tell($0) }
        case let job as PromptSetJob: try promptSet(job) { tell($0) }
        case let job as PreviewJob: try preview(job.request) { tell($0) }
        case let job as AnswerActivationsJob: tell(try activations(job))
        case let job as TextActivationsJob:
          loading("loading the models")
          try text(job) { tell($0) }
        case let job as CausalCheckJob:
          loading("loading the models")
          try check(job) { tell($0) }
        default: break
        }
        stream.finish()
      } catch {
        stream.finish(throwing: error)
      }
    }
  }

  private func breakOff() throws {
    if breaks { throw Broken(description: "layer 14: not a number; lower the strength") }
  }

  private func run(_ request: SteeringRequest, _ tell: (SteeringEvent) -> Void) throws {
    let (baseline, steered, frozen) = (Self.baselineAnswer, Self.steeredAnswer, Self.frozenAnswer)
    for sample in 0..<request.sampling.samples {
      for index in 0..<max(baseline.count, steered.count) {
        if baseline.indices.contains(index) { tell(.baseline(baseline[index], sample: sample)) }
        if steered.indices.contains(index) { tell(.steered(steered[index], sample: sample)) }
        if request.freezesAttention, frozen.indices.contains(index) { tell(.frozen(frozen[index], sample: sample)) }
        for (arm, answer) in [(AnswerArm.baseline, baseline), (.steered, steered)] {
          guard !request.traced.isEmpty, answer.indices.contains(index) else { continue }
          tell(.activations(request.traced.map { Double(index) * Double($0) }, arm, sample: sample))
        }
      }
    }
    try breakOff()
    tell(.answered)
    tell(.finished(Self.document(request)))
  }

  private func sweep(_ job: SweepJob, _ tell: (SweepEvent) -> Void) throws {
    try breakOff()
    tell(.tokens(3))
    tell(.scored(4, of: 8))
    tell(.finished(Self.document(job.request)))
    guard job.withControl else { return }
    var control = job.request
    control.plan.interventions = control.plan.interventions.map {
      Intervention(latent: $0.latent + 1, mode: .add, strength: $0.strength / 4)
    }
    tell(.control(Self.document(control)))
  }

  private func promptSet(_ job: PromptSetJob, _ tell: (PromptSetEvent) -> Void) throws {
    tell(.progress(done: 1, of: 3))
    try breakOff()
    tell(.finished(.scripted(job.request, PromptSetChoice(path: job.name, most: 3, random: job.random))))
  }

  private func preview(_ request: SteeringRequest, _ tell: (PreviewEvent) -> Void) throws {
    try breakOff()
    tell(.distribution(Self.nextTokens(request)))
    for text in Self.steeredAnswer.prefix(3) { tell(.token(text)) }
  }

  private func activations(_ job: AnswerActivationsJob) throws -> AnswerActivationsEvent {
    if breaks { throw Broken(description: "no base") }
    func activations(_ ids: [Int32]) -> [[Double]] {
      job.latents.map { latent in ids.map { Double($0) * Double(latent) } }
    }
    return AnswerActivationsEvent(
      activations: AnswerActivations(
        baseline: activations(job.baseline), steered: activations(job.steered),
        frozen: job.frozen.map(activations) ?? []))
  }

  private func check(_ job: CausalCheckJob, _ tell: (CausalCheckEvent) -> Void) throws {
    tell(.progress(done: 1, of: 12))
    if breaksChecks { throw Broken(description: "no base: give --adapter") }
    tell(.finished(.scripted(job.latent)))
  }

  private func text(_ job: TextActivationsJob, _ tell: (TextActivationsEvent) -> Void) throws {
    var script = ScriptedTokens()
    tell(script.event(script.words(of: job.source)))
    if breaksTexts { throw Broken(description: "text length should be at most 8 tokens") }
    guard endsTexts else { return }
    for word in ["I", " cannot", " help", ".", "<|im_end|>"].prefix(job.answerTokens) {
      tell(script.event([(word, word == "<|im_end|>")]))
    }
    tell(.finished(seconds: 0.25, .fast))
  }
}

extension ScriptedLaboratory {
  /// What is measured of those answers; of several samples each has a divergence of its own.
  package static func document(_ request: SteeringRequest) -> SteeringDocument {
    func answer(_ tokens: [String], strength: Double?) -> SteeringDocument.Answer {
      let samples = (0..<request.sampling.samples).map { sample in
        let kl = strength.map { strength in tokens.indices.map { 1 / Double($0 + 1) * abs(strength + Double(sample)) } }
        return SteeringDocument.Sample(
          seed: request.sampling.seed + UInt64(sample), text: tokens.joined(), ids: tokens.indices.map { Int32($0) },
          logProbabilities: tokens.indices.map { -0.1 * Double($0 + 1) }, finished: true,
          relativeChange: strength.map { 0.31 * abs($0) }, firstDifference: strength.map { _ in 0 }, kl: kl,
          klMean: kl.map { $0.reduce(0, +) / Double($0.count) }, logPerplexity: 1 + abs(strength ?? 0), repetition: 0.05
        )
      }
      return SteeringDocument.Answer(
        strength: strength, samples: samples,
        watched: request.watched.map {
          SteeringDocument.Watched(text: $0, logProbability: -12.5 + 4 * (strength ?? 0))
        })
    }
    return SteeringDocument(
      request: request.recorded, basis: SteeringBasis(layer: 14),
      outputs: SteeringDocument.Outputs(
        baseline: answer(baselineAnswer, strength: nil),
        steered: request.strengths.map { answer(steeredAnswer, strength: $0) },
        frozenAttention: request.freezesAttention
          ? request.strengths.map { answer(frozenAnswer, strength: $0) } : nil,
        tokensPerSecond: 41.2),
      versions: ["crosscope": "0.1.0"])
  }

  /// The stronger, the likelier a refusal.
  package static func nextTokens(_ request: SteeringRequest) -> NextTokens {
    let strength = request.plan.interventions.reduce(0) { $0 + $1.strength }
    let share = min(max(0, 0.2 * strength), 1)
    let tokens = ["Building", "I", " The", "\n", "Sure", ",", " a", "<|im_end|>"].enumerated().map { index, text in
      let unsteered = 0.5 / Double(1 << index)
      return NextTokens.Token(
        text: text, unsteered: unsteered, steered: (1 - share) * unsteered + (index == 1 ? share : 0))
    }
    return NextTokens(
      likelyUnsteered: tokens, likelySteered: tokens.sorted { $0.steered > $1.steered },
      divergence: 0.4 * strength * strength, relativeChange: 0.3 * abs(strength))
  }
}
