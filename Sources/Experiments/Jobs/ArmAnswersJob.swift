// This job answers prompts under any list of steering plans, the arms of an experiment (POST /v1/arms). A set of prompts has
// strengths and random latents (PromptSetJob); here every arm is a plan of its own, and each may be compared with base.

import Diffing
import Inference
import Storage

/// One arm of an experiment: a plan and its name.
package struct NamedPlan: Sendable, Equatable {
  /// The arm's name in the report.
  package var name: String
  package var plan: SteeringPlan

  package init(_ name: String, _ plan: SteeringPlan) { (self.name, self.plan) = (name, plan) }
}

extension NamedPlan: Codable {
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: SteeringPlan.fieldNames + ["name"])
    self.init(try fields.required("name"), try SteeringPlan(fields))
    try plan.checkRequest(fields)
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(name, "name")
    try plan.write(to: &fields)
  }
}

/// Answers prompts unsteered and under every arm.
package struct ArmAnswersJob: Job {
  package var prompts: [SetPrompt]
  package var arms: [NamedPlan]
  package var sampling: GenerationSettings
  /// Whether each answer's arm is also compared with base, along base's answer (`SteeredAnswer.klToBase`).
  package var comparesWithBase: Bool

  package init(
    prompts: [SetPrompt], arms: [NamedPlan], sampling: GenerationSettings, comparesWithBase: Bool = false
  ) {
    (self.prompts, self.arms, self.sampling) = (prompts, arms, sampling)
    self.comparesWithBase = comparesWithBase
  }

  package static let path = "/v1/arms"
  package static let fieldNames =
    ["prompts", "arms", "compare_with_base"] + GenerationSettings.fieldNames.filter { $0 != "samples" }
  package var textField: String { "prompts" }
  package var latentsField: String { "arms" }

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    self.init(
      prompts: try fields.required("prompts"), arms: try fields.required("arms"),
      sampling: try GenerationSettings(fields, usual: GenerationSettings()),
      comparesWithBase: try fields.value("compare_with_base") ?? false)
    guard !prompts.isEmpty else { throw fields.invalid("prompts", "expected at least one") }
    guard (1..<AnswerLimits.mostStreams).contains(arms.count) else {
      throw fields.invalid("arms", "expected 1 to \(AnswerLimits.mostStreams - 1), found \(arms.count)")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(prompts, "prompts")
    try fields.write(arms, "arms")
    try fields.write(comparesWithBase, "compare_with_base")
    try sampling.write(to: &fields, hasSamples: false)
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    sampling.maxTokens = try limits.length(sampling.maxTokens, isOpenEnded: false)
    try store.check(arms.flatMap { $0.plan.interventions.map(\.latent) }, field: "arms")
  }

  package func begin(on models: LoadedModels) throws -> ArmAnswersSteps { try ArmAnswersSteps(self, models) }
  package func answer(from identity: EngineIdentity) -> ArmAnswersAnswer { ArmAnswersAnswer(self) }
}

/// One prompt's answers: the unsteered one, then each arm's.
package struct ArmAnswers: Codable, Sendable, Equatable {
  package var prompt: SetPrompt
  package var answers: [SteeredAnswer]
}

/// An event of such a run.
package enum ArmAnswersEvent: Sendable, Equatable {
  /// The numbers of answered prompts and of all prompts.
  case progress(done: Int, of: Int)
  /// The answers to the next prompt.
  case answered(ArmAnswers)
}

extension ArmAnswersEvent: Codable {
  private enum Key: CodingKey { case progress, answered }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let progress = try fields.decodeIfPresent(JobProgress.self, forKey: .progress) {
      self = .progress(done: progress.done, of: progress.of)
    } else {
      self = .answered(try fields.decode(ArmAnswers.self, forKey: .answered))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .progress(let done, let total): try fields.encode(JobProgress(done: done, of: total), forKey: .progress)
    case .answered(let answers): try fields.encode(answers, forKey: .answered)
    }
  }
}

/// Prompts in progress. One step is a prompt.
package struct ArmAnswersSteps: TaskSteps {
  private let prompts: [SetPrompt]
  private let rendered: [RenderedChat]
  private let answers: SteeredAnswers
  private var next = 0

  init(_ job: ArmAnswersJob, _ models: LoadedModels) throws {
    let context = models.context
    try context.requireBase(store: models.store)
    prompts = job.prompts
    rendered = try prompts.map { try context.engine.encodeChat($0.messages, addGenerationPrompt: true) }
    let latents = Set(job.arms.flatMap { $0.plan.interventions.map(\.latent) })
    let maxima = try context.maxActivations(of: latents.sorted(), in: models.store)
    answers = try SteeredAnswers(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer,
      plans: job.arms.map { context.inResidualUnits(try models.store.lookingUp($0.plan)) }, settings: job.sampling,
      comparesWithBase: job.comparesWithBase, maxActivations: { maxima[$0] })
  }

  package mutating func step(_ tell: (ArmAnswersEvent) -> Void) throws -> Bool {
    if next == 0 { tell(.progress(done: 0, of: prompts.count)) }
    tell(.answered(ArmAnswers(prompt: prompts[next], answers: try answers.answer(rendered[next]))))
    next += 1
    tell(.progress(done: next, of: prompts.count))
    return next < prompts.count
  }
}

/// The answers, which are accepted if they are those to the prompts that were sent, in all arms.
package struct ArmAnswersAnswer: JobAnswer {
  private let job: ArmAnswersJob
  private var answers: [ArmAnswers] = []

  init(_ job: ArmAnswersJob) { self.job = job }

  package var outcome: [ArmAnswers]? { answers.count == job.prompts.count ? answers : nil }

  package mutating func take(_ event: ArmAnswersEvent) throws(UnexpectedAnswer) {
    guard case .answered(let found) = event else { return }
    guard answers.count < job.prompts.count, found.prompt == job.prompts[answers.count],
      found.answers.count == job.arms.count + 1
    else { throw UnexpectedAnswer("answers to something else") }
    answers.append(found)
  }
}
