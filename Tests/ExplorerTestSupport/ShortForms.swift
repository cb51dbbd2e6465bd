// Short forms of requests, effects and events, as tests write them.

import Diffing
import Inference

@testable import Experiments
@testable import Explorer

extension SteeringRequest {
  package init(
    prompt: String, turns: [ChatMessage] = [], interventions: [Intervention], positions: TokenPositions = .all,
    decoder: PairModel = .chat, blocks: SteeredBlocks = .own, unit: StrengthUnit = .maxActivation,
    conditions: [SteeringCondition] = [], maxTokens: Int, temperature: Double, seed: UInt64, topP: Double = 1,
    minP: Double = 0, frequencyPenalty: Double = 0, samples: Int = 1, watched: [String] = [],
    freezesAttention: Bool = false
  ) {
    self.init(
      prompt: prompt, turns: turns,
      plan: SteeringPlan(
        interventions: interventions, positions: positions, decoder: decoder, blocks: blocks, unit: unit,
        conditions: conditions),
      sampling: GenerationSettings(
        maxTokens: maxTokens, temperature: temperature, seed: seed, topP: topP, minP: minP,
        frequencyPenalty: frequencyPenalty, samples: samples),
      watched: watched, freezesAttention: freezesAttention)
  }
}

extension SteeringEvent {
  package static func baseline(_ text: String, sample: Int = 0) -> SteeringEvent {
    .token(.baseline, text, sample: sample)
  }
  package static func steered(_ text: String, sample: Int = 0) -> SteeringEvent {
    .token(.steered, text, sample: sample)
  }
  package static func frozen(_ text: String, sample: Int = 0) -> SteeringEvent { .token(.frozen, text, sample: sample) }
}

extension Effect {
  package static func run(_ request: SteeringRequest, number: Int) -> Effect { .start(.run(request), number: number) }
  package static func preview(_ request: SteeringRequest, number: Int) -> Effect {
    .start(.preview(request), number: number)
  }
  package static func check(_ latent: Int, number: Int) -> Effect { .start(.causalCheck(latent), number: number) }
  package static func read(_ job: TextActivationsJob, number: Int) -> Effect {
    .start(.textActivations(job), number: number)
  }
  package static var cancelRun: Effect { .cancel(.steering) }
  package static var cancelReading: Effect { .cancel(.textActivations) }
  package static var cancelCheck: Effect { .cancel(.causalCheck) }
}

extension ExplorerEvent {
  package static func steering(_ event: SteeringEvent, number: Int) -> ExplorerEvent {
    job(.run(event), .steering, number)
  }
  package static func runFailed(_ reason: String, number: Int) -> ExplorerEvent {
    job(.failed(reason), .steering, number)
  }
  package static func swept(_ event: SweepEvent, number: Int) -> ExplorerEvent { job(.sweep(event), .steering, number) }
  package static func sweptSet(_ event: PromptSetEvent, number: Int) -> ExplorerEvent {
    job(.promptSet(event), .steering, number)
  }
  package static func previewed(_ event: PreviewEvent, number: Int) -> ExplorerEvent {
    job(.preview(event), .preview, number)
  }
  package static func previewFailed(_ reason: String, number: Int) -> ExplorerEvent {
    job(.failed(reason), .preview, number)
  }
  package static func read(_ event: TextActivationsEvent, number: Int) -> ExplorerEvent {
    job(.textActivations(event), .textActivations, number)
  }
  package static func readingFailed(_ reason: String, number: Int) -> ExplorerEvent {
    job(.failed(reason), .textActivations, number)
  }
  package static func checked(_ event: CausalCheckEvent, number: Int) -> ExplorerEvent {
    job(.causalCheck(event), .causalCheck, number)
  }
  package static func checkFailed(_ reason: String, number: Int) -> ExplorerEvent {
    job(.failed(reason), .causalCheck, number)
  }
  package static func answersFailed(_ reason: String, number: Int) -> ExplorerEvent {
    job(.failed(reason), .answerActivations, number)
  }

  private static func job(_ event: JobEvent, _ kind: ExplorerJob.Kind, _ number: Int) -> ExplorerEvent {
    .job(event, JobID(kind: kind, number: number))
  }
}

extension Laboratory {
  package func events<J: Job>(of job: J) -> AsyncThrowingStream<J.Event, any Error> {
    events(of: job, loading: { _ in })
  }

  package func run(_ request: SteeringRequest) -> AsyncThrowingStream<SteeringEvent, any Error> {
    events(of: SteeringJob(request))
  }

  /// As the explorer sweeps.
  package func sweep(_ request: SteeringRequest, _ withControl: Bool) -> AsyncThrowingStream<SweepEvent, any Error> {
    var request = request
    request.strengths = SteerSweep.strengths
    return events(of: SweepJob(request, withControl: withControl))
  }

  package func sweepSet(
    _ request: SteeringRequest, _ choice: PromptSetChoice
  ) throws -> AsyncThrowingStream<PromptSetEvent, any Error> {
    var request = request
    request.strengths = PromptSetJob.usualStrengths
    let prompts = try SetPrompt.read(choice.path).spread(choice.most)
    return events(of: PromptSetJob(request, prompts: prompts, name: choice.path, random: choice.random))
  }

  package func preview(_ request: SteeringRequest) -> AsyncThrowingStream<PreviewEvent, any Error> {
    events(of: PreviewJob(request))
  }

  package func check(_ latent: Int) -> AsyncThrowingStream<CausalCheckEvent, any Error> {
    events(of: CausalCheckJob(latent, size: .interactive))
  }
}

extension LoadedModels {
  /// Does a job here and now.
  package func outcome<J: Job>(of job: J) throws -> J.Answer.Outcome {
    var answer = job.answer(from: EngineIdentity(context.pair))
    var steps = try job.begin(on: self)
    var events: [J.Event] = []
    while try steps.step({ events.append($0) }) {}
    for event in events { try answer.take(event) }
    guard let outcome = answer.outcome else { throw CancellationError() }
    return outcome
  }
}
