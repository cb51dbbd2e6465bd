// This job answers prompts by chat, by base, and with the change of one block at a time amplified or taken out (POST
// /v1/amplify/blocks). The models' owner knows which blocks there are; the answers come from `ArmAnswersSteps`.

import Diffing
import Inference
import Storage

/// Answers prompts with one block changed at a time.
package struct BlockSweepJob: Job {
  package var prompts: [SetPrompt]
  /// The name of the set in the report.
  package var name: String
  /// λ of the changed block; 0 takes its change out.
  package var factor: Double
  /// Whether attention and MLP are changed one at a time.
  package var splitsModules: Bool
  package var sampling: GenerationSettings

  package init(
    prompts: [SetPrompt], name: String, factor: Double = 0, splitsModules: Bool = false, sampling: GenerationSettings
  ) {
    (self.prompts, self.name, self.factor) = (prompts, name, factor)
    (self.splitsModules, self.sampling) = (splitsModules, sampling)
  }

  package static let path = "/v1/amplify/blocks"
  package static let fieldNames =
    ["prompts", "name", "factor", "modules"] + GenerationSettings.fieldNames.filter { $0 != "samples" }
  package var textField: String { "prompts" }

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    self.init(
      prompts: try fields.required("prompts"), name: try fields.value("name") ?? "prompts",
      factor: try fields.value("factor", in: -Amplification.largest...Amplification.largest) ?? 0,
      splitsModules: try fields.value("modules") ?? false,
      sampling: try GenerationSettings(fields, usual: GenerationSettings()))
    guard !prompts.isEmpty else { throw fields.invalid("prompts", "expected at least one") }
    guard factor != 1 else { throw fields.invalid("factor", "1 is chat; expected another number") }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(prompts, "prompts")
    try fields.write(name, "name")
    try fields.write(factor, "factor")
    try fields.write(splitsModules, "modules")
    try sampling.write(to: &fields, hasSamples: false)
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    sampling.maxTokens = try limits.length(sampling.maxTokens, isOpenEnded: false)
  }

  package func begin(on models: LoadedModels) throws -> BlockSweepSteps { try BlockSweepSteps(self, models) }
  package func answer(from identity: EngineIdentity) -> BlockSweepAnswer { BlockSweepAnswer(job: self) }
}

/// An event of a sweep over blocks.
package enum BlockSweepEvent: Sendable, Equatable {
  /// The arms, chat's first, and what decides the bits of the answers.
  case began([BlockSweep.Arm], versions: [String: String])
  /// The numbers of answered prompts and of all prompts.
  case progress(done: Int, of: Int)
  /// The answers to the next prompt.
  case answered(ArmAnswers)
}

extension BlockSweepEvent: Codable {
  private enum Key: CodingKey { case arms, versions, progress, answered }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let progress = try fields.decodeIfPresent(JobProgress.self, forKey: .progress) {
      self = .progress(done: progress.done, of: progress.of)
    } else if let arms = try fields.decodeIfPresent([BlockSweep.Arm].self, forKey: .arms) {
      self = .began(arms, versions: try fields.decode([String: String].self, forKey: .versions))
    } else {
      self = .answered(try fields.decode(ArmAnswers.self, forKey: .answered))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .began(let arms, let versions):
      try fields.encode(arms, forKey: .arms)
      try fields.encode(versions, forKey: .versions)
    case .progress(let done, let total): try fields.encode(JobProgress(done: done, of: total), forKey: .progress)
    case .answered(let answers): try fields.encode(answers, forKey: .answered)
    }
  }
}

/// A sweep in progress. One step is a prompt.
package struct BlockSweepSteps: TaskSteps {
  private let arms: [BlockSweep.Arm]
  private let versions: [String: String]
  private var steps: ArmAnswersSteps
  private var hasBegun = false

  /// - Throws: `InputError.notSaid` without a pair, `.invalid` if there are more arms than one batch takes.
  fileprivate init(_ job: BlockSweepJob, _ models: LoadedModels) throws {
    try models.context.requireBase(store: models.store)
    let found = BlockSweep.arms(
      of: models.context.engine, factor: job.factor, splitsModules: job.splitsModules)
    guard found.count < PromptSetRun.mostArms else {
      throw InputError.invalid(
        source: "a sweep over blocks",
        expected: "at most \(PromptSetRun.mostArms - 1) arms beside chat; leave the modules together",
        found: "\(found.count)")
    }
    (arms, versions) = ([BlockSweep.Arm(.chat)] + found.map(\.arm), models.context.versions)
    steps = try ArmAnswersSteps(
      ArmAnswersJob(
        prompts: job.prompts, arms: found.map { NamedPlan($0.arm.name, $0.plan) }, sampling: job.sampling), models)
  }

  package mutating func step(_ tell: (BlockSweepEvent) -> Void) throws -> Bool {
    if !hasBegun {
      hasBegun = true
      tell(.began(arms, versions: versions))
      return true
    }
    return try steps.step { event in
      switch event {
      case .progress(let done, let total): tell(.progress(done: done, of: total))
      case .answered(let answers): tell(.answered(answers))
      }
    }
  }
}

/// The report, which is accepted if it has the requested prompts in all arms.
package struct BlockSweepAnswer: JobAnswer {
  fileprivate let job: BlockSweepJob
  private var began: (arms: [BlockSweep.Arm], versions: [String: String])?
  private var answers: [ArmAnswers] = []

  fileprivate init(job: BlockSweepJob) { self.job = job }

  package var outcome: BlockSweep? {
    guard let began, answers.count == job.prompts.count else { return nil }
    return BlockSweep(
      promptFile: job.name, factor: job.factor, sampling: job.sampling, versions: began.versions, arms: began.arms,
      outcomes: answers)
  }

  package mutating func take(_ event: BlockSweepEvent) throws(UnexpectedAnswer) {
    switch event {
    case .progress: break
    case .began(let arms, let versions):
      guard began == nil, arms.first?.kind == .chat else { throw UnexpectedAnswer("arms of something else") }
      began = (arms, versions)
    case .answered(let found):
      guard let began, answers.count < job.prompts.count, found.prompt == job.prompts[answers.count],
        found.answers.count == began.arms.count
      else { throw UnexpectedAnswer("answers to something else") }
      answers.append(found)
    }
  }
}
