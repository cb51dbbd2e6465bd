// This job answers every prompt of a set at several strengths and with random latents as a control (POST /v1/steer/set). Its
// document is what `crosscope steer --prompts --json` prints.

import Diffing
import Foundation
import Inference
import Storage

/// Answers a set of prompts at several strengths.
package struct PromptSetJob: Job {
  /// What is done to each prompt; the request's own prompt is not used.
  package var request: SteeringRequest
  package var prompts: [SetPrompt]
  /// The name of the set in the report.
  package var name: String
  /// How many times the latents are replaced by random living ones, which are drawn with the run's seed.
  package var random: Int
  /// The random latents if a set is run again; nil lets the job draw them.
  package var draws: [[Int]]?
  /// A direction of the store that takes the latents' place in further arms, as a control; nil for none.
  package var against: SteeredDirection?
  /// The positions, counted from 0, of prompts that are finished already.
  package var skipped: [Int] = []
  /// Whether every prompt's answers are reported as soon as they exist.
  package var tellsOutcomes = false

  package init(_ request: SteeringRequest, prompts: [SetPrompt], name: String, random: Int) {
    (self.request, self.prompts, self.name, self.random) = (request, prompts, name, random)
    (self.request.prompt, self.request.watched) = ("", [])
  }

  /// Makes the job that runs the set of a saved report again, with the report's arms, random latents and prompts.
  /// - Throws: `InputError.invalid` if the report's arms are not those of one run.
  package init(again saved: DoseResponse) throws {
    let random = saved.arms.filter { $0.kind == .random }
    let draws = stride(from: 0, to: random.count, by: max(1, saved.request.strengths.count)).map { random[$0].latents }
    guard draws.allSatisfy({ $0.count == saved.request.plan.interventions.count }),
      saved.arms == EvidenceArm.all(of: saved.request, draws: draws, isAgainstDirection: saved.against != nil)
    else {
      throw InputError.invalid(
        source: "the saved set of prompts", expected: "arms of one run: strengths by kind, then draw by draw",
        found: "others")
    }
    self.init(
      saved.request, prompts: saved.outcomes.map { SetPrompt(prompt: $0.prompt, kind: $0.kind, turns: $0.turns) },
      name: saved.promptFile, random: draws.count)
    (self.draws, against) = (draws, saved.against)
    request.maxActivations = saved.basis.maxActivations
  }

  /// The default strengths of a set.
  package static let usualStrengths = [-1, -0.5, 0.5, 1, 1.5, 2]

  package static let path = "/v1/steer/set"
  package static let fieldNames =
    SteeringRequest.sampledFields.filter { !["prompt", "turns", "samples", "watch"].contains($0) }
    + ["prompts", "name", "strengths", "random", "draws", "against", "skip", "outcomes"]
  package var textField: String { "prompts" }

  /// The largest numbers of prompts and of draws.
  private static let (mostPrompts, mostRandom) = (10_000, 64)

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    var request = try SteeringRequest(sampled: fields, prompt: "")
    try request.readStrengths(fields, usual: Self.usualStrengths)
    self.init(
      request, prompts: try fields.required("prompts"), name: try fields.value("name") ?? "prompts",
      random: try fields.value("random", in: 0...Self.mostRandom) ?? 0)
    draws = try fields.value("draws")
    against = try fields.value("against")
    skipped = try fields.value("skip") ?? []
    tellsOutcomes = try fields.value("outcomes") ?? false
    guard (1...Self.mostPrompts).contains(prompts.count) else {
      throw fields.invalid("prompts", "expected 1 to \(Self.mostPrompts), found \(prompts.count)")
    }
    guard request.plan.hasStrengths else {
      throw fields.invalid("interventions", "expected at least one, or a direction or an amplification")
    }
    guard random == 0 || !request.plan.interventions.isEmpty else {
      throw fields.invalid("random", "it replaces interventions, and there are none")
    }
    guard draws?.allSatisfy({ $0.count == request.plan.interventions.count }) != false else {
      throw fields.invalid("draws", "expected as many latents in each as there are interventions")
    }
    guard against == nil || !request.plan.interventions.isEmpty else {
      throw fields.invalid("against", "it replaces interventions, and there are none")
    }
    let controls = (draws?.count ?? random) + (against == nil ? 0 : 1)
    let streams = request.strengths.count * (1 + controls) * (request.freezesAttention ? 2 : 1) + 1
    guard streams <= AnswerLimits.mostStreams else {
      throw fields.invalid("random", "expected at most \(AnswerLimits.mostStreams) answers a prompt, found \(streams)")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try request.plan.write(to: &fields)
    try request.sampling.write(to: &fields, hasSamples: false)
    try fields.write(request.freezesAttention, "frozen_attention")
    if !request.maxActivations.isEmpty { try fields.write(request.maxActivations, "max_activations") }
    try fields.write(prompts, "prompts")
    try fields.write(name, "name")
    try fields.write(request.strengths, "strengths")
    try fields.write(random, "random")
    if let draws { try fields.write(draws, "draws") }
    if let against { try fields.write(against, "against") }
    if !skipped.isEmpty { try fields.write(skipped, "skip") }
    if tellsOutcomes { try fields.write(tellsOutcomes, "outcomes") }
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws { try request.limit(to: limits) }
  package func begin(on models: LoadedModels) throws -> PromptSetSteps { try PromptSetSteps(self, models) }
  package func answer(from identity: EngineIdentity) -> PromptSetAnswer { PromptSetAnswer(self) }
}

/// An event of a run over a set of prompts.
package enum PromptSetEvent: Sendable, Equatable {
  /// The hash of all settings, before anything is computed; it is sent only if outcomes are.
  case settings(String)
  /// The answers to one prompt, if they were asked for.
  case outcome(PromptOutcome)
  /// How many prompts are answered at all strengths, and how many there are.
  case progress(done: Int, of: Int)
  case finished(DoseResponse)
}

extension PromptSetEvent {
  /// The event with behaviours counted in the finished report.
  package func counting(_ behaviours: Behaviours) -> PromptSetEvent {
    guard case .finished(let report) = self else { return self }
    return .finished(report.counting(behaviours, coherent: report.coherentPerplexity))
  }
}

extension PromptSetEvent: Codable {
  private enum Key: CodingKey { case settings, outcome, progress, finished }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let progress = try fields.decodeIfPresent(JobProgress.self, forKey: .progress) {
      self = .progress(done: progress.done, of: progress.of)
    } else if let outcome = try fields.decodeIfPresent(PromptOutcome.self, forKey: .outcome) {
      self = .outcome(outcome)
    } else if let settings = try fields.decodeIfPresent(String.self, forKey: .settings) {
      self = .settings(settings)
    } else {
      self = .finished(try fields.decode(DoseResponse.self, forKey: .finished))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .settings(let hash): try fields.encode(hash, forKey: .settings)
    case .outcome(let outcome): try fields.encode(outcome, forKey: .outcome)
    case .progress(let done, let total): try fields.encode(JobProgress(done: done, of: total), forKey: .progress)
    case .finished(let report): try fields.encode(report, forKey: .finished)
    }
  }
}

/// A run over a set in progress. One step is a prompt.
package struct PromptSetSteps: TaskSteps {
  private let job: PromptSetJob
  private let run: PromptSetRun
  private let total: Int
  private var left: [Int]
  private var outcomes: [PromptOutcome] = []
  private var hasBegun = false

  /// - Throws: `InputError.invalid` for settings that have no meaning for a set: turns before the prompt, several
  ///   samples.
  fileprivate init(_ job: PromptSetJob, _ models: LoadedModels) throws {
    for (what, found) in [
      ("turns before the prompt", job.request.turns.count), ("further samples", job.request.sampling.samples - 1),
    ] where found > 0 {
      throw InputError.invalid(source: "a set of prompts", expected: "no \(what)", found: "\(found)")
    }
    self.job = job
    let setup = try SteeringSetup(job.request, models: models)
    run = try PromptSetRun(
      setup, prompts: job.prompts,
      draws: job.draws ?? setup.randomLatents(job.random, of: job.request.plan.interventions.count),
      against: job.against)
    total = job.prompts.count
    left = job.prompts.indices.filter { !job.skipped.contains($0) }
  }

  package mutating func step(_ tell: (PromptSetEvent) -> Void) throws -> Bool {
    if !hasBegun {
      hasBegun = true
      if job.tellsOutcomes { tell(.settings(run.settings)) }
      tell(.progress(done: total - left.count, of: total))
      return true
    }
    if let next = left.first {
      let outcome = try run.outcome(next)
      outcomes.append(outcome)
      left.removeFirst()
      if job.tellsOutcomes { tell(.outcome(outcome)) }
    }
    guard left.isEmpty else {
      tell(.progress(done: total - left.count, of: total))
      return true
    }
    tell(.finished(DoseResponse(run, outcomes, promptFile: job.name)))
    return false
  }
}

/// The report, which is accepted if it has the requested prompts, latents and strengths.
package struct PromptSetAnswer: JobAnswer {
  private let job: PromptSetJob
  package private(set) var outcome: DoseResponse?

  fileprivate init(_ job: PromptSetJob) { self.job = job }

  package mutating func take(_ event: PromptSetEvent) throws(UnexpectedAnswer) {
    guard outcome == nil else { throw UnexpectedAnswer() }
    guard case .finished(let report) = event else { return }
    let prompts = job.prompts.indices.filter { !job.skipped.contains($0) }
    guard report.request.plan.interventions == job.request.plan.interventions,
      report.prompts == prompts.count, report.outcomes.map(\.index) == prompts,
      report.outcomes.allSatisfy({ $0.answers.count == report.arms.count }),
      report.request.strengths == job.request.strengths, report.against?.name == job.against?.name
    else { throw UnexpectedAnswer("an answer to something else") }
    outcome = report
  }
}
