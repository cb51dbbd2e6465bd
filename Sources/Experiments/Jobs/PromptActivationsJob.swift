// This job reads, for each of many prompts, how strongly some latents fire before the answer begins: the largest activation
// over the last message and the opening of the answer's turn, and how much of the models' difference there they carry
// (POST /v1/prompt-activations). Which latent tells which prompts apart follows from it (`TriggerScores`).

import Diffing
import Inference
import Storage

/// Reads the largest activations of some latents over prompts.
package struct PromptActivationsJob: Job {
  package var prompts: [SetPrompt]
  package var latents: [Int]

  package init(prompts: [SetPrompt], latents: [Int]) { (self.prompts, self.latents) = (prompts, latents) }

  package static let path = "/v1/prompt-activations"
  package static let fieldNames = ["prompts", "latents"]
  package var textField: String { "prompts" }
  package var latentsField: String { "latents" }

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    self.init(prompts: try fields.required("prompts"), latents: try fields.required("latents"))
    guard !prompts.isEmpty else { throw fields.invalid("prompts", "expected at least one") }
    guard Set(latents).count == latents.count else { throw fields.invalid("latents", "one is named twice") }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(prompts, "prompts")
    try fields.write(latents, "latents")
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    try store.check(latents, field: "latents")
  }

  package func begin(on models: LoadedModels) throws -> PromptActivationsSteps {
    try PromptActivationsSteps(self, models)
  }

  package func answer(from identity: EngineIdentity) -> PromptActivationsAnswer { PromptActivationsAnswer(self) }
}

/// An event of the reading.
package enum PromptActivationsEvent: Sendable, Equatable {
  /// The numbers of read prompts and of all prompts.
  case progress(done: Int, of: Int)
  /// What the next prompt's latents do.
  case read(PromptFindings)
}

/// What the latents of a job do on one prompt, in the job's order; 0 where one is silent (`PromptReading`).
package struct PromptFindings: Codable, Sendable, Equatable {
  /// The largest activations, in scaled units.
  package var largest: [Float]
  /// The shares of the models' difference that the latents carry.
  package var carried: [Float]
}

extension PromptActivationsEvent: Codable {
  private enum Key: CodingKey { case progress, read }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let progress = try fields.decodeIfPresent(JobProgress.self, forKey: .progress) {
      self = .progress(done: progress.done, of: progress.of)
    } else {
      self = .read(try fields.decode(PromptFindings.self, forKey: .read))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .progress(let done, let total): try fields.encode(JobProgress(done: done, of: total), forKey: .progress)
    case .read(let findings): try fields.encode(findings, forKey: .read)
    }
  }
}

/// Prompts in progress. One step is a prompt.
package struct PromptActivationsSteps: TaskSteps {
  private let prompts: [RenderedChat]
  private let places: [Int: Int]
  private let reader: PromptReader
  private var next = 0

  fileprivate init(_ job: PromptActivationsJob, _ models: LoadedModels) throws {
    let context = models.context
    try context.requireBase(store: models.store)
    prompts = try job.prompts.map { try context.engine.encodeChat($0.messages, addGenerationPrompt: true) }
    places = Dictionary(uniqueKeysWithValues: job.latents.enumerated().map { ($1, $0) })
    reader = try PromptReader(engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer)
  }

  package mutating func step(_ tell: (PromptActivationsEvent) -> Void) throws -> Bool {
    let silent = [Float](repeating: 0, count: places.count)
    var findings = PromptFindings(largest: silent, carried: silent)
    let reading = try reader.read(prompts[next])
    for (latent, activation) in reading.largest {
      guard let place = places[latent] else { continue }
      (findings.largest[place], findings.carried[place]) = (activation, reading.carried[latent] ?? 0)
    }
    next += 1
    tell(.read(findings))
    tell(.progress(done: next, of: prompts.count))
    return next < prompts.count
  }
}

/// The findings, which are accepted if every prompt has one for each latent.
package struct PromptActivationsAnswer: JobAnswer {
  private let (prompts, latents): (Int, Int)
  private var read: [PromptFindings] = []

  fileprivate init(_ job: PromptActivationsJob) { (prompts, latents) = (job.prompts.count, job.latents.count) }

  package var outcome: [PromptFindings]? { read.count == prompts ? read : nil }

  package mutating func take(_ event: PromptActivationsEvent) throws(UnexpectedAnswer) {
    guard case .read(let findings) = event else { return }
    guard read.count < prompts, findings.largest.count == latents, findings.carried.count == latents,
      findings.largest.allSatisfy({ $0.isFinite && $0 >= 0 }), findings.carried.allSatisfy(\.isFinite)
    else {
      throw UnexpectedAnswer("activations of something else")
    }
    read.append(findings)
  }
}
