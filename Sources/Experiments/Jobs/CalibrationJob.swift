// This job finds the strength of mode add from which answers of a pair stop being text (POST /v1/calibrate; its document is
// what `crosscope calibrate --json` prints). The method is in `Calibration`.

import Diffing
import Foundation
import Inference
import Storage

/// Measures some latents on prompts at growing strengths.
package struct CalibrationJob: Job {
  package var prompts: [String]
  /// How many latents are measured: half are the most chat-specific ones, the others are drawn from all living latents.
  package var latents: Int
  package var maxTokens: Int
  /// The seed with which latents are drawn.
  package var seed: UInt64

  package init(prompts: [String], latents: Int, maxTokens: Int, seed: UInt64) {
    (self.prompts, self.latents, self.maxTokens, self.seed) = (prompts, latents, maxTokens, seed)
  }

  package static let path = "/v1/calibrate"
  package static let fieldNames = ["prompts", "latents", "max_tokens", "seed"]
  package var textField: String { "prompts" }
  package var latentsField: String { "latents" }

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    self.init(
      prompts: try fields.required("prompts"), latents: try fields.value("latents", in: 2...1000) ?? 16,
      maxTokens: try fields.value("max_tokens", in: 4...1024) ?? 32, seed: try fields.value("seed") ?? 0)
    guard (1...1000).contains(prompts.count) else {
      throw fields.invalid("prompts", "expected 1 to 1000, found \(prompts.count)")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(prompts, "prompts")
    try fields.write(latents, "latents")
    try fields.write(maxTokens, "max_tokens")
    try fields.write(seed, "seed")
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    _ = try limits.length(maxTokens, isOpenEnded: false)
  }

  package func begin(on models: LoadedModels) throws -> CalibrationSteps { try CalibrationSteps(self, models) }
  package func answer(from identity: EngineIdentity) -> CalibrationAnswer { CalibrationAnswer(self) }
}

/// An event of a calibration.
package enum CalibrationEvent: Sendable, Equatable {
  /// The numbers of finished answers and of all answers at the strengths from `from` to `to`.
  case progress(from: Double, to: Double, done: Int, of: Int)
  case finished(CalibrationReport)
}

extension CalibrationEvent: Codable {
  private enum Key: CodingKey { case progress, from, to, finished }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let progress = try fields.decodeIfPresent(JobProgress.self, forKey: .progress) {
      self = .progress(
        from: try fields.decode(Double.self, forKey: .from), to: try fields.decode(Double.self, forKey: .to),
        done: progress.done, of: progress.of)
    } else {
      self = .finished(try fields.decode(CalibrationReport.self, forKey: .finished))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .progress(let from, let to, let done, let total):
      try fields.encode(JobProgress(done: done, of: total), forKey: .progress)
      try fields.encode(from, forKey: .from)
      try fields.encode(to, forKey: .to)
    case .finished(let report): try fields.encode(report, forKey: .finished)
    }
  }
}

/// A calibration in progress. One step answers a prompt with as many streams as are decoded together.
package struct CalibrationSteps: TaskSteps {
  /// How many streams are decoded together; their common prompt is computed once.
  private static let streamsAtOnce = 48

  private let job: CalibrationJob
  private let chosen: [LatentRecord]
  private let answers: CalibrationAnswers
  private let prompts: [RenderedChat]
  private let model: String
  private var calibration: Calibration?
  /// The index in `Calibration.strengths` of the first strength that is being tried.
  private var first = 0
  private var found: [[Calibration.Figures]] = []
  private var (prompt, arm) = (0, 0)

  fileprivate init(_ job: CalibrationJob, _ models: LoadedModels) throws {
    self.job = job
    chosen = try Self.choose(job, models)
    answers = CalibrationAnswers(chosen, maxTokens: job.maxTokens, context: models.context)
    prompts = try job.prompts.map { try models.context.engine.encodePrompt($0) }
    model = models.context.pair.chat
  }

  private static func choose(_ job: CalibrationJob, _ models: LoadedModels) throws -> [LatentRecord] {
    let (store, norms) = (models.store, models.context.crosscoder.chatNorms)
    let living = try store.latentIDs(sortedBy: .chatSpecificity, matching: Filter("not dead")).filter {
      norms[Int($0)] > 0
    }
    guard living.count >= job.latents else {
      throw InputError.invalid(
        source: store.path, expected: "\(job.latents) living latents", found: "\(living.count)")
    }
    let top = living.prefix(job.latents / 2)
    var generator = SplitMix64(seed: job.seed)
    let random = living.dropFirst(top.count).shuffled(using: &generator).prefix(job.latents - top.count)
    return try store.latents(ids: Array(top) + random)
  }

  private var strengths: ArraySlice<Double> {
    Calibration.strengths[first..<min(Calibration.strengths.count, first + Calibration.strengthsAtOnce)]
  }

  private var arms: [(latent: Int, strength: Double)] {
    strengths.flatMap { strength in chosen.indices.map { (latent: $0, strength: strength) } }
  }

  package mutating func step(_ tell: (CalibrationEvent) -> Void) throws -> Bool {
    guard calibration != nil else {
      let unsteered = try prompts.map { try answers.figures($0, [])[0] }
      calibration = try Calibration(unsteered: Calibration.Figures(meanOf: unsteered), model: model)
      beginStrengths(tell)
      return true
    }
    let arms = arms
    let part = arm..<min(arms.count, arm + Self.streamsAtOnce)
    for (arm, figures) in zip(part, try answers.figures(prompts[prompt], Array(arms[part]))) {
      found[arm].append(figures)
    }
    tellProgress(prompt * arms.count + part.upperBound, tell)
    (prompt, arm) = part.upperBound < arms.count ? (prompt, part.upperBound) : (prompt + 1, 0)
    guard prompt == prompts.count else { return true }
    for (place, strength) in strengths.enumerated() {
      let own = place * chosen.count..<(place + 1) * chosen.count
      calibration?.add(strength, found[own].map { Calibration.Figures(meanOf: $0) })
    }
    first += Calibration.strengthsAtOnce
    if let calibration, first >= Calibration.strengths.count || calibration.isFarEnough {
      tell(.finished(CalibrationReport(calibration, job, latents: chosen.map(\.id))))
      return false
    }
    beginStrengths(tell)
    return true
  }

  private mutating func beginStrengths(_ tell: (CalibrationEvent) -> Void) {
    (prompt, arm) = (0, 0)
    found = [[Calibration.Figures]](repeating: [], count: arms.count)
    tellProgress(0, tell)
  }

  private func tellProgress(_ done: Int, _ tell: (CalibrationEvent) -> Void) {
    tell(
      .progress(
        from: strengths.first ?? 0, to: strengths.last ?? 0, done: done, of: arms.count * prompts.count))
  }
}

/// Answers to prompts in which each stream has one latent added.
private struct CalibrationAnswers {
  let latents: [LatentRecord]
  let maxTokens: Int
  let context: SteeringContext
  private let prefixes = PromptPrefixes(budget: 64 << 20)

  init(_ latents: [LatentRecord], maxTokens: Int, context: SteeringContext) {
    (self.latents, self.maxTokens, self.context) = (latents, maxTokens, context)
  }

  /// The figures of each arm's answer, or of the unsteered answer if there is no arm.
  func figures(_ prompt: RenderedChat, _ arms: [(latent: Int, strength: Double)]) throws -> [Calibration.Figures] {
    let (engine, layer) = (context.engine, context.pair.layer)
    let largest = Dictionary(
      arms.map { arm in
        let latent = latents[arm.latent]
        return (latent.id, context.activation(latent.maxActivation, of: latent.id))
      }, uniquingKeysWith: { first, _ in first })
    let run = try SteeringRun(
      engine: engine, crosscoder: context.crosscoder, layer: layer, prompt: prompt,
      plans: arms.map {
        SteeringPlan(
          interventions: [Intervention(latent: Int(latents[$0.latent].id), mode: .add, strength: $0.strength)])
      }, settings: GenerationSettings(maxTokens: maxTokens), prefixes: prefixes,
      maxActivations: { largest[$0] ?? nil })
    if !arms.isEmpty { run.end(SteeringRun.baseline) }
    while !run.isFinished { _ = try run.step() }
    let scorer = try GivenAnswers(
      engine: engine, crosscoder: context.crosscoder, layer: layer, prompt: prompt, plans: [], prefixes: prefixes,
      maxActivations: { _ in nil })
    return try (arms.isEmpty ? [SteeringRun.baseline] : Array(1...arms.count)).map { stream in
      let ids = run.produced(stream)
      let own = try scorer.score(ids)[0]
      return Calibration.Figures(
        logPerplexity: -own.logProbability / Double(max(1, ids.count)), repetition: repeatedShare(ids))
    }
  }
}

/// The result of a calibration.
package struct CalibrationReport: Codable, Sendable, Equatable {
  package struct Point: Codable, Sendable, Equatable {
    package let strength: Double
    package let perplexity, repetition, broken: Interval?

    fileprivate init(_ strength: Double, _ latents: [Calibration.Figures]) {
      self.strength = strength
      perplexity = Interval.mean(latents.map(\.logPerplexity)).map { $0.mapped(exp) }
      repetition = .mean(latents.map(\.repetition))
      broken = .mean(latents.map(\.broken))
    }
  }

  package let coherence_limit: Interval
  package let latents: [Int]
  package let prompts: Int
  package let max_tokens: Int
  package let curve: [Point]

  fileprivate init(_ calibration: Calibration, _ job: CalibrationJob, latents: [Int]) {
    coherence_limit = calibration.limit
    (self.latents, prompts, max_tokens) = (latents, job.prompts.count, job.maxTokens)
    curve = [Point(0, [calibration.unsteered])] + calibration.points.map { Point($0.strength, $0.latents) }
  }
}

/// The report, which is accepted if it has the requested numbers of latents and prompts.
package struct CalibrationAnswer: JobAnswer {
  private let job: CalibrationJob
  package private(set) var outcome: CalibrationReport?

  fileprivate init(_ job: CalibrationJob) { self.job = job }

  package mutating func take(_ event: CalibrationEvent) throws(UnexpectedAnswer) {
    guard outcome == nil else { throw UnexpectedAnswer() }
    guard case .finished(let report) = event else { return }
    guard report.latents.count == job.latents, report.prompts == job.prompts.count,
      report.max_tokens == job.maxTokens, report.coherence_limit.value > 0
    else { throw UnexpectedAnswer("a calibration of something else") }
    outcome = report
  }
}
