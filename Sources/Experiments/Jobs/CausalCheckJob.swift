// This job checks whether one latent does to the chat model what its contexts suggest. Random latents that fire as often are
// the control (POST /v1/causal-check; its document is what `crosscope causal-check --json` prints).
//   added           h += s · a_max · u on neutral prompts, s = 0.5 and 1; control: other directions, the same ‖Δh‖
//   taken away      h −= f (d^chat − d^base) on the latent's own top contexts, from the peak on; control: others' differences

import Diffing
import Foundation
import Inference
import Storage

/// The size of a causal check; every count is at least 1.
package struct CausalCheckSize: Codable, Sendable, Equatable {
  package var random: Int
  package var prompts: Int
  package var contexts: Int
  /// The number of tokens of an answer, and of a context after its peak.
  package var tokens: Int

  package init(random: Int = 8, prompts: Int = 20, contexts: Int = 10, tokens: Int = 24) {
    (self.random, self.prompts, self.contexts, self.tokens) = (random, prompts, contexts, tokens)
  }

  package static let mostRandom = 64

  /// A size for someone who waits: the check takes less than a minute on two cores with a small model.
  package static let interactive = CausalCheckSize(random: 4, prompts: 6, contexts: 6, tokens: 16)
}

/// Measures the effect of one latent.
package struct CausalCheckJob: Job {
  package var latent: Int
  package var size: CausalCheckSize
  /// The latents of the control, `size.random` of them, if a check is run again; nil lets the job choose them.
  package var control: [Int]?
  /// A direction of the store that is added in the latent's place, as a further control; nil for none.
  package var against: SteeredDirection?

  package init(
    _ latent: Int, size: CausalCheckSize = CausalCheckSize(), control: [Int]? = nil, against: SteeredDirection? = nil
  ) {
    (self.latent, self.size, self.control, self.against) = (latent, size, control, against)
  }

  /// The strengths at which the latent is added.
  package static let strengths = [0.5, 1]

  package static let path = "/v1/causal-check"
  package static let fieldNames = ["latent", "random", "prompts", "contexts", "max_tokens", "control", "against"]
  package var textField: String { "latent" }
  package var latentsField: String { "latent" }

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    latent = try fields.required("latent")
    let usual = CausalCheckSize()
    size = CausalCheckSize(
      random: try fields.value("random", in: 1...CausalCheckSize.mostRandom) ?? usual.random,
      prompts: try fields.value("prompts", in: 1...neutralPrompts.count) ?? usual.prompts,
      contexts: try fields.value("contexts", in: 1...100) ?? usual.contexts,
      tokens: try fields.value("max_tokens", in: 1...256) ?? usual.tokens)
    control = try fields.value("control")
    against = try fields.value("against")
    guard control == nil || control?.count == size.random else {
      throw fields.invalid("control", "expected as many latents as random says, \(size.random)")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(latent, "latent")
    try fields.write(size.random, "random")
    try fields.write(size.prompts, "prompts")
    try fields.write(size.contexts, "contexts")
    try fields.write(size.tokens, "max_tokens")
    if let control { try fields.write(control, "control") }
    if let against { try fields.write(against, "against") }
  }

  package func begin(on models: LoadedModels) throws -> CausalCheckSteps { try CausalCheckSteps(self, models) }
  package func answer(from identity: EngineIdentity) -> CausalCheckAnswer { CausalCheckAnswer(self) }
}

/// An event of a causal check.
package enum CausalCheckEvent: Sendable, Equatable {
  /// How many prompts and contexts are finished, and how many there are.
  case progress(done: Int, of: Int)
  case finished(CausalCheckReport)
}

extension CausalCheckEvent: Codable {
  private enum Key: CodingKey { case progress, finished }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let progress = try fields.decodeIfPresent(JobProgress.self, forKey: .progress) {
      self = .progress(done: progress.done, of: progress.of)
    } else {
      self = .finished(try fields.decode(CausalCheckReport.self, forKey: .finished))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .progress(let done, let total): try fields.encode(JobProgress(done: done, of: total), forKey: .progress)
    case .finished(let report): try fields.encode(report, forKey: .finished)
    }
  }
}

/// A check in progress. One step is a prompt or a context.
package struct CausalCheckSteps: TaskSteps {
  private let job: CausalCheckJob
  private let models: LoadedModels
  private let added: PromptSetRun
  private let contexts: [Context]
  /// The latents of the control.
  private let random: [Int]
  private var outcomes: [PromptOutcome] = []
  private var takenAway: [[ContextEffect]] = []

  /// - Throws: `InputError.invalid` if the latent never fired, has no contexts or too few others are like it;
  ///   `InputError.notSaid` without base.
  fileprivate init(_ job: CausalCheckJob, _ models: LoadedModels) throws {
    (self.job, self.models) = (job, models)
    let (store, size) = (models.store, job.size)
    try models.context.requireBase(store: store)
    let record = try store.latents(ids: [job.latent])[0]
    contexts = try store.contexts(of: job.latent, limit: 4 * size.contexts).filter {
      $0.peak + 1 < $0.sequence.tokenIDs.count
    }.prefix(size.contexts).map { $0 }
    guard record.maxActivation ?? 0 > 0, !contexts.isEmpty else {
      throw InputError.invalid(
        source: "latent \(job.latent)", expected: "one that fired, with contexts in the store", found: "none")
    }
    random = try job.control ?? Self.alike(record, count: size.random, in: store)
    let request = SteeringRequest(
      prompt: "",
      plan: SteeringPlan(interventions: [Intervention(latent: job.latent, mode: .add, strength: 1)]),
      sampling: GenerationSettings(maxTokens: size.tokens), strengths: CausalCheckJob.strengths)
    added = try PromptSetRun(
      SteeringSetup(request, models: models),
      prompts: neutralPrompts.prefix(size.prompts).map { SetPrompt(prompt: $0) }, draws: random.map { [$0] },
      against: job.against)
  }

  /// The living latents whose frequency is nearest to that of the given latent, by ratio.
  private static func alike(_ record: LatentRecord, count: Int, in store: Store) throws -> [Int] {
    let ids = try store.latentIDs(sortedBy: .id, matching: Filter("not dead"))
    let wanted = log(max(record.frequency ?? 0, 1e-9))
    let others = try store.latents(ids: ids).filter { $0.id != record.id && $0.maxActivation ?? 0 > 0 }
    guard others.count >= count else {
      throw InputError.invalid(
        source: store.path, expected: "\(count) other living latents", found: "\(others.count)")
    }
    func distance(_ latent: LatentRecord) -> Double { abs(log(max(latent.frequency ?? 0, 1e-9)) - wanted) }
    return others.sorted { (distance($0), $0.id) < (distance($1), $1.id) }.prefix(count).map(\.id)
  }

  package mutating func step(_ tell: (CausalCheckEvent) -> Void) throws -> Bool {
    if outcomes.count < added.prompts.count {
      outcomes.append(try added.outcome(outcomes.count))
    } else {
      takenAway.append(try effects(on: contexts[takenAway.count]))
    }
    let total = added.prompts.count + contexts.count
    let done = outcomes.count + takenAway.count
    guard done == total else {
      tell(.progress(done: done, of: total))
      return true
    }
    tell(.finished(CausalCheckReport(job, against: random, added: added, outcomes, takenAway: takenAway)))
    return false
  }

  /// The effect of taking a latent away after a context's peak: the checked latent first, then the random ones.
  private func effects(on example: Context) throws -> [ContextEffect] {
    let (ids, peak) = (example.sequence.tokenIDs, example.peak)
    let prompt = RenderedChat(plain: Array(ids[...peak]))
    let plans = ([job.latent] + random).map {
      SteeringPlan(interventions: [Intervention(latent: $0, mode: .difference, strength: -1)])
    }
    let given = try GivenAnswers(
      engine: models.context.engine, crosscoder: models.context.crosscoder, layer: models.context.pair.layer,
      prompt: prompt, plans: plans, maxActivations: { _ in nil })
    let next = Array(ids[(peak + 1)...].prefix(job.size.tokens))
    let scores = try given.score(next)
    return scores.dropFirst().map { score in
      ContextEffect(
        kl: score.divergences.reduce(0, +) / Double(next.count),
        logProbability: (score.logProbability - scores[0].logProbability) / Double(next.count))
    }
  }
}

/// The report, which is accepted if it has the requested latent and size.
package struct CausalCheckAnswer: JobAnswer {
  private let job: CausalCheckJob
  package private(set) var outcome: CausalCheckReport?

  fileprivate init(_ job: CausalCheckJob) { self.job = job }

  package mutating func take(_ event: CausalCheckEvent) throws(UnexpectedAnswer) {
    guard outcome == nil else { throw UnexpectedAnswer() }
    guard case .finished(let report) = event else { return }
    guard report.latent == job.latent, report.size == job.size else {
      throw UnexpectedAnswer("a check of something else")
    }
    outcome = report
  }
}
